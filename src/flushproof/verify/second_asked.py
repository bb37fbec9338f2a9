"""The proof checker's questions put to z3, and where there is one to a second solver too."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from flushproof.results.second_opinion import Opinion
from flushproof.verify.proof_checker.solve import ask_z3, script_text
from flushproof.verify.proof_checker.terms import ProofObligation, Script

if TYPE_CHECKING:
    from flushproof.engines.second.second_solver import Second


class SecondAsked:
    """Asks z3; what it answers `unsat` the second solver is asked too, with its `opinions`."""

    def __init__(self, second: Second | None) -> None:
        self.second = second
        self.opinions: list[Opinion] = []

    def __call__(self, script: Script, questions: Sequence[ProofObligation]) -> tuple[str, ...]:
        """Return z3's answers."""
        answers = ask_z3(script, questions)
        if self.second is not None:
            from flushproof.engines.second.cvc5_query import SolverAnswer

            relied_on = [q for q, a in zip(questions, answers, strict=True) if a == "unsat"]
            text = script_text(script, relied_on)
            about = "a proof for every number of vCPUs"
            self.opinions.append(self.second.on(text, SolverAnswer.UNSAT, about))
        return answers
