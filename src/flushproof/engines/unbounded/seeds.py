"""Lemmas about one tracked vCPU, carried over to where another one is tracked as well.

What a search found about the claim's witness is often true of any vCPU. It is carried over to the
witness and to the generic vCPU, and kept there as far as it is inductive.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import z3

from flushproof.engines.unbounded.clauses import Control, System, variables

Fact = tuple[Control, tuple[z3.BoolRef, ...]]
"""A control, and literals of which one holds there."""


@dataclass(frozen=True, slots=True)
class Found:
    """What a search learned about a system, whether it came to an end or not."""

    system: System
    tracked: tuple[z3.ArithRef, ...]
    facts: tuple[Fact, ...]


def carried(found: Found, system: System, tracked: Sequence[z3.ArithRef]) -> Iterator[Fact]:
    """Yield facts about at most one tracked vCPU, for each vCPU that is tracked in a system."""
    for control, parameters in system.parameters.items():
        names = {str(p.decl().name()): p for p in parameters}
        for k in range(len(tracked)):
            for start, literals in found.facts:
                if (start.flusher, *start.loads) == (control.flusher, *_own(start, control, k)):
                    pairs = [
                        _pair(v, names, found.tracked, tracked, k) for v in variables(*literals)
                    ]
                    known = [p for p in pairs if p is not None]
                    if len(known) == len(pairs):
                        yield control, tuple(z3.substitute(x, *known) for x in literals)


def _own(start: Control, control: Control, k: int) -> tuple[object, ...]:
    return control.loads[k : k + len(start.loads)]


def _pair(
    v: z3.ExprRef,
    names: dict[str, z3.ExprRef],
    before: Sequence[z3.ArithRef],
    after: Sequence[z3.ArithRef],
    k: int,
) -> tuple[z3.ExprRef, z3.ExprRef] | None:
    """Return what stands for a variable when vCPU `k` takes the place of the first."""
    name = str(v.decl().name())
    if any(v.eq(w) for w in before):
        return v, after[k]
    if name.startswith("1:"):
        name = f"{k + 1}:{name[2:]}"
    elif "[0]" in name:
        name = name.replace("[0]", f"[{k}]")
    elif name.startswith("page:"):
        return v, v
    return (v, names[name]) if name in names else None
