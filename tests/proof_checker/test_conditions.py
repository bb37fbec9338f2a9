"""Small programs with proofs written by hand: a wrong one is refused, and by the rule it breaks."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from functools import cache

import pytest

from flushproof.ir.code import Assert, Branch, Write
from flushproof.ir.invariant import (
    ANY,
    FLUSHER,
    CaseInvariant,
    ClaimedProof,
    CutPoint,
    Fact,
    Location,
    Position,
)
from flushproof.ir.invariant_text import parse_fact, parse_term
from flushproof.ir.program import Operation, Program
from flushproof.machine.build import Machine
from flushproof.support.record import replace
from flushproof.verify.proof_checker.cases import failure_edges
from flushproof.verify.proof_checker.check import (
    DefinedProgram,
    Outcome,
    ProofConfirmed,
    ProofRefused,
    check_claims,
    check_defined,
)
from support.machines import machine_from

FLUSH, LOAD = "hv_remote_flush_tlb_with_range", "vmx_load_mmu_pgd"
CODE = """\
struct kvm_vmx { struct kvm kvm; hpa_t hv_tlb_pgd; int level; };
struct vcpu_vmx { struct kvm_vcpu vcpu; hpa_t hv_tlb_pgd; };

int hv_remote_flush_tlb_with_range(struct kvm *kvm, struct kvm_tlb_range *range)
{
	struct kvm_vmx *vmx = to_kvm_vmx(kvm);
	int left, n;

	for (left = 2; left > 0; left--)
		smp_mb();
	n = vmx->level;
	if (n > 2)
		return hyperv_flush_guest_mapping(vmx->hv_tlb_pgd);
	return 10 / (n + 1);
}

void vmx_load_mmu_pgd(struct kvm_vcpu *vcpu, unsigned long root, int level)
{
	struct kvm_vmx *vmx = to_kvm_vmx(vcpu->kvm);

	vmx->level = 1;
	to_vmx(vcpu)->hv_tlb_pgd = root;
	vmx->level = 2;
}
"""
"""The level is 0, then 1 or 2: so there is no hypercall, and no division by zero."""

SPEC = """
spec x {
	variant "variant.c";
	operations {
		flush hv_remote_flush_tlb_with_range(kvm, range);
		load vmx_load_mmu_pgd(vcpu, root, free);
	}
	claim never "there is no hypercall" { on hypercall(r) { assert(false); } }
	claim pair "two vCPUs differ" { any vcpu a; any vcpu b; on hypercall(r) { assert(a != b); } }
	claim ways "it fails in two ways" { on hypercall(r, ok) { assert(r == 1 && ok); } }
}
"""
LEVEL = ("0 <= kvm_vmx.level", "kvm_vmx.level <= 2")

CASES = "the cases leave out some of the vCPUs that witnesses may be"

Edit = Callable[[ClaimedProof], ClaimedProof]


def _machine(code: str = CODE) -> Machine:
    return machine_from(code, SPEC)


def _operation(program: Program, name: str) -> Operation:
    return next(o for o in program.operations if o.name == name)


def _loop(program: Program) -> Position:
    """Return the head of the flush's loop."""
    code = _operation(program, FLUSH).code
    return Position(FLUSH, next(k for k, i in enumerate(code) if isinstance(i, Branch)))


def _stores(program: Program) -> tuple[Position, Position]:
    """Return where a load sets the level, and where it does again."""
    code = enumerate(_operation(program, LOAD).code)
    first, second = (k for k, i in code if isinstance(i, Write) and i.field.label == "level")
    return Position(LOAD, first), Position(LOAD, second)


def _facts(*texts: str, vcpus: tuple[str, ...] = ()) -> tuple[Fact, ...]:
    return tuple(parse_fact(x, vcpus) for x in texts)


def _cuts(program: Program) -> tuple[CutPoint, ...]:
    rank = ((parse_term("left@flusher", ()), parse_term("0", ())),)
    head = CutPoint(_loop(program), boundary=False, head=True, rank=rank)
    second = CutPoint(_stores(program)[1], boundary=True, head=False)
    return (head, second)


