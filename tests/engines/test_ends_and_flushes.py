"""What `on end` looks at, whom a flush is for, and what a flush clears: the same in all engines."""

from __future__ import annotations

import pytest

from flushproof.engines.explicit.enumerator import Sizes, enumerate_claim
from flushproof.frontend.setup import Bounds
from flushproof.machine.build import Machine
from flushproof.results.verdict import Verdict
from flushproof.support.diagnostics import InputError
from flushproof.verify.portfolio import Question, decide_claims
from support.machines import machine_from

HEAD = """\
struct kvm_vmx { struct kvm kvm; int x, y; u64 last; spinlock_t lock, other; };
struct vcpu_vmx { struct kvm_vcpu vcpu; u64 own; int a; };
"""
BODIES = """\
int my_flush(struct kvm *kvm)
{
	struct kvm_vmx *k = to_kvm_vmx(kvm);
	struct kvm_vcpu *vcpu;
	int i = 0, ret = 0;

	FLUSH
	return ret;
}
void my_load(struct kvm_vcpu *vcpu, u64 root)
{
	struct kvm_vmx *k = to_kvm_vmx(vcpu->kvm);
	struct kvm_vcpu *v;
	int i = 0;

	LOAD
	k->y = i;
}
"""
PLAIN = "flush my_flush(kvm); load my_load(vcpu, root);"


def _machine(text: str, clauses: str, operations: str = PLAIN) -> Machine:
    spec = f'spec own {{ variant "own.c"; operations {{ {operations} }} {clauses} }}'
    return machine_from(HEAD + text, spec, "own")


def _bodies(flush: str, load: str) -> str:
    return BODIES.replace("FLUSH", flush).replace("LOAD", load)


def _agree(made: Machine, claim: str, bounds: Bounds) -> Verdict:
    """Return what the bounded engine says, having asked the enumerator.

    What fails may not be proved for every number either; of what holds that says nothing.
    """
    (result,) = decide_claims(made, Question((claim,), bounds))
    low, high = bounds.vcpus
    sizes = (Sizes(n, bounds.loads, bounds.flushes, bounds.flushers) for n in range(low, high + 1))
    program = made.with_claims((claim,))
    fails = any(enumerate_claim(program, s, claim).found for s in sizes)
    assert (result.verdict is Verdict.REFUTED) == fails
    if fails:
        (for_all,) = decide_claims(made, Question((claim,), bounds, engine="unbounded"))
        assert for_all.verdict is not Verdict.PROVED
    return result.verdict


OPEN = "k->x = 1; WRITE_ONCE(k->y, 1); k->x = 0;"
LOCKED = "spin_lock(&k->lock);"


@pytest.mark.sample(every=8)
@pytest.mark.parametrize(
    ("flush", "fails"),
    [
        (OPEN, False),
        ("k->x = 1; if (READ_ONCE(k->y)) k->x = 0;", True),
        (f"k->x = 1; {LOCKED} k->x = 0; {LOCKED} k->y = 2;", False),
        ("k->x = 1; while (READ_ONCE(k->y)) { } k->x = 0;", False),
        ("k->x = 1; for (i = 0; i < 2; i++) k->x = i; ", True),
        (f"k->x = 1; {LOCKED} {LOCKED} k->x = 0;", False),
    ],
    ids=["open", "left", "waits for itself", "waits", "loop", "hangs"],
)
@pytest.mark.parametrize("event", ["end", "step"])
def test_at_the_end_no_call_is_half_done(flush: str, event: str, fails: bool) -> None:
    """A claim about the end is refuted amid a call, by one engine and not by the other.

    Guards Lemma L13 of docs/soundness.md.
    """
    claim = f'claim closed "x is 0" {{ on {event}() {{ assert(to_kvm_vmx(kvm)->x == 0); }} }}'
    made = _machine(_bodies(flush, "k->y = 1;"), f'{claim[:-1]} headline "x"; }}')
    verdict = _agree(made, "closed", Bounds((1, 1), 1, 1, 1))
    assert (verdict is Verdict.REFUTED) == (fails or event == "step")


