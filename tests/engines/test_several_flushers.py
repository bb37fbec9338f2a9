"""What holds with one flusher at a time is not said of several, and what does is proved of any.

Guards Lemma L17, Lemma L32 of docs/soundness.md.
"""

from __future__ import annotations

from pathlib import Path

import pytest

from flushproof.engines.explicit.enumerator import Sizes, enumerate_claim
from flushproof.engines.outcome import NoProof
from flushproof.frontend.setup import Bounds
from flushproof.results.verdict import ClaimResult, Verdict
from flushproof.verify.options import Options
from flushproof.verify.portfolio import Question, decide_claims
from flushproof.verify.set_up import choose_bounds
from flushproof.verify.unbounded_proofs import ForAll
from support.machines import machine_from
from support.random_variants import sample, write

CODE = """\
struct kvm_vmx { struct kvm kvm; int busy; };
struct vcpu_vmx { struct kvm_vcpu vcpu; u64 hv_tlb_pgd; };
int flush(struct kvm *kvm, struct kvm_tlb_range *range)
{
	struct kvm_vmx *k = to_kvm_vmx(kvm);

	if (READ_ONCE(k->busy))
		return 1;
	WRITE_ONCE(k->busy, 1);
	WRITE_ONCE(k->busy, 0);
	return 0;
}
void load(struct kvm_vcpu *vcpu, unsigned long root)
{
	to_vmx(vcpu)->hv_tlb_pgd = root;
}
"""

SPEC = """\
spec several {
	variant "code.c";
	operations { flush flush(kvm, range); load load(vcpu, root); }
	bounds { vcpus 1..2; loads 1; flushes 1; flushers 1; }
	assume load_flushes;
	claim alone "no flush finds another one under way" {
		on return flush(ret) { assert(ret == 0); }
		headline "it fails";
		because "it";
	}
	claim small "a flush returns 0 or 1" {
		on return flush(ret) { assert(ret == 0 || ret == 1); }
		headline "it fails";
		because "it";
	}
}
"""


STEPS = 60_000_000
"""What is not found quickly is not asked for here: it is proofs that are put to the test."""
STATES = 20_000
"""So many states are looked at with each number of threads."""

SAMPLED = "coverage", "cache_sound", "no_repeat", "no_wasted", "failure_kept", "range_kept"


def _answer(claim: str, bounds: Bounds, engine: str) -> ClaimResult:
    machine = machine_from(CODE, SPEC)
    (result,) = decide_claims(machine, Question((claim,), bounds, engine=engine))
    return result


def _bounds(flushers: int, *, one_at_a_time: bool = False) -> Bounds:
    return Bounds((1, 2), 1, 1, flushers, one_at_a_time)


@pytest.mark.parametrize("engine", ["auto", "bounded", "enumerate"])
def test_one_flusher_does_not_speak_for_two(engine: str) -> None:
    """A flush that is never disturbed in the proof is disturbed in the kernel.

    Guards Lemma L17 of docs/soundness.md.
    """
    alone = _answer("alone", _bounds(1), engine)
    assert alone.verdict.holds
    assert alone.scope.flushers == 1
    assert _answer("alone", _bounds(2), engine).verdict is Verdict.REFUTED


def test_what_holds_with_any_number_is_proved() -> None:
    """Whatever number the bounds have, a proof is about any.

    Guards Lemma L32 of docs/soundness.md.
    """
    for flushers in (1, 2, 3):
        small = _answer("small", _bounds(flushers), "auto")
        assert (small.verdict, small.scope.flushers) == (Verdict.PROVED, None)
    assert _answer("alone", _bounds(2), "unbounded").verdict is Verdict.UNKNOWN


def test_a_spec_may_mean_one_at_a_time() -> None:
    """Then nothing is said of more, even if it could be.

    Guards Lemma L17 of docs/soundness.md.
    """
    machine = machine_from(CODE, SPEC)
    assert machine.setup.bounds.one_at_a_time
    small = _answer("small", machine.setup.bounds, "auto")
    assert (small.verdict, small.scope.flushers) == (Verdict.PROVED, 1)
    assert choose_bounds(machine.setup, Options(loads=2)).one_at_a_time
    for other in ("", "flushers any;", "flushers 2;"):
        said = machine_from(CODE, SPEC.replace("flushers 1;", other))
        assert not said.setup.bounds.one_at_a_time


def test_flushers_keep_each_other_out() -> None:
    """What a lock keeps apart is so for flushers, too: a proof that needs to know which has it."""
    under_lock = CODE.replace("int busy;", "int busy; spinlock_t l;")
    under_lock = under_lock.replace("\tif (READ_ONCE", "\tspin_lock(&k->l);\n\tif (READ_ONCE")
    under_lock = under_lock.replace("\treturn 0;", "\tspin_unlock(&k->l);\n\treturn 0;")
    under_lock = under_lock.replace("\t\treturn 1;", "\t{ spin_unlock(&k->l); return 1; }")
    machine = machine_from(under_lock, SPEC)
    asked = Question(("alone",), _bounds(2), engine="auto")
    (result,) = decide_claims(machine, asked)
    assert (result.verdict, result.scope.flushers) == (Verdict.PROVED, None)


@pytest.mark.sample("range(8, 10)")
@pytest.mark.parametrize("seeds", [range(8, 10), range(2, 6), range(10, 16)], ids=str)
def test_no_proof_of_what_two_or_three_flushers_break(seeds: range, tmp_path: Path) -> None:
    """The enumerator knows nothing of the argument that a proof rests on.

    Guards Lemma L32 of docs/soundness.md.
    """
    proved = [seed for seed in seeds if _is_proved(seed, tmp_path)]
    assert proved


def _is_proved(seed: int, folder: Path) -> bool:
    """Tell whether a claim of a random variant is proved; if so, few flushers do not break it."""
    machine = write(sample(seed), folder)
    stated = [c for c in SAMPLED if machine.statable(c)]
    claim = stated[seed % len(stated)]
    forall = ForAll(machine, evidence=False, steps=STEPS, many=True)
    program = machine.with_claims((claim,), named_callers=True)
    if isinstance(forall.prove(program), NoProof):
        return False
    plain = machine.with_claims((claim,))
    for size in (Sizes(1, 1, 1, 2), Sizes(2, 1, 1, 2), Sizes(1, 1, 1, 3)):
        assert enumerate_claim(plain, size, claim, STATES).found is None, (seed, claim, size)
    return True