def _case(program: Program, facts: Iterable[str] = LEVEL) -> CaseInvariant:
    """Return a case that tracks no vCPU, with the same facts everywhere."""
    known = _facts(*facts)
    looping = Location(_loop(program), (), running=FLUSHER)
    places = ((Location(None, ()), known), (looping, known))
    return CaseInvariant((), merged=False, history=False, walkers=(), excluded=(), facts=places)


def _proof(program: Program) -> ClaimedProof:
    return ClaimedProof(_cuts(program), (), (_case(program),))


@cache
def _defined() -> DefinedProgram:
    base = _machine().with_claims(())
    outcome = check_defined(base, _proof(base))
    assert isinstance(outcome, ProofConfirmed)
    return DefinedProgram(base, outcome)


def _check(claim: str, edit: Edit = lambda p: p, code: str = CODE) -> Outcome:
    """Check the proof by hand of a claim about the code, after an edit of the proof."""
    base = _defined()
    program = _machine(code).with_claims((claim,))
    return check_claims(program, edit(_proof(program)), base)


def _refusal(outcome: Outcome) -> str:
    assert isinstance(outcome, ProofRefused), outcome
    assert not outcome.open
    return outcome.reason


def _everywhere(*texts: str) -> Edit:
    """Claim these facts at each location, and no others."""

    def edit(proof: ClaimedProof) -> ClaimedProof:
        (case,) = proof.cases
        places = tuple((where, _facts(*texts)) for where, _ in case.facts)
        return replace(proof, cases=(replace(case, facts=places),))

    return edit


def _more_at(number: int, *texts: str) -> Edit:
    """Claim more facts at one location."""

    def edit(proof: ClaimedProof) -> ClaimedProof:
        (case,) = proof.cases
        places = list(case.facts)
        where, known = places[number]
        places[number] = where, (*known, *_facts(*texts))
        return replace(proof, cases=(replace(case, facts=tuple(places)),))

    return edit


def _value(text: str) -> Edit:
    return lambda p: replace(p, values=(("kvm_vmx.level", *_facts(text)),))


def _cut(number: int, edit: Callable[[CutPoint], CutPoint]) -> Edit:
    def edited(proof: ClaimedProof) -> ClaimedProof:
        cuts = list(proof.cuts)
        cuts[number] = edit(cuts[number])
        return replace(proof, cuts=tuple(cuts))

    return edited


def _without_cut(number: int) -> Edit:
    return lambda p: replace(p, cuts=p.cuts[:number] + p.cuts[number + 1 :])


def _ranked(*pairs: tuple[str, str]) -> Edit:
    rank = tuple((parse_term(a, ()), parse_term(b, ())) for a, b in pairs)
    return _cut(0, lambda c: replace(c, rank=rank))


def _without_location(number: int) -> Edit:
    def edit(proof: ClaimedProof) -> ClaimedProof:
        (case,) = proof.cases
        kept = case.facts[:number] + case.facts[number + 1 :]
        return replace(proof, cases=(replace(case, facts=kept),))

    return edit


def test_the_proof_by_hand_is_one() -> None:
    """What follows is refused for what is edited, and for nothing else.

    Guards Lemma L31 of docs/soundness.md.
    """
    outcome = _check("never")
    assert isinstance(outcome, ProofConfirmed)
    assert outcome.questions > 10


