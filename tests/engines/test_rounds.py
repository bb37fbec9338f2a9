"""`--rounds`: with fewer than cover every interleaving, and with exactly as many."""

from __future__ import annotations

import pytest

from flushproof.engines.bounded.engine import Bounded, Settings
from flushproof.engines.bounded.threads import Counts
from flushproof.frontend.setup import Bounds
from flushproof.machine.build import Machine
from flushproof.results.verdict import ClaimResult, Verdict
from flushproof.verify.conclusion import EVERY
from flushproof.verify.portfolio import Question, decide_claims
from support.machines import machine_from

BOUNDS = Bounds((1, 2), 1, 1, 1)
CODE = """\
struct kvm_vmx {{ struct kvm kvm; hpa_t hv_tlb_pgd; int first, second; }};
struct vcpu_vmx {{ struct kvm_vcpu vcpu; hpa_t hv_tlb_pgd; }};

int hv_remote_flush_tlb_with_range(struct kvm *kvm, struct kvm_tlb_range *range)
{{
	struct kvm_vmx *vmx = to_kvm_vmx(kvm);

	{flush}
	return hyperv_flush_guest_mapping(vmx->hv_tlb_pgd);
}}

void vmx_load_mmu_pgd(struct kvm_vcpu *vcpu, unsigned long root, int level)
{{
	struct kvm_vmx *vmx = to_kvm_vmx(vcpu->kvm);

	{load}
}}
"""
PING = "vmx->first = 1; if (!READ_ONCE(vmx->second)) return 0;"
PONG = "vmx->hv_tlb_pgd = root; if (READ_ONCE(vmx->first)) vmx->second = 1;"
SHOUT = "vmx->second = 1; if (READ_ONCE(vmx->first) != 2) return 0;"
COUNT = "vmx->hv_tlb_pgd = root; if (READ_ONCE(vmx->second)) vmx->first = vmx->first + 1;"
VARIANTS = {"one vCPU answers": (PING, PONG), "two vCPUs count": (SHOUT, COUNT)}
"""Either flushes a root only after the threads have talked to each other."""

NO_ROOT = """
spec x {{
	variant "{name}.c";
	operations {{
		flush hv_remote_flush_tlb_with_range(kvm, range);
		load vmx_load_mmu_pgd(vcpu, root, free);
	}}
	claim never "no root is flushed" {{ on hypercall(r) {{ assert(r == 0); }} }}
}}
"""


def _machine(flush: str, load: str) -> Machine:
    return machine_from(CODE.format(flush=flush, load=load), NO_ROOT.format(name="v"))


def _result(machine: Machine, rounds: int | None) -> ClaimResult:
    return next(decide_claims(machine, Question(("never",), BOUNDS, rounds=rounds)))


def _needed(machine: Machine, vcpus: int) -> int:
    program = machine.with_claims(("never",))
    engine = Bounded(program, Counts(2, 1, 1, 1), Settings())
    turns = engine.problem(vcpus).turns
    assert turns.enough
    return turns.needed


@pytest.mark.parametrize("name", list(VARIANTS))
def test_a_lower_number_says_so(name: str) -> None:
    """A proof over some interleavings that passes for one over all is the worst of defects.

    Guards Lemma L15 of docs/soundness.md.
    """
    machine = _machine(*VARIANTS[name])
    whole = _result(machine, None)
    assert whole.verdict is Verdict.REFUTED
    assert whole.scope.interleavings == EVERY
    few = _result(machine, 1)
    assert few.verdict is Verdict.BOUNDED
    assert few.scope.interleavings == "up to 1 round, not every interleaving"
    assert few.scope.rounds == 1
    assert few.scope.vcpus == (1, 2)


@pytest.mark.sample(every=2)
@pytest.mark.parametrize("name", list(VARIANTS))
def test_enough_is_every_interleaving(name: str) -> None:
    """From the number that covers everything on, the verdict is that of the search for all.

    Guards Lemma L15 of docs/soundness.md.
    """
    machine = _machine(*VARIANTS[name])
    whole = _result(machine, None)
    n = whole.smallest_vcpus
    assert n is not None
    needed = max(_needed(machine, k) for k in range(1, n + 1))
    for rounds in (needed, needed + 1, 1000):
        given = _result(machine, rounds)
        assert given.scope == whole.scope
        assert (given.verdict, given.smallest_vcpus) == (whole.verdict, n)
        assert given.trace is not None
        assert given.trace.smallest.endswith("none with fewer")
    less = _result(machine, needed - 1)
    assert less.scope.rounds == needed - 1
    if less.trace is not None:
        assert less.trace.smallest.endswith("fewer were not ruled out")


def test_one_claim_does_not_speak_for_another() -> None:
    """What another claim was asked about with more vCPUs is none of this one's scope."""
    machine = _machine(*VARIANTS["two vCPUs count"])
    question = Question(("range_kept", "never"), Bounds((1, 3), 1, 1, 1), rounds=_most(machine))
    proved, refuted = decide_claims(machine, question)
    assert proved.verdict is Verdict.BOUNDED
    assert proved.scope.rounds is not None
    assert refuted.verdict is Verdict.REFUTED
    assert refuted.scope.rounds is None


def _most(machine: Machine) -> int:
    """Return a number of rounds that is enough for two vCPUs and not for three."""
    program = machine.with_claims(("never",))
    engine = Bounded(program, Counts(3, 1, 1, 1), Settings())
    two, three = (engine.problem(n).turns.needed for n in (2, 3))
    assert two < three
    return two
