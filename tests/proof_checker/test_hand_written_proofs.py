"""Proofs that an adversary would write: none is confirmed of a claim that fails."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from flushproof.ir.code import (
    Acquire,
    Assert,
    Branch,
    Field,
    Hypercall,
    Instr,
    Jump,
    Read,
    Release,
    Return,
    Write,
)
from flushproof.ir.invariant import (
    CaseInvariant,
    Cell,
    ClaimedProof,
    CutPoint,
    Fact,
    FactComparison,
    FixedNumber,
    Location,
    Position,
    ThreadLocal,
    VcpuCount,
)
from flushproof.ir.program import Program, Role
from flushproof.ir.types import LockWord
from flushproof.support.record import replace
from flushproof.verify.proof_checker.check import (
    DefinedProgram,
    Outcome,
    ProofConfirmed,
    ProofRefused,
    check_claims,
    check_defined,
)
from support.hand_written_proofs import FALSE, claim_anything, defined_code, own_machine

SEEN = (Read, Write, Hypercall, Acquire, Release, Return)
BOGUS = "hyperv_flush_guest_mapping(0);"
NO_BOGUS = "on hypercall(r) { assert(r != 0); }"
LOCKED = f"spin_lock(&k->l); k->x = 1; {BOGUS} spin_unlock(&k->l);"
LOAD = "spin_lock(&k->l); k->x = 0; spin_unlock(&k->l);"


def _cuts(program: Program, facts: tuple[Fact, ...] = ()) -> tuple[CutPoint, ...]:
    """Return a cut wherever anything is done, so that no two things are taken for one step."""
    acting = [o for o in program.operations if o.role in (Role.LOAD, Role.FLUSH)]
    return tuple(
        CutPoint(Position(o.name, at), boundary=True, head=False, facts=facts)
        for o in acting
        for at, i in enumerate(o.code)
        if isinstance(i, SEEN) and not i.from_claim
    )


def _begin(program: Program) -> tuple[CutPoint, ...]:
    """Return cuts where calls begin, with a fact that is false."""
    acting = [o for o in program.operations if o.role in (Role.LOAD, Role.FLUSH)]
    return tuple(
        CutPoint(Position(o.name, 0), boundary=True, head=False, facts=(FALSE,)) for o in acting
    )


def _lock(program: Program) -> Field:
    return next(f for f in program.fields if isinstance(f.type, LockWord))


def _is(name: str, value: int) -> tuple[str, Fact]:
    return name, (FactComparison("==", Cell(name), FixedNumber(value)),)


def _plain(program: Program) -> ClaimedProof:
    return claim_anything(program, _cuts(program))


def _case(program: Program, **changes: object) -> ClaimedProof:
    proof = _plain(program)
    (case,) = proof.cases
    return replace(proof, cases=(replace(case, **changes),))


def _with_rank(program: Program, **changes: object) -> ClaimedProof:
    proof = _plain(program)
    first, *rest = proof.cuts
    return replace(proof, cuts=(replace(first, **changes), *rest))


def _no_facts(program: Program) -> ClaimedProof:
    return _case(program, facts=())


def _contradiction(program: Program) -> ClaimedProof:
    (case,) = _plain(program).cases
    return _case(program, facts=tuple((w, (FALSE,)) for w, _ in case.facts))


def _contradiction_inside(program: Program) -> ClaimedProof:
    (case,) = _plain(program).cases
    idle = Location(None, (None,))
    facts = tuple((w, () if w == idle else (FALSE,)) for w, _ in case.facts)
    return _case(program, facts=facts)


def _all_excluded(program: Program) -> ClaimedProof:
    asserted = [
        Position(o.name, at)
        for o in program.operations
        for at, i in enumerate(o.code)
        if isinstance(i, Assert | Branch | Jump)
    ]
    return _case(program, excluded=tuple(asserted))


def _more_than_is_there(program: Program) -> ClaimedProof:
    at = Position(program.operations[0].name, 10_000)
    return replace(_plain(program), cuts=(CutPoint(at, boundary=True, head=False),))


def _rank_of_shared_state(program: Program) -> ClaimedProof:
    x = next(f.name for f in program.fields if f.name.endswith(".x"))
    return _with_rank(program, head=True, rank=((Cell(x), FixedNumber(0)),))


def _shared_state_as_local_fact(program: Program) -> ClaimedProof:
    x = next(f.name for f in program.fields if f.name.endswith(".x"))
    return claim_anything(program, _cuts(program, (_is(x, 0)[1],)))


def _local_nowhere(program: Program) -> ClaimedProof:
    fact: Fact = (FactComparison("==", ThreadLocal(0, "d1"), VcpuCount()),)
    return claim_anything(program, _cuts(program, (fact,)))


FORGED: dict[str, Callable[[Program], ClaimedProof]] = {
    "nothing known": _plain,
    "no location": _no_facts,
    "no case": lambda p: replace(_plain(p), cases=()),
    "contradiction at boot": _contradiction,
    "contradiction elsewhere": _contradiction_inside,
    "all excluded": _all_excluded,
    "merged alone": lambda p: _case(p, merged=True),
    "nobody tracked twice": lambda p: claim_anything(p, _cuts(p), tracked=("", "")),
    "no such witness": lambda p: claim_anything(p, _cuts(p), tracked=("N",)),
    "a false value": lambda p: claim_anything(p, _cuts(p), (_is(_x(p), 0),)),
    "a value of a lock": lambda p: claim_anything(p, _cuts(p), (_is(_lock(p).name, 0),)),
    "a value of nothing": lambda p: claim_anything(p, _cuts(p), (("N", FALSE),)),
    "facts about locals": lambda p: claim_anything(p, _cuts(p, (FALSE,))),
    "facts where calls begin": lambda p: claim_anything(p, (*_cuts(p, (FALSE,)), *_begin(p))),
    "few vCPUs": lambda p: claim_anything(p, _cuts(p), ((_x(p), _few()),)),
    "no cut": lambda p: replace(_plain(p), cuts=()),
    "a cut nowhere": _more_than_is_there,
    "a rank of shared state": _rank_of_shared_state,
    "shared state as a local fact": _shared_state_as_local_fact,
    "a local that is none": _local_nowhere,
    "history": lambda p: _case(p, history=True, walkers=((Position("my_flush", 3), "n"),)),
}


def _x(program: Program) -> str:
    return next(f.name for f in program.fields if f.name.endswith(".x"))


def _few() -> Fact:
    return (FactComparison("<", VcpuCount(), FixedNumber(1)),)


def _decide(flush: str, load: str, claim: str, forge: Callable[[Program], ClaimedProof]) -> Outcome:
    machine = own_machine(flush, load, claim)
    return check_claims(
        machine.with_claims(("it",)),
        forge(machine.with_claims(("it",))),
        defined_code(machine),
    )


@pytest.mark.parametrize("name", FORGED)
def test_no_forged_proof_of_a_claim_that_fails(name: str) -> None:
    """Whoever writes a certificate must not be believed: here a hypercall on 0 is made at once.

    Guards Lemma L31 of docs/soundness.md.
    """
    assert isinstance(_decide(LOCKED, LOAD, NO_BOGUS, FORGED[name]), ProofRefused)


def test_the_same_is_confirmed_where_it_is_true() -> None:
    """Were all proofs by hand refused, what is above would show nothing."""
    true = "on hypercall(r) { assert(r == 0); }"
    assert isinstance(_decide(LOCKED, LOAD, true, _plain), ProofConfirmed)


@pytest.mark.parametrize(
    "flush",
    [
        "to_vmx(kvm_get_vcpu(kvm, 3))->a = 1;",
        "n = 10 / READ_ONCE(k->x);",
        "n = 1 << READ_ONCE(k->y);",
    ],
)
@pytest.mark.parametrize(
    "change",
    [
        {},
        {"tracked": ("", "")},
        {"tracked": ("", "", "")},
        {"merged": True},
        {"tracked": ("w",)},
        {"tracked": ("", ""), "merged": True},
        {"facts": ()},
    ],
    ids=str,
)
def test_undefined_code_is_not_defined(flush: str, change: dict[str, object]) -> None:
    """With no claim there is no failure to be in a case, and yet the cases have to be all."""
    base = own_machine(flush, "WRITE_ONCE(k->y, 40);", NO_BOGUS).with_claims(())
    proof = _plain(base)
    cases = tuple(replace(c, **change) for c in proof.cases)
    if "tracked" in change:
        tracked = change["tracked"]
        assert isinstance(tracked, tuple)
        cases = tuple(
            replace(
                c, tracked=tracked, facts=claim_anything(base, (), tracked=tracked).cases[0].facts
            )
            for c in cases
        )
        proof = replace(proof, cuts=())
    assert isinstance(check_defined(base, replace(proof, cases=cases)), ProofRefused)


TWICE = "read_lock(&k->rw); read_lock(&k->rw); k->x = 1; read_unlock(&k->rw); k->x = 2;"


def test_a_reader_twice_is_one_after_an_unlock() -> None:
    """To take it for none makes all that follows impossible, and then anything is true of it."""
    machine = own_machine(f"{TWICE} {BOGUS} read_unlock(&k->rw);", "k->x = 0;", NO_BOGUS)
    base, program = machine.with_claims(()), machine.with_claims(("it",))
    defined = check_defined(base, _plain(base))
    assert isinstance(defined, ProofConfirmed)
    found = check_claims(program, _plain(program), DefinedProgram(base, defined))
    assert isinstance(found, ProofRefused)
    assert found.reason.startswith("safety")


def test_what_is_never_run_is_refused() -> None:
    """Assertions of an operation without a rule would all be taken to hold."""
    machine = own_machine("", "", "on deadlock() { assert(false); }")
    program = machine.with_claims(("it",))
    assert program.of(Role.DEADLOCK)
    found = check_claims(program, _plain(program), defined_code(machine))
    assert isinstance(found, ProofRefused)
    assert "never run" in found.reason


def test_code_that_goes_back_to_its_beginning_is_refused() -> None:
    """What callers see to of arguments does not hold of what code has put into them."""
    machine = own_machine("", "", NO_BOGUS)
    base = machine.with_claims(())
    first, second = base.operations
    back: tuple[Instr, ...] = (*first.code[:-1], Jump(0, None))
    looping = replace(base, operations=(replace(first, code=back), second))
    proof = _plain(looping)
    begin = CutPoint(Position(first.name, 0), boundary=True, head=True)
    found = check_defined(looping, replace(proof, cuts=(*proof.cuts, begin)))
    assert isinstance(found, ProofRefused)
    assert "goes back" in found.reason


def test_cases_of_another_program_are_refused() -> None:
    """A location with more vCPUs than are tracked is none."""
    machine = own_machine(LOCKED, LOAD, NO_BOGUS)
    program = machine.with_claims(("it",))
    where = Location(None, (None, None, None))
    case = CaseInvariant(
        ("",), merged=False, history=False, walkers=(), excluded=(), facts=((where, ()),)
    )
    proof = ClaimedProof(_cuts(program), (), (case,))
    assert isinstance(check_claims(program, proof, defined_code(machine)), ProofRefused)
