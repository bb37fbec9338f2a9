"""z3 asked anew, from the text of a script alone."""

from __future__ import annotations

import re

import z3

from flushproof.engines.second.cvc5_query import NotAccepted

_STATUS = re.compile(r"^\(set-info :status unsat\)$", re.MULTILINE)
"""What answer is expected, which z3 takes for a reason to complain. Only whole lines are left out:
what stands in a name is no command."""

STEPS = 200_000_000
"""z3's own steps for one question, so that nothing hangs; those of a proof take far fewer."""


def recheck_answers(script: str) -> tuple[str, ...]:
    """Return z3's answer to each `check-sat` of a script, in a context of its own.

    Raises:
        NotAccepted: z3 does not accept the script.
    """
    context = z3.Context()
    try:
        asked = f"(set-option :rlimit {STEPS})\n{_STATUS.sub('', script)}"
        out = z3.Z3_eval_smtlib2_string(context.ref(), asked)
    except z3.Z3Exception as error:
        raise NotAccepted(_first_error(str(error))) from None
    lines = [line.strip() for line in out.splitlines() if line.strip()]
    if not all(line in ("sat", "unsat", "unknown") for line in lines):
        raise NotAccepted(_first_error(out))
    return tuple(lines)


def _first_error(text: str) -> str:
    """Return the first error in what z3 says."""
    found = re.search(r'\(error "(.*?)"\)', text)
    return found[1] if found else text.strip()[:200]


def recheck_solver_version() -> str:
    """Return the name and version of the solver."""
    return f"z3 {z3.get_version_string()}"