@pytest.mark.slow
@pytest.mark.parametrize("lost", ["", f"{LOCKED} {LOCKED}"])
def test_a_race_before_a_call_that_hangs(lost: str) -> None:
    """No race is seen where some call never ends, as then there is no end to look at.

    Guards Lemma L13 of docs/soundness.md.
    """
    lost = lost.replace("k->a", "k->y")
    race = _machine(_bodies(f"k->x = 1; {lost}", f"i = k->x; {lost}"), "")
    assert _agree(race, "no_race", Bounds((1, 1), 1, 1, 1)) is Verdict.REFUTED
    free = "spin_lock(&k->other); {} spin_unlock(&k->other);"
    kept = _machine(_bodies(free.format("k->x = 1;"), free.format("k->x = 2;")), "exempt y;")
    assert _agree(kept, "no_race", Bounds((1, 1), 1, 1, 1)) is Verdict.BOUNDED


def test_a_call_that_hangs_is_not_followed_by_another() -> None:
    """Behind a loop that is not followed to its end the thread begins its next call.

    Guards Lemma L16 of docs/soundness.md.
    """
    claim = 'claim once "x is below 2" { on step() { assert(to_kvm_vmx(kvm)->x < 2); } }'
    made = _machine(_bodies("k->x++; while (true) WRITE_ONCE(k->y, 1);", ""), claim)
    assert _agree(made, "once", Bounds((1, 1), 1, 2, 1)) is Verdict.UNKNOWN


FOR_ONE = """\
int my_flush(struct kvm_vcpu *vcpu)
{
	return BODY;
}
void my_load(struct kvm_vcpu *vcpu, u64 root) { to_vmx(vcpu)->own = root; }
"""


@pytest.mark.sample(every=3)
@pytest.mark.parametrize(
    ("body", "claim", "verdict"),
    [
        ("hyperv_flush_guest_mapping(to_vmx(vcpu)->own)", "failure_kept", Verdict.BOUNDED),
        ("hyperv_flush_guest_mapping(0)", "no_bogus", Verdict.REFUTED),
        ("to_vmx(vcpu)->own ? hyperv_flush_guest_mapping(0) : 0", "no_bogus", Verdict.REFUTED),
    ],
    ids=["own", "none", "any vCPU"],
)
def test_a_flush_for_a_vcpu(body: str, claim: str, verdict: Verdict) -> None:
    """A flush on behalf of a vCPU gets one that does not exist."""
    operations = "flush my_flush(vcpu); load my_load(vcpu, root);"
    made = _machine(FOR_ONE.replace("BODY", body), "", operations)
    assert _agree(made, claim, Bounds((1, 2), 1, 1, 1)) is verdict


ON, OFF = "assume load_flushes;", "assume no load_flushes;"
OWN = """
	kvm_for_each_vcpu(i, vcpu, kvm)
		if (to_vmx(vcpu)->own)
			ret |= hyperv_flush_guest_mapping(to_vmx(vcpu)->own);"""
TOO = """
	if (k->last) {
		ret |= hyperv_flush_guest_mapping(k->last);
		if (!ret)
			k->last = 0;
	}"""
KEEP = "if (to_vmx(vcpu)->own != root) k->last = to_vmx(vcpu)->own; to_vmx(vcpu)->own = root;"


def _locked(body: str) -> str:
    return f"spin_lock(&k->lock); {body} spin_unlock(&k->lock);"


