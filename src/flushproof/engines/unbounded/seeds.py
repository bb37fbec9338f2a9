"""Lemmas about one tracked vCPU, carried over to where other ones are tracked.

What a search found about a claim's witness is often true of any vCPU. It is carried over to each
vCPU that is tracked elsewhere, and kept there as far as it is inductive.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass

import z3

from flushproof.engines.symbolic.moves import Site
from flushproof.engines.unbounded.clauses import Control, variables
from flushproof.engines.unbounded.frames import Landmark

Fact = tuple[Control, tuple[z3.BoolRef, ...]]
"""A control, and literals of which one holds there."""

Pairs = list[tuple[z3.ExprRef, z3.ExprRef]]

_LOCAL = re.compile(r"(\d+):(.*)\.\d+:(.*)")
_CELL = re.compile(r"(.*)\[(\d+)\]")


@dataclass(frozen=True, slots=True)
class Found:
    """What is known of a system with these predicates and tracked vCPUs."""

    parameters: Mapping[Control, tuple[z3.ExprRef, ...]]
    tracked: tuple[z3.ArithRef, ...]
    landmark: Callable[[Site | None], Landmark]
    facts: tuple[Fact, ...]


def carried(found: Found, here: Found) -> Iterator[Fact]:
    """Yield facts about at most one tracked vCPU, for each vCPU that is tracked here."""
    if len(found.tracked) > 1:
        return
    facts: dict[tuple[Landmark, ...], list[tuple[z3.BoolRef, ...]]] = {}
    for control, literals in found.facts:
        places = tuple(map(found.landmark, (control.flusher, *control.loads)))
        facts.setdefault(places, []).append(literals)
    for control, parameters in here.parameters.items():
        for k in range(len(here.tracked)):
            names = {n: p for p in parameters if (n := _name(p, k)) is not None}
            own = control.loads[k : k + len(found.tracked)]
            for literals in facts.get(tuple(map(here.landmark, (control.flusher, *own))), ()):
                pairs = _pairs(literals, found.tracked, here.tracked[k], names)
                if pairs is not None:
                    yield control, tuple(z3.substitute(x, *pairs) for x in literals)


def _pairs(
    literals: Sequence[z3.BoolRef],
    before: Sequence[z3.ArithRef],
    after: z3.ArithRef,
    names: Mapping[str, z3.ExprRef],
) -> Pairs | None:
    """Return what stands for each variable; None where one has no counterpart."""
    pairs: Pairs = []
    for v in variables(*literals):
        name = _name(v, 0) or ""
        if any(v.eq(w) for w in before):
            pairs.append((v, after))
        elif name in names and names[name].sort() == v.sort():
            pairs.append((v, names[name]))
        elif not str(v.decl().name()).startswith("page:"):
            return None
    return pairs


def _name(v: z3.ExprRef, k: int) -> str | None:
    """Return a variable's name with tracked vCPU `k` as the only one; None if it is of another."""
    name = str(v.decl().name())
    if local := _LOCAL.fullmatch(name):
        thread, operation, rest = local.groups()
        if thread not in ("0", str(k + 1)):
            return None
        return f"{'flusher' if thread == '0' else 'own'}:{operation}:{rest}"
    if cell := _CELL.fullmatch(name):
        return f"{cell[1]}[own]" if cell[2] == str(k) else None
    return name
