"""z3 asked anew, from the text of a script alone."""

from __future__ import annotations

import z3


class NotAccepted(Exception):  # noqa: N818 - whose error it is, the caller knows
    """The script is not accepted; the text of the exception says why."""


STEPS = 200_000_000
"""z3's own steps for one question, so that nothing hangs; those of a proof take far fewer."""


def answers(script: str) -> tuple[str, ...]:
    """Return z3's answer to each `check-sat` of a script, in a context of its own.

    Raises:
        NotAccepted: z3 does not accept the script.
    """
    context = z3.Context()
    try:
        out = z3.Z3_eval_smtlib2_string(context.ref(), f"(set-option :rlimit {STEPS})\n{script}")
    except z3.Z3Exception as error:
        raise NotAccepted(str(error).strip()) from None
    lines = [line.strip() for line in out.splitlines() if line.strip()]
    for line in lines:
        if line not in ("sat", "unsat", "unknown"):
            raise NotAccepted(line)
    return tuple(lines)


def version() -> str:
    """Return the name and version of the solver."""
    return f"z3 {z3.get_version_string()}"
