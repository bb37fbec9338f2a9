"""`no_deadlock`: found where it is, by both engines alike, and shown with who waits for what."""

from __future__ import annotations

from random import Random

import pytest

from flushproof.engines.bounded.engine import Bounded, Settings
from flushproof.engines.bounded.threads import Counts
from flushproof.engines.counterexample import Counterexample
from flushproof.engines.explicit.enumerator import Sizes, enumerate_claim
from flushproof.engines.interpreter import interpreter
from flushproof.frontend.setup import Bounds
from flushproof.ir.code import Acquire
from flushproof.ir.program import Role
from flushproof.machine.build import Machine
from flushproof.results.verdict import ClaimResult, Verdict
from flushproof.support.record import replace
from flushproof.verify.portfolio import Question, decide_claims
from support.machines import machine_from, machine_of
from support.tiers import lumps

CLAIM = "no_deadlock"
HEAD = """\
struct kvm_vmx { struct kvm kvm; int x; spinlock_t a; spinlock_t b; spinlock_t c; };
struct vcpu_vmx { struct kvm_vcpu vcpu; spinlock_t own; };
int hv_remote_flush_tlb_with_range(struct kvm *kvm, struct kvm_tlb_range *range)
{
	struct kvm_vmx *vmx = to_kvm_vmx(kvm);
	struct kvm_vcpu *v;
	int i;

"""
MIDDLE = """
	return 0;
}
void vmx_load_mmu_pgd(struct kvm_vcpu *vcpu, unsigned long root, int level)
{
	struct kvm_vmx *vmx = to_kvm_vmx(vcpu->kvm);

"""
A, B, C = (f"spin_lock(&vmx->{x});" for x in "abc")
FREE_A, FREE_B, FREE_C = (f"spin_unlock(&vmx->{x});" for x in "abc")
OWN, FREE_OWN = (f"spin_{x}lock(&to_vmx(vcpu)->own);" for x in ("", "un"))
EACH_OWN = "kvm_for_each_vcpu(i, v, kvm) {{ spin_{}lock(&to_vmx(v)->own); }}"

AB, BA = A + B + FREE_B + FREE_A, B + A + FREE_A + FREE_B
VARIANTS: dict[str, tuple[str, str, int | None]] = {
    "ABBA": (BA, AB, 1),
    "the same order": (AB, AB, None),
    "one after the other": (A + FREE_A + B + FREE_B, B + FREE_B + A + FREE_A, None),
    "taken twice": ("", A + A + FREE_A, 1),
    "taken twice at times": ("", A + f"if (vmx->x) {A} vmx->x = 1;" + FREE_A, 1),
    "taken twice never": ("", A + f"if (vmx->x) {A} vmx->x = 0;" + FREE_A, None),
    "kept on return": ("", A + f"if (vmx->x) return; vmx->x = 1; {FREE_A}", 2),
    "kept by another": (A + FREE_A, f"{A} return;", 1),
    "a ring of three": (A + B + FREE_B + FREE_A, (f"if (vcpu->vcpu_id) {{ {B}{C}{FREE_C}{FREE_B} }}"
                        f" else {{ {C}{A}{FREE_A}{FREE_C} }}"), 2),
    "a guard around both": (C + AB + FREE_C, C + BA + FREE_C, None),
    "only where x is set": (f"{A} if (vmx->x) {{ {B}{FREE_B} }} {FREE_A}",
                            f"{B} vmx->x = 1; {A} vmx->x = 0; {FREE_A}{FREE_B}", 1),
    "never where x is set": (f"{A} if (vmx->x) {{ {B}{FREE_B} }} {FREE_A}",
                             f"{A} vmx->x = 1; {B} vmx->x = 0; {FREE_B}{FREE_A}", None),
    "of the vCPU, inside": (A + EACH_OWN.format("") + EACH_OWN.format("un") + FREE_A,
                            A + OWN + FREE_OWN + FREE_A, None),
    "of the vCPU, outside": (A + EACH_OWN.format("") + EACH_OWN.format("un") + FREE_A,
                             OWN + A + FREE_A + FREE_OWN, 1),
}  # fmt: skip


def _machine(flush: str, load: str, spec: str | None = None) -> Machine:
    return machine_from(f"{HEAD}\t{flush}{MIDDLE}\t{load}\n}}\n", spec)


def _decided(machine: Machine, bounds: Bounds) -> ClaimResult:
    return next(decide_claims(machine, Question((CLAIM,), bounds)))


def _enumerated(machine: Machine, bounds: Bounds) -> int | None:
    program = machine.with_claims((CLAIM,))
    low, high = bounds.vcpus
    for n in range(low, high + 1):
        sizes = Sizes(n, bounds.loads, bounds.flushes, bounds.flushers)
        if enumerate_claim(program, sizes, CLAIM).found:
            return n
    return None


