"""What a claim is answered does not depend on what the process asked before it."""

from __future__ import annotations

import random

import pytest
import z3

from flushproof.engines.smt.term_space import TermSpace, fresh_terms
from flushproof.results.verdict import ClaimResult
from flushproof.verify.portfolio import Question, decide_claims
from flushproof.verify.proof_checker.solve import OPTIONS, ask_z3
from flushproof.verify.proof_checker.terms import ProofObligation, Script
from flushproof.verify.unbounded_proofs import Evidence, ForAll
from support.machines import machine_of


def _answer(variant: str, claim: str) -> ClaimResult:
    made = machine_of(variant)
    asked = Question((claim,), made.setup.bounds, engine="auto", evidence=True)
    return next(decide_claims(made, asked))


def _make_terms(seed: int) -> list[z3.ArithRef]:
    """Make terms, and leave holes between them that later ones fill."""
    drawn = random.Random(seed)
    made = [z3.Int(f"x{drawn.randrange(500)}") + k for k in range(drawn.randrange(500, 2000))]
    del made[:: drawn.randrange(2, 5)]
    return made


@pytest.mark.sample("no_race")
@pytest.mark.parametrize(
    ("variant", "claim"),
    [("vcpu0_first", "no_race"), ("load_unlocked", "range_kept")],
)
def test_the_invariant_does_not_depend_on_terms_made_before(variant: str, claim: str) -> None:
    """Nor on questions asked before: the first answer comes from a process that asked none."""
    first = _answer(variant, claim)
    kept = _make_terms(1)
    second = _answer(variant, claim)
    assert kept
    assert first.proof is not None
    assert (first.verdict, first.proof) == (second.verdict, second.proof)


@pytest.mark.slow
def test_a_search_does_not_depend_on_terms_of_the_same_claim() -> None:
    """Else a change of the bounded engine may double the time of a proof, or lose it."""
    made, claim = machine_of("vcpu0_first"), "range_kept"
    program = made.with_claims((claim,))
    with fresh_terms():
        first = ForAll(made, evidence=True).prove_claim(claim, program)
    with fresh_terms():
        kept = _make_terms(2)
        second = ForAll(made, evidence=True).prove_claim(claim, program)
    assert kept
    assert isinstance(first, Evidence)
    assert first == second


def test_a_space_that_is_entered_again_has_its_terms() -> None:
    """Spaces may be nested, and none of them sees the terms of another."""
    space = TermSpace()
    with space.entered():
        x = z3.Int("x")
    with fresh_terms():
        assert z3.Int("x").ctx != x.ctx
        with space.entered():
            assert z3.Int("x").eq(x)
    assert z3.Int("x").ctx != x.ctx


def test_the_checker_leaves_the_options_of_others_alone() -> None:
    """What it sets is the whole process's; a search under other options finds something else."""
    before = {name: z3.get_param(name) for name in OPTIONS}
    script = Script()
    assert ask_z3(script, (ProofObligation("rule", "text", "false"),)) == ("unsat",)
    assert {name: z3.get_param(name) for name in OPTIONS} == before
