"""Claims of one's own on `step`: engines say what the enumerator finds.

A handler runs in the thread that made the access and after some accesses only. What it would say of
a state is known where each way into that state says it; not for handlers that look at their own
thread's locks, that take notes, or that speak of what changes without a `step`.
"""

from __future__ import annotations

import pytest

from flushproof.engines.explicit.enumerator import Sizes, enumerate_claim
from flushproof.frontend.setup import Bounds
from flushproof.machine.build import Machine
from flushproof.results.verdict import Verdict
from flushproof.verify.portfolio import Question, decide_claims
from support.machines import machine_from
from support.places import SPECS

CLAIMS = {
    "free_when_seen": "on step() { assert(unlocked()); }",
    "none_held": "on step() { assert(LOCKS == 0); }",
    "alternates": "bool x; on step() { assert(!x); x = true; }",
    "few": "int n; on step() { assert(n < 12); n = n + 1; }",
    "enough": "int n; on step() { assert(n < 40); n = n + 1; }",
    "quiet": "bool h; on hypercall(r) { h = true; } on step() { assert(!h); }",
    "bystander": """
        bool h;
        on hypercall(r) { h = true; }
        on enter load(v) { h = false; }
        on step() { assert(!h || LOCKS != 0 || unlocked()); }""",
    "behind": """
        bool h;
        on return load(v) { h = true; }
        on step() { assert(!h || LOCKS == 0 || CACHE_IN_USE); }""",
}


def _machine(name: str) -> Machine:
    text = (SPECS / f"{name}.spec").read_text()
    own = "".join(f'claim {c} "{c}" {{ {body} headline "x"; }}\n' for c, body in CLAIMS.items())
    spec = f"{text[: text.index('expect {')]} {own} }}\n"
    return machine_from((SPECS / f"{name}.c").read_text(), spec, name)


@pytest.mark.sample(every=7)
@pytest.mark.parametrize("claim", CLAIMS)
@pytest.mark.parametrize("name", ["counter_first", "load_unlocked"])
def test_own_claims_on_steps(name: str, claim: str) -> None:
    """One load and one flush, for one vCPU and for two.

    Guards Lemma L12 of docs/soundness.md.
    """
    made = _machine(name)
    program = made.with_claims((claim,))
    found = any(enumerate_claim(program, Sizes(n, 1, 1), claim).found for n in (1, 2))
    (result,) = decide_claims(made, Question((claim,), Bounds((1, 2), 1, 1, 1)))
    assert result.verdict == (Verdict.REFUTED if found else Verdict.BOUNDED)


def test_both_verdicts_are_met() -> None:
    """The claims are not all of one kind.

    Guards Lemma L12 of docs/soundness.md.
    """
    made = _machine("counter_first")
    question = Question(("enough", "bystander"), Bounds((1, 2), 1, 1, 1))
    assert [r.verdict for r in decide_claims(made, question)] == [Verdict.BOUNDED, Verdict.REFUTED]