@pytest.mark.sample("ABBA", "taken twice")
@pytest.mark.parametrize("name", list(VARIANTS))
def test_where_it_is(name: str) -> None:
    """A wait that lies within a step, or that is not looked at, would be a false proof.

    Guards Lemma L9 of docs/soundness.md.
    """
    flush, load, least = VARIANTS[name]
    machine = _machine(flush, load)
    bounds = Bounds((1, 2), 2, 1, 1)
    result = _decided(machine, bounds)
    assert result.verdict is (Verdict.BOUNDED if least is None else Verdict.REFUTED)
    assert result.smallest_vcpus == least == _enumerated(machine, bounds)


def test_two_flushers() -> None:
    """Threads of one kind can wait for each other too."""
    flush = f"if (range) {{ {AB} }} else {{ {BA} }}"
    machine = _machine(flush, "")
    for flushers, least in ((1, None), (2, 1)):
        bounds = Bounds((1, 1), 0, 1, flushers)
        assert _decided(machine, bounds).smallest_vcpus == least == _enumerated(machine, bounds)


def _random_code(chance: Random, depth: int = 0) -> str:
    """Return code that takes and frees locks in any order, and does not always give them back."""
    pieces = [A, B, FREE_A, FREE_B, "vmx->x = 1;", "vmx->x = 0;", "return{};"]
    out = ""
    for _ in range(chance.randint(2, 4)):
        piece = chance.choices(pieces, (6, 6, 5, 5, 2, 2, 1))[0]
        if depth == 0 and chance.random() < 0.25:
            piece = f"if (vmx->x) {{ {_random_code(chance, 1)} }}"
        out += piece
    return out


@pytest.mark.sample(every=5)
@pytest.mark.parametrize("seed", range(40))
def test_random_code(seed: int) -> None:
    """What nobody thought of: both engines have to say the same of any code."""
    chance = Random(seed)
    flush, load = (_random_code(chance) for _ in range(2))
    machine = _machine(flush.replace("{};", " 0;"), load.replace("{};", ";"))
    bounds = Bounds((1, 2), chance.randint(1, 2), chance.randint(1, 2), 1)
    assert _decided(machine, bounds).smallest_vcpus == _enumerated(machine, bounds)


def test_random_code_goes_both_ways() -> None:
    """Code that never deadlocks, or always does, would make the law above empty."""
    found = set()
    for seed in range(10):
        chance = Random(seed)
        flush, load = (_random_code(chance) for _ in range(2))
        machine = _machine(flush.replace("{};", " 0;"), load.replace("{};", ";"))
        found.add(_enumerated(machine, Bounds((1, 1), 1, 1, 1)))
    assert found == {None, 1}


# For every number of vCPUs ---------------------------------------------------------------------


IN_ORDER = (
    "the same order",
    "one after the other",
    "taken twice never",
    "never where x is set",
)


@pytest.mark.sample("ABBA", "taken twice")
@pytest.mark.parametrize("name", list(VARIANTS))
def test_for_every_number(name: str) -> None:
    """An order of the locks is a proof for any number; where none is found the bounds are told.

    Guards Lemma L23 of docs/soundness.md.
    """
    flush, load, least = VARIANTS[name]
    machine = _machine(flush, load)
    (result,) = decide_claims(machine, Question((CLAIM,), Bounds((1, 2), 2, 1, 1), engine="auto"))
    assert result.smallest_vcpus == least
    assert result.verdict.holds == (least is None)
    assert (result.verdict is Verdict.PROVED) == (name in IN_ORDER)


ORDERED = 3
"""The only seed below whose locks have an order."""


@pytest.mark.parametrize("seeds", lumps(0, 12, 8, quick=4), ids=str)
def test_random_code_for_every_number(seeds: range) -> None:
    """What is proved for all has no counterexample with few; some is proved and some is not.

    Guards Lemma L23 of docs/soundness.md.
    """
    proved = 0
    for seed in seeds:
        chance = Random(seed)
        flush, load = (_random_code(chance) for _ in range(2))
        machine = _machine(flush.replace("{};", " 0;"), load.replace("{};", ";"))
        question = Question((CLAIM,), Bounds((1, 1), 1, 1, 1), engine="unbounded")
        (result,) = decide_claims(machine, question)
        if result.verdict is Verdict.PROVED:
            proved += 1
            assert _enumerated(machine, Bounds((1, 2), 2, 2, 1)) is None
    assert proved == (ORDERED in seeds)


@pytest.mark.slow
def test_the_order_is_told() -> None:
    """A reader of the proof sees what keeps threads from waiting for each other."""
    machine = _machine(AB, A + C + FREE_C + FREE_A)
    bounds = Bounds((1, 1), 1, 1, 1)
    (result,) = decide_claims(machine, Question((CLAIM,), bounds, engine="auto", evidence=True))
    assert result.invariant[0].startswith("locks are waited for in one order (a, then ")
    assert result.proof is not None
    assert "cuts" in result.proof.claim


# What is shown ---------------------------------------------------------------------------------


