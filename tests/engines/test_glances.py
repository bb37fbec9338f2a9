"""A glance at few vCPUs before a proof for all is tried: it saves work and changes no verdict."""

from __future__ import annotations

import pytest

from flushproof.engines.outcome import NoProof
from flushproof.engines.unbounded.prove import Hopeless
from flushproof.frontend.setup import Bounds
from flushproof.frontend.spec.resolve import from_texts
from flushproof.ir.program import Program
from flushproof.machine.build import Machine, build_machine
from flushproof.results.verdict import ClaimResult, Verdict
from flushproof.support.source import Source
from flushproof.verify import claim_checker
from flushproof.verify.portfolio import Question, decide_claims
from flushproof.verify.unbounded_proofs import Evidence, ForAll, LazyPlan
from support.machines import machine_of
from support.places import SPECS


def _decided(made: Machine, claim: str, bounds: Bounds, engine: str = "auto") -> ClaimResult:
    (result,) = decide_claims(made, Question((claim,), bounds, engine=engine))
    return result


@pytest.mark.slow
@pytest.mark.parametrize(
    ("name", "claim", "bounds", "found"),
    [
        ("store_late", "no_repeat", Bounds((1, 1), 2, 2, 1), (3, 1, 1)),
        ("early_return", "no_wasted", Bounds((1, 1), 2, 2, 1), (2, 1, 1)),
    ],
)
def test_a_failure_beyond_the_bounds_refutes_what_is_asked_for_all(
    name: str, claim: str, bounds: Bounds, found: tuple[int, int, int]
) -> None:
    """Whoever asks for every number of vCPUs is told that it holds for few, and not what breaks."""
    question = Question((claim,), bounds, every_number=frozenset((claim,)))
    (result,) = decide_claims(machine_of(name), question)
    assert result.verdict is Verdict.REFUTED
    assert result.trace is not None
    scope = result.scope
    assert (result.smallest_vcpus, scope.loads, scope.flushes) == found
    assert scope.vcpus == (1, found[0])


@pytest.mark.slow
@pytest.mark.parametrize(
    ("name", "claim"), [("store_late", "no_repeat"), ("early_return", "no_wasted")]
)
def test_a_failure_beyond_the_bounds_is_told(name: str, claim: str) -> None:
    """The proof is for the bounds; the reader learns that there is none for more vCPUs."""
    made = machine_of(name)
    result = _decided(made, claim, Bounds((1, 1), 2, 2, 1))
    assert (result.verdict, result.scope.vcpus) == (Verdict.BOUNDED, (1, 1))
    counted = [n for n in (2, 3) if f"it fails with {n} vCPUs" in result.reason]
    assert len(counted) == 1
    beyond = _decided(made, claim, Bounds((1, 3), 1, 1, 1), engine="bounded")
    assert beyond.smallest_vcpus == counted[0]


@pytest.mark.slow
def test_a_failure_beyond_the_bounds_ends_the_search(monkeypatch: pytest.MonkeyPatch) -> None:
    """A proof that there cannot be would be looked for once more, with one flusher."""
    tried: list[bool] = []
    prove = ForAll.prove

    def noted(
        self: ForAll, program: Program, plan: LazyPlan | None, hopeless: Hopeless
    ) -> Evidence | NoProof:
        tried.append(self.many)
        return prove(self, program, plan, hopeless)

    monkeypatch.setattr(ForAll, "prove", noted)
    result = _decided(machine_of("store_late"), "no_repeat", Bounds((1, 1), 2, 2, 1))
    assert "it fails with" in result.reason
    assert tried == [True]


@pytest.mark.slow
def test_a_failure_with_more_flushes_is_told() -> None:
    """Where one vCPU is enough, three flushes may be needed."""
    made = machine_of("rwlock_readers")
    result = _decided(made, "converges", Bounds((1, 1), 2, 2, 1))
    assert (result.verdict, result.scope.vcpus) == (Verdict.BOUNDED, (1, 1))
    assert result.reason.endswith("it fails with 1 vCPU, 2 loads and 3 flushes")
    beyond = _decided(made, "converges", Bounds((1, 1), 2, 3, 1), engine="bounded")
    assert beyond.verdict is Verdict.REFUTED


@pytest.mark.slow
def test_nothing_is_looked_at_beyond_where_a_proof_holds() -> None:
    """A proof for all comes with no such remark."""
    result = _decided(machine_of("store_late"), "no_wasted", Bounds((1, 1), 2, 2, 1))
    assert (result.scope.vcpus, result.reason) == (None, "")


@pytest.mark.slow
@pytest.mark.parametrize("claim", ["no_repeat", "coverage", "no_deadlock"])
def test_without_effort_the_verdict_is_the_same(
    claim: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What a glance does not see is looked at in full."""
    made = machine_of("counter_first")
    bounds = Bounds((1, 3), 1, 1, 1)
    seen = _decided(made, claim, bounds)
    monkeypatch.setattr(claim_checker, "GLANCE", 10**12)
    unseen = _decided(made, claim, bounds)
    assert (unseen.verdict, unseen.scope, unseen.smallest_vcpus) == (
        seen.verdict,
        seen.scope,
        seen.smallest_vcpus,
    )


@pytest.mark.slow
def test_no_more_is_looked_at_than_was_asked_for(monkeypatch: pytest.MonkeyPatch) -> None:
    """A counterexample with a flush is none where there are no flushes."""
    asked: list[Bounds] = []

    def within(_: object, bounds: Bounds, __: int) -> None:
        asked.append(bounds)

    monkeypatch.setattr(claim_checker, "GLANCE", 10**12)
    monkeypatch.setattr(claim_checker, "FEW", 3)
    monkeypatch.setattr(claim_checker.ClaimChecker, "_within", within)
    for bounds in (Bounds((1, 2), 2, 0, 1), Bounds((1, 2), 0, 2, 1), Bounds((1, 2), 2, 2, 1)):
        asked.clear()
        _decided(machine_of("counter_first"), "no_race", bounds)
        inside = [b for b in asked if b.vcpus[1] <= bounds.vcpus[1] and b.flushes <= 1]
        assert all(b.loads <= bounds.loads and b.flushes <= bounds.flushes for b in inside)
    assert inside


def test_what_is_undefined_with_fewer_comes_first() -> None:
    """Nothing is refuted with two vCPUs where one leads to undefined behaviour."""
    text = (SPECS / "vcpu0_first.c").read_text()
    spec = Source("v.spec", (SPECS / "vcpu0_first.spec").read_text())
    plain = build_machine(from_texts(Source("vcpu0_first.c", text), spec))
    assert _decided(plain, "no_repeat", Bounds((1, 2), 1, 1, 1)).verdict is Verdict.REFUTED
    broken = text.replace("int ret = 0", "int zero = 0, ret = 1 / zero - 1", 1)
    assert broken != text
    made = build_machine(from_texts(Source("vcpu0_first.c", broken), spec))
    result = _decided(made, "no_repeat", Bounds((1, 2), 1, 1, 1))
    assert (result.verdict, result.scope.vcpus) == (Verdict.UNKNOWN, (1, 1))
    assert "division by zero" in result.reason