@pytest.mark.sample("one load")
@pytest.mark.parametrize(
    ("assumed", "flush", "load", "loads", "verdict"),
    [
        (ON, OWN, "to_vmx(vcpu)->own = root;", 2, Verdict.BOUNDED),
        (OFF, OWN, "to_vmx(vcpu)->own = root;", 1, Verdict.BOUNDED),
        (OFF, OWN, "to_vmx(vcpu)->own = root;", 2, Verdict.REFUTED),
        (OFF, OWN + TOO, KEEP, 2, Verdict.BOUNDED),
        (OFF, TOO, KEEP, 2, Verdict.REFUTED),
    ],
    ids=["flushed", "one load", "left behind", "the last too", "old only"],
)
def test_coverage_where_loads_do_not_flush(
    assumed: str, flush: str, load: str, loads: int, verdict: Verdict
) -> None:
    """A root that an earlier call has flushed counts as cached, or one not flushed as gone."""
    made = _machine(_bodies(_locked(flush), _locked(load)), assumed)
    assert _agree(made, "coverage", Bounds((1, 1), loads, 2, 1)) is verdict


@pytest.mark.slow
@pytest.mark.parametrize("assumed", [ON, OFF])
def test_somebody_elses_flush_of_a_root_in_use(assumed: str) -> None:
    """A root that a vCPU runs on all the time counts as flushed by another call."""
    flush = f"if (READ_ONCE(k->x)) return 0; k->x = 1; {OWN} k->x = 0;"
    made = _machine(_bodies(flush, "to_vmx(vcpu)->own = root;"), assumed)
    assert _agree(made, "coverage", Bounds((1, 1), 1, 1, 2)) is Verdict.REFUTED


HANDLERS = {
    "busy meanwhile": """
        int busy;
        on hypercall(r) { int i; for (i = 0; i < 2; i++) busy = busy + 1; busy = 0; }
        on enter load(v) { assert(busy == 0); }""",
    "seen later": """
        int busy;
        on hypercall(r) { int i; for (i = 0; i < 2; i++) busy = busy + 1; }
        on enter load(v) { assert(busy != 2); }""",
    "nested": """
        int busy;
        on hypercall(r) {
            int i, j;
            for (i = 0; i < 2; i++)
                for (j = 2; j > 0; j--)
                    busy = busy + 1;
            busy = busy - 4;
        }
        on enter load(v) { assert(busy == 0); }""",
}


@pytest.mark.slow
@pytest.mark.parametrize("name", HANDLERS)
def test_a_handler_is_one_with_its_event(name: str) -> None:
    """Somebody steps in amid a loop of a claim's handler, in one engine only."""
    claim = f'claim own "own" {{ {HANDLERS[name]} headline "x"; }}'
    flush = "k->x = 1; ret = hyperv_flush_guest_mapping(0x1000); k->x = 2;"
    made = _machine(_bodies(flush, "i = k->x;"), claim)
    expected = Verdict.REFUTED if name == "seen later" else Verdict.BOUNDED
    assert _agree(made, "own", Bounds((1, 1), 1, 1, 1)) is expected


@pytest.mark.parametrize("engine", ["bounded", "unbounded"])
@pytest.mark.parametrize(
    "handler",
    [
        "on hypercall(r) { while (busy) busy = busy - 1; }",
        "on end() { while (true) busy = 1; assert(true); }",
        "on step() { int i; for (i = 0; i != 3; i = i + 2) busy = i; assert(busy >= 0); }",
    ],
    ids=["reads", "for ever", "jumps over"],
)
def test_a_handler_that_may_not_end(handler: str, engine: str) -> None:
    """A handler that goes on for ever hides all that comes after.

    Guards Lemma L10 of docs/soundness.md.
    """
    claim = f'claim own "own" {{ int busy; {handler} on return flush() {{ assert(true); }} }}'
    made = _machine(_bodies("ret = hyperv_flush_guest_mapping(0x1000);", ""), claim)
    with pytest.raises(InputError) as caught:
        list(decide_claims(made, Question(("own",), Bounds((1, 1), 1, 1, 1), engine=engine)))
    (problem,) = caught.value.diagnostics
    assert problem.CODE == "FP0424"
    assert problem.span is not None
    assert problem.span.file == "own.spec"