def test_trace() -> None:
    """A reader has to see who holds what, and where each thread waits."""
    result = _decided(_machine(BA, AB), Bounds((1, 2), 2, 2, 1))
    trace = result.trace
    assert trace is not None
    assert trace.headline == ("all threads that are in a call wait, so none of them goes on")
    assert trace.because == (
        "vCPU0 holds `a` and waits for `b`; flusher0 holds `b` and waits for `a`"
    )
    last = {s.thread: (s.text, s.lock) for s in trace.steps}
    assert last == {
        "vcpu0": ("16: waits for b", "held"),
        "flusher0": ("9: waits for a", "held"),
    }
    assert [(b.span.line, b.text) for b in trace.blame] == [
        (16, "vCPU0 waits for `b`"),
        (9, "flusher0 waits for `a`"),
    ]
    assert trace.smallest == "1 vCPU, 1 root, 2 operations; none with fewer"


@pytest.mark.parametrize(
    ("load", "because"),
    [
        (A + A, "vCPU0 waits for `a`, which it holds itself"),
        (B + A + A, "vCPU0 waits for `a`, which it holds itself"),
    ],
)
def test_waiting_for_oneself(load: str, because: str) -> None:
    """Nobody else is to be looked for."""
    trace = _decided(_machine("", load), Bounds((1, 1), 1, 1, 1)).trace
    assert trace is not None
    assert trace.because == because


def test_a_lock_that_is_kept() -> None:
    """The holder has left, so it is not among those who wait."""
    trace = _decided(_machine(A + FREE_A, f"{A} return;"), Bounds((1, 1), 1, 1, 1)).trace
    assert trace is not None
    assert trace.because == "flusher0 waits for `a`, which vCPU0 took and never freed"


# What it rests on ------------------------------------------------------------------------------


def _found(machine: Machine) -> Counterexample:
    engine = Bounded(machine.with_claims((CLAIM,)), Counts(1, 1, 1, 1))
    found = engine.claim(CLAIM, 1)
    assert isinstance(found, Counterexample)
    return found


def test_replay_refuses_what_is_no_deadlock() -> None:
    """A thread that could go on makes the counterexample wrong, whatever the solver says.

    Guards Lemma L29 of docs/soundness.md.
    """
    machine = _machine(BA, AB)
    found, program = _found(machine), machine.with_claims((CLAIM,))

    def replay(order: tuple[int, ...]) -> interpreter.State:
        schedule = replace(found.schedule, order=order)
        return interpreter.replay(program, schedule, lambda o: found.boundaries[o.name])

    order = found.schedule.order
    assert [v.claim for v in replay(order).violations] == [CLAIM]
    for left_out in range(len(order) - 1):
        with pytest.raises(interpreter.GoesOn):
            replay((*order[:left_out], *order[left_out + 1 :]))
    with pytest.raises(interpreter.GoesOn):
        replay(order[-1:])


@pytest.mark.parametrize("name", ["ABBA", "of the vCPU, outside", "taken twice at times"])
def test_every_wait_begins_a_step(name: str) -> None:
    """A step that could be blocked in its middle would hide that its thread waits there.

    Guards Lemma L9 of docs/soundness.md.
    """
    machine = _machine(*VARIANTS[name][:2])
    program = machine.with_claims((CLAIM,))
    for given in (None, lambda _: frozenset({0})):
        plan = Bounded(program, Counts(2, 1, 1, 1), Settings(boundaries=given)).plan
        for o in program.operations:
            waits = {at for at, i in enumerate(o.code) if isinstance(i, Acquire)}
            assert waits <= plan.boundaries[o.name]


@pytest.mark.parametrize("spec", ["dedup_all", "enum_status"])
def test_other_claims_do_not_pay(spec: str) -> None:
    """The steps of other claims are no smaller than before."""
    machine = machine_of(spec)
    for claim in machine.setup.claims:
        program = machine.with_claims((claim.name,))
        assert bool(program.of(Role.DEADLOCK)) == (claim.name == CLAIM)
    plan = Bounded(machine.with_claims(("no_bogus",)), Counts(2, 1, 1, 1)).plan
    assert all(starts == {0} for starts in plan.boundaries.values())


USERS = """
spec v {
	variant "v.c";
	operations {
		flush hv_remote_flush_tlb_with_range(kvm, range);
		load vmx_load_mmu_pgd(vcpu, root, free);
	}
	claim loading "no deadlock while vCPU w is in a load" {
		any vcpu w;
		bool inside;
		on enter load(v) { if (v == w) inside = true; }
		on return load(v) { if (v == w) inside = false; }
		on deadlock() { assert(!inside); }
	}
}
"""


@pytest.mark.parametrize(("load", "least"), [(AB, 1), (f"if (0) {{ {AB} }}", None)])
def test_the_event_is_for_everyone(load: str, least: int | None) -> None:
    """A claim of a user's own may speak of deadlocks, with witnesses and ghosts."""
    machine = _machine(BA + B + B, load, USERS)
    result = next(decide_claims(machine, Question(("loading",), Bounds((1, 1), 1, 1, 1))))
    assert result.smallest_vcpus == least
    sizes = Sizes(1, 1, 1, 1)
    program = machine.with_claims(("loading",))
    found = enumerate_claim(program, sizes, "loading").found
    assert (found is not None) == (least is not None)
