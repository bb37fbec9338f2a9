"""Questions as SMT-LIB 2 text that any solver reads.

The logic is the smallest that has what the question speaks of: solvers that are told more of it
take a fraction of the time.
"""

from __future__ import annotations

import re
from collections.abc import Iterable

import z3

_NOTES = re.compile(r"^(; benchmark .*|\(set-info :status unknown\))\n", re.MULTILINE)

_INDICES = re.compile(r"\|[^|]*\||\(_ [^)]*\)|\(declare-sort [^)]*\)")
_NUMBER = re.compile(r"(?<=[ (\n])[0-9]+(?=[ )\n])")


def smtlib_script(constraints: Iterable[z3.BoolRef], title: str) -> str:
    """Return the question whether constraints can hold together; `title` is one line."""
    solver = z3.Solver()
    solver.add(*constraints)
    body = _NOTES.sub("", str(solver.to_smt2()))
    return f"; {title}\n(set-logic {_logic(body)})\n{body}"


def _logic(body: str) -> str:
    """Name the logic; a word in a quoted name can only make it larger."""
    if re.search(r"\((forall|exists|declare-datatypes?|(u|s)bv_to_int|bv2nat|int2bv)\b", body):
        return "ALL"
    arrays = "A" if "(Array " in body else ""
    vectors = "BV" if "(_ BitVec " in body else ""
    whole = "(_ int_to_bv" in body or "(_ int2bv" in body
    counts = re.search(r"\bInt\b", body) or _NUMBER.search(_INDICES.sub("", body))
    numbers = ("NIA" if "(* " in body else "LIA") if counts else ""
    return "ALL" if whole else f"QF_{arrays}UF{vectors}{numbers}"