WRONG: dict[str, tuple[Edit, str]] = {
    "not at boot": (_everywhere("1 <= kvm_vmx.level"), "initiation: boot"),
    "no such place": (_without_location(0), "initiation: boot"),
    "not after its own step": (
        _more_at(1, "left@flusher <= 1"),
        f"consecution: flusher, {FLUSH}() from 0 ",
    ),
    "not after a round": (
        _more_at(1, "left@flusher == 2"),
        f"consecution: flusher, {FLUSH}() from 2 ",
    ),
    "a place left out": (_without_location(1), f"consecution: flusher, {FLUSH}() from 0 "),
    "not after another's step": (
        _everywhere("0 <= kvm_vmx.level", "kvm_vmx.level <= 1"),
        f"interference: another vCPU, {LOAD}() from 4 ",
    ),
    "too weak": (_everywhere("0 <= kvm_vmx.level"), f"safety: never: flusher, {FLUSH}() from 2 "),
    "too little at the head": (
        lambda p: replace(
            p,
            cases=(replace(p.cases[0], facts=(p.cases[0].facts[0], (p.cases[0].facts[1][0], ()))),),
        ),
        f"safety: never: flusher, {FLUSH}() from 2 ",
    ),
    "a value not at boot": (_value("kvm_vmx.level >= 1"), "values: level at boot"),
    "a value not after a store": (_value("kvm_vmx.level <= 1"), f"values: level: {LOAD}() from 4"),
    "a local not at the head": (
        _cut(0, lambda c: replace(c, facts=_facts("left@flusher <= 1"))),
        f"locals: {FLUSH}() from 0",
    ),
    "a local not after a round": (
        _cut(0, lambda c: replace(c, facts=_facts("left@flusher == 2"))),
        f"locals: {FLUSH}() from 2",
    ),
    "a rank that rises": (_ranked(("0", "left@flusher")), f"rank: {FLUSH}() from 2"),
    "a rank that stays": (_ranked(("1", "0")), f"rank: {FLUSH}() from 2"),
    "a rank of the second part": (
        _ranked(("0", "left@flusher"), ("left@flusher", "0")),
        f"rank: {FLUSH}() from 2",
    ),
    "no rank": (_ranked(), f"a step would have to begin at 2 of {FLUSH}(): a step may not end"),
    "a boundary left out": (
        _without_cut(1),
        f"a step would have to begin at 4 of {LOAD}(): it does not move left",
    ),
    "a head left out": (_without_cut(0), "a circle without a cut"),
    "no case": (lambda p: replace(p, cases=()), CASES),
    "a failure left out": (
        lambda p: replace(
            p,
            cases=(replace(p.cases[0], excluded=(Position(FLUSH, 11),)),),
        ),
        "no case for a failure of `never`",
    ),
}


@pytest.mark.parametrize("name", WRONG)
def test_a_wrong_proof_is_refused_by_its_rule(name: str) -> None:
    """Each edit makes a true fact false, or leaves one out: a checker that confirms it is none.

    Guards Lemma L31 of docs/soundness.md.
    """
    edit, reason = WRONG[name]
    assert _refusal(_check("never", edit)).startswith(reason)


FALSE = "0 == 1"
TOO_HIGH = CODE.replace("vmx->level = 1;", "vmx->level = 3;")
MAY_DIVIDE = CODE.replace("vmx->level = 1;", "vmx->level = -1;")
LOCKED = (
    TOO_HIGH.replace("int level;", "int level; spinlock_t lock;")
    .replace("vmx->level = 3;", "spin_lock(&vmx->lock); vmx->level = 3;")
    .replace("vmx->level = 2;", "vmx->level = 2; spin_unlock(&vmx->lock);")
)
"""With the lock held the level is 3, which the flush reads without it."""


def _refused_code(machine: Machine, edit: Edit = lambda p: p) -> str:
    base = machine.with_claims(())
    return _refusal(check_defined(base, edit(_proof(base))))


def test_what_is_undefined_is_refused() -> None:
    """A level of -1 makes the flush divide by zero."""
    weak = _everywhere("kvm_vmx.level <= 2")
    assert _refused_code(_machine(), weak).startswith("definedness: division by zero: flusher")
    assert _refused_code(_machine(MAY_DIVIDE)).startswith("interference: another vCPU")
    assert _refused_code(_machine(MAY_DIVIDE), weak).startswith("definedness: division by zero")


def test_sums_that_may_wrap_around_are_told_apart() -> None:
    """What is trusted of the code with claims is only what was shown of it without."""
    base = _machine().with_claims(())
    outcome = check_defined(base, _proof(base))
    assert isinstance(outcome, ProofConfirmed)
    code = _operation(base, FLUSH).code
    sums = {k for k, i in enumerate(code) if "'+'" in repr(i)}
    assert sums
    assert sums <= {p.at for p in outcome.exact if p.operation == FLUSH}
    wraps = CODE.replace("n + 1)", "n + 0x7fffffff | 1)")
    other = _machine(wraps).with_claims(())
    outcome = check_defined(other, _proof(other))
    assert isinstance(outcome, ProofConfirmed)
    code = _operation(other, FLUSH).code
    sums = {k for k, i in enumerate(code) if "'+'" in repr(i)}
    assert sums
    assert not sums & {p.at for p in outcome.exact if p.operation == FLUSH}


