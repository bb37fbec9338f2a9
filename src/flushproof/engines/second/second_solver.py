"""Whether a second solver gives the answers that the first gave.

In: scripts in SMT-LIB 2 with the first solver's answer. Out: an `Opinion`. A script on which the
two disagree is kept in a file.
"""

from __future__ import annotations

import tempfile
from pathlib import Path

from flushproof.engines.second.cvc5_query import (
    ASKED,
    NotAccepted,
    SolverAnswer,
    SolverLimits,
    ask_cvc5,
    cvc5_version,
)
from flushproof.results.second_opinion import Opinion
from flushproof.support.errors import InternalError
from flushproof.support.record import Record, field


class Second(Record, frozen=True):
    """The second solver.

    Raises `InputError` where it is not installed.
    """

    limits: SolverLimits = field(default_factory=SolverLimits)
    solver: str = field(default_factory=cvc5_version)

    def on(self, script: str, first: SolverAnswer, about: str) -> Opinion:
        """Return what it says to a script; `first` is the first solver's answer to each question.

        Raises:
            InternalError: it says something else. The script is kept, and the message says where.
        """
        asked = script.count(f"({ASKED})")
        try:
            reply = ask_cvc5(script, self.limits)
        except NotAccepted as error:
            return Opinion(self.solver, asked, 0, f"it does not accept the question: {error}")
        for number, answer in enumerate(reply.answers, 1):
            if answer not in (first, SolverAnswer.UNKNOWN):
                where = "" if asked == 1 else f" (question {number} of {asked})"
                raise self._disagreement(script, f"z3 answers `{first}`", answer, about + where)
        agreed = sum(a is first for a in reply.answers)
        reason = "" if agreed == asked else reply.reason or "it gives no reason"
        return Opinion(self.solver, asked, agreed, reason)

    def _disagreement(
        self, script: str, z3: str, answer: SolverAnswer, about: str
    ) -> InternalError:
        said = f"{about}: {z3}, {self.solver} answers `{answer}`"
        kept = _write_script(f"; {said}\n{script}")
        return InternalError(f"two solvers disagree about {said}; the question is kept in {kept}")


def _write_script(script: str) -> Path:
    """Write a script to a new file that nothing else uses."""
    with tempfile.NamedTemporaryFile(
        "w", prefix="flushproof-", suffix=".smt2", delete=False, encoding="utf-8"
    ) as file:
        file.write(script)
    return Path(file.name)
