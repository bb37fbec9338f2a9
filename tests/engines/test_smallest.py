"""Counterexamples are small: few context switches and steps, and found although most vCPUs idle."""

from __future__ import annotations

from itertools import pairwise

import pytest
import z3

from flushproof.engines.bounded.engine import Bounded, Settings
from flushproof.engines.bounded.minimise import Minimiser
from flushproof.engines.bounded.query import EFFORT
from flushproof.engines.bounded.threads import Counts
from flushproof.engines.counterexample import Counterexample, size_in_words
from flushproof.engines.smt import terms as t
from flushproof.engines.smt.model_search import ModelSearch
from flushproof.features.mutation.mutant_checker import replay_counterexample
from flushproof.frontend.setup import Bounds
from flushproof.machine.build import Machine
from flushproof.results.verdict import Verdict
from flushproof.support.record import replace
from flushproof.verify.portfolio import Question, decide_claims
from support.machines import machine_from

TALK = """\
struct kvm_vmx { struct kvm kvm; int word; };
struct vcpu_vmx { struct kvm_vcpu vcpu; int own; };

int hv_remote_flush_tlb_with_range(struct kvm *kvm, struct kvm_tlb_range *range)
{
	struct kvm_vmx *vmx = to_kvm_vmx(kvm);

	WRITE_ONCE(vmx->word, READ_ONCE(vmx->word) + 1);
	WRITE_ONCE(vmx->word, READ_ONCE(vmx->word) + 1);
	if (READ_ONCE(vmx->word) == 3)
		hyperv_flush_guest_mapping(0);
	return 0;
}

void vmx_load_mmu_pgd(struct kvm_vcpu *vcpu, unsigned long root, int level)
{
	if (READ_ONCE(to_kvm_vmx(vcpu->kvm)->word) == 1)
		WRITE_ONCE(to_kvm_vmx(vcpu->kvm)->word, 2);
}
"""
"""The root 0 is flushed only where a load comes between the two increments."""


def _machine() -> Machine:
    return machine_from(TALK)


def _found(machine: Machine, claim: str, counts: Counts) -> Counterexample:
    found = Bounded(machine.with_claims((claim,)), counts).claim(claim, counts.vcpus)
    assert isinstance(found, Counterexample)
    return found


def test_threads_take_turns_as_seldom_as_can_be() -> None:
    """A reader follows every switch; here one thread acts in between and the other goes on."""
    found = _found(_machine(), "no_bogus", Counts(1, 2, 2, 1))
    order = found.schedule.order
    assert sum(a != b for a, b in pairwise(order)) == 2
    assert order[0] == order[-1]


def test_few_calls_alone() -> None:
    """A mutant's kill would be taken for larger than it is, or one not made small for the least."""
    counts = Counts(1, 2, 2, 1)
    program = _machine().with_claims(("no_bogus",))
    found = Bounded(program, counts, Settings(calls_only=True)).claim("no_bogus", 1)
    assert isinstance(found, Counterexample)
    assert found.calls == _found(_machine(), "no_bogus", counts).calls == 2
    assert not found.least
    replay_counterexample(program, found)


@pytest.mark.slow
def test_nothing_happens_that_is_not_needed() -> None:
    """Steps after the failure, or of a call that takes no part, would only distract."""
    found = _found(_machine(), "no_bogus", Counts(2, 2, 2, 1))
    assert found.calls == 2
    assert found.least
    assert [len(plan.calls) for plan in found.schedule.plans] == [1, 0, 1]


def test_few_of_many_vcpus_are_enough() -> None:
    """A search among all the schedules of many vCPUs at once would go on for minutes."""
    bounds = Bounds((8, 8), 2, 2, 1)
    result = next(decide_claims(_machine(), Question(("no_bogus",), bounds)))
    assert result.verdict is Verdict.REFUTED
    assert result.smallest_vcpus == 8
    assert result.trace is not None
    assert result.trace.smallest.endswith("fewer were not ruled out")


def test_fewer_vcpus_than_were_asked_for() -> None:
    """That there is none with fewer vCPUs is told where nobody has looked.

    Guards Lemma L29 of docs/soundness.md.
    """
    smallest = []
    for low in (1, 2):
        (result,) = decide_claims(_machine(), Question(("no_bogus",), Bounds((low, 2), 1, 1, 1)))
        assert result.trace is not None
        smallest.append(result.trace.smallest)
    assert smallest[0].endswith("none with fewer")
    assert smallest[1].endswith("; none with fewer, but fewer than 2 vCPUs were not looked at")


def test_many_vcpus_without_a_counterexample() -> None:
    """That those who load first do no harm must not pass for a proof."""
    late = TALK.replace("== 1)", "== 1 && vcpu->vcpu_id == 5)")
    assert late != TALK
    machine = machine_from(late)
    bounds = Bounds((6, 6), 1, 1, 1)
    result = next(decide_claims(machine, Question(("no_bogus",), bounds)))
    assert result.verdict is Verdict.REFUTED
    assert result.smallest_vcpus == 6


def test_a_counterexample_is_shown_when_the_budget_is_spent() -> None:
    """What was found would be lost, or called the smallest, where making it small takes long."""
    p = Bounded(_machine().with_claims(("no_bogus",)), Counts(2, 2, 2, 1)).problem(2)
    goal = t.z3_bool(t.or_(*(f.condition for f in p.failures("no_bogus"))))
    asked = (*p.constraints, goal)
    model = ModelSearch(asked).find_model(EFFORT)
    assert isinstance(model, z3.ModelRef)
    small = Minimiser(p, asked, model, 1)
    assert small.run() >= 2
    assert not small.least


def test_how_far_a_counterexample_was_made_small() -> None:
    """A reader would take for the smallest one what is only the smallest that was looked for."""
    found = _found(_machine(), "no_bogus", Counts(1, 1, 1, 1))
    assert found.least
    assert found.spent == 0
    cut = replace(found, least=False, spent=2000)
    said = size_in_words(cut, 1, least=False)
    assert said.endswith("; made small as far as 2,000 solver steps went")