def _at_beginnings(text: str) -> Edit:
    """Claim a fact about locals where each call begins."""
    begins = tuple(
        CutPoint(Position(o, 0), boundary=True, head=False, facts=_facts(text))
        for o in (FLUSH, LOAD)
    )
    return lambda p: replace(p, cuts=(*p.cuts, *begins))


def _tracking(*tracked: str, merged: bool = False) -> Edit:
    """Track some vCPUs, with no facts but those of before."""

    def edit(proof: ClaimedProof) -> ClaimedProof:
        (case,) = proof.cases
        none = (None,) * len(tracked)
        places = tuple((replace(where, loads=none), known) for where, known in case.facts)
        other = replace(case, tracked=tracked, merged=merged, facts=places)
        return replace(proof, cases=(other,))

    return edit


def test_nothing_is_assumed_where_a_call_begins() -> None:
    """A call begins with any locals: a false fact there would make all that it does of no account.

    Guards Lemma L31 of docs/soundness.md.
    """
    for code, edit in ((MAY_DIVIDE, _at_beginnings(FALSE)), (CODE, _at_beginnings("N >= 1"))):
        assert "() begins" in _refused_code(_machine(code), edit)


def test_nothing_is_assumed_of_the_word_of_a_lock() -> None:
    """Who takes a lock stores to it: that it is free at any time would make its holders disappear.

    Guards Lemma L31 of docs/soundness.md.
    """
    base = _machine(LOCKED).with_claims(())
    free = ("kvm_vmx.lock", *_facts("kvm_vmx.lock == 0"))
    first = CutPoint(_stores(base)[0], boundary=True, head=False)
    proof = replace(_proof(base), cuts=(*_cuts(base), first), values=(free,))
    assert "`kvm_vmx.lock`" in _refusal(check_defined(base, proof))


def test_two_vcpus_that_are_any_are_no_case() -> None:
    """They are the same unknown, said to differ: from that everything follows.

    Guards Lemma L31 of docs/soundness.md.
    """
    for code in (CODE, MAY_DIVIDE):
        assert _refused_code(_machine(code), _tracking(ANY, ANY)) == CASES
        assert _refused_code(_machine(code), _tracking(ANY, merged=True)) == CASES


def _pair(program: Program, *, merged: bool) -> CaseInvariant:
    """Return the case of two vCPUs that differ, or of two that are the same."""
    names = tuple(f.name for f in program.witnesses)
    tracked = names[:1] if merged else names
    (case,) = _tracking(*tracked, merged=merged)(_proof(program)).cases
    places = [(where, known) for where, known in case.facts]
    idle = places[0][0].loads
    second = _stores(program)[1]
    for k in range(len(tracked)):
        for where, known in tuple(places):
            loads = (*where.loads[:k], second, *where.loads[k + 1 :])
            places.append((replace(where, loads=loads), known))
    assert len({where for where, _ in places}) == 2 * 2 ** len(idle)
    return replace(case, facts=tuple(places))


@pytest.mark.parametrize(
    ("cases", "whole"),
    [((False, True), True), ((True, False), True), ((False,), False), ((True,), False)],
)
def test_two_witnesses_may_be_one_vcpu(cases: tuple[bool, ...], whole: bool) -> None:
    """A proof for vCPUs that differ says nothing of a vCPU beside itself, nor the other way."""
    program = _machine().with_claims(("pair",))
    found = tuple(_pair(program, merged=merged) for merged in cases)
    outcome = check_claims(program, replace(_proof(program), cases=found), _defined())
    if whole:
        assert isinstance(outcome, ProofConfirmed)
    else:
        assert _refusal(outcome) == CASES


def _ways_to_fail(program: Program) -> list[Position]:
    """Return the branches after which the claim fails."""
    code = _operation(program, FLUSH).code
    at = next(k for k, i in enumerate(code) if isinstance(i, Assert))
    return [Position(FLUSH, k) for k in failure_edges(code, at)]


def test_each_way_to_fail_is_in_some_case() -> None:
    """A claim that fails in one of two ways is not shown by what is said of the other.

    Guards Lemma L31 of docs/soundness.md.
    """
    program = _machine().with_claims(("ways",))
    ways = _ways_to_fail(program)
    assert len(ways) == 2
    proof, base = _proof(program), _defined()
    one, other = (replace(proof.cases[0], excluded=(way,)) for way in ways)
    assert isinstance(
        check_claims(program, replace(proof, cases=(one, other)), base), ProofConfirmed
    )
    for case in (one, other):
        outcome = check_claims(program, replace(proof, cases=(case,)), base)
        assert _refusal(outcome) == "no case for a failure of `ways`"


def test_other_code_is_not_that_of_the_proof() -> None:
    """What was shown of the code without claims is of no use for other code.

    Guards Lemma L1 of docs/soundness.md.
    """
    other = _machine(CODE.replace("left = 2", "left = 3")).with_claims(("never",))
    outcome = check_claims(other, _proof(other), _defined())
    assert f"the code of {FLUSH}() differs" in _refusal(outcome)


def _case_edit(edit: Callable[[CaseInvariant], CaseInvariant]) -> Edit:
    return lambda p: replace(p, cases=tuple(map(edit, p.cases)))


STRANGE: dict[str, tuple[Edit, str]] = {
    "no such field": (_more_at(0, "kvm_vmx.other == 0"), "no field `kvm_vmx.other`"),
    "no such local": (_more_at(1, "other@flusher == 0"), "no local `other`"),
    "no call": (_more_at(0, "left@flusher == 0"), "no local `left`"),
    "no readers": (
        _more_at(0, "kvm_vmx.level[readers, flusher] == 0"),
        "no readers of `kvm_vmx.level`",
    ),
    "no such mask": (_more_at(0, f"(kvm_vmx.level & {1 << 70}) == 0"), "a value of too many bits"),
    "a field among locals": (
        _cut(0, lambda c: replace(c, facts=_facts("kvm_vmx.level <= 2"))),
        "where facts are about locals alone",
    ),
    "a field in a rank": (_ranked(("kvm_vmx.level", "0")), "where facts are about locals alone"),
    "a value of two": (_value("kvm_vmx.level < N"), "values: level: "),
    "a value of another": (
        lambda p: replace(p, values=(("kvm_vmx.level", *_facts("kvm_vmx.hv_tlb_pgd == 0")),)),
        "a fact about `kvm_vmx.level` alone speaks of something else",
    ),
    "a value of nothing": (
        lambda p: replace(p, values=(("other", *_facts("other == 0")),)),
        "no field `other` that changes",
    ),
    "cut nowhere": (
        _cut(0, lambda c: replace(c, at=Position(FLUSH, 1000))),
        f"a cut at 1000 of {FLUSH}()",
    ),
    "cut before": (
        _cut(0, lambda c: replace(c, at=Position(FLUSH, -1))),
        f"a cut at -1 of {FLUSH}()",
    ),
    "cut of nothing": (_cut(0, lambda c: replace(c, at=Position("x", 0))), "a cut at 0 of x()"),
    "no cut": (_cut(0, lambda c: replace(c, head=False)), f"a cut at 2 of {FLUSH}()"),
    "cut twice": (
        lambda p: replace(p, cuts=(*p.cuts, replace(p.cuts[0], rank=()))),
        f"two cuts at 2 of {FLUSH}()",
    ),
    "no witness": (_tracking("never.v"), CASES),
    "none is merged": (
        lambda p: replace(p, cases=(*p.cases, replace(p.cases[0], merged=True))),
        "witnesses are the same vCPU, and none is tracked",
    ),
    "noted of no one": (_case_edit(lambda c: replace(c, history=True)), "what is noted is at"),
}


@pytest.mark.parametrize("name", STRANGE)
def test_a_proof_of_something_else_is_refused(name: str) -> None:
    """Whatever stands in a proof, the checker says what it cannot make of it."""
    edit, reason = STRANGE[name]
    assert reason in _refusal(_check("never", edit))
