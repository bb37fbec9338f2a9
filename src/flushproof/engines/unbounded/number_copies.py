"""Which variables are given the number of vCPUs, or that of one: `n = atomic_read(..)`, `n - 1`.

Code reads the number once and walks up to what it read. That the copy is the number is asked
nowhere in it, so the atom is made here, for each place at which the copy is kept.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping

import z3

from flushproof.engines.unbounded.horn_clauses import Clause, System, Variable, name_variable
from flushproof.engines.unbounded.linear_terms import collect_summands, list_choices

FARTHEST = 1
"""How far a copy may be from what it was made of: `n - 1` is where a walk downwards begins."""

Offset = tuple[z3.ArithRef, int]
"""What a variable is at the most so far from: a number that never changes, and the distance."""

Copies = Mapping[Variable | int, tuple[Offset, ...]]


def collect_copies(system: System) -> Copies:
    """Return the counters that some step gives a number that never changes, and how far off."""
    found: dict[Variable | int, dict[tuple[int, int], Offset]] = {}
    clauses = [c for c in system.clauses if c.head is not None]
    grown = True
    while grown:
        grown = False
        for clause in clauses:
            for variable, (index, distance) in _list_given(system, clause, found):
                offsets = found.setdefault(variable, {})
                key = (index.get_id(), distance)
                grown = grown or key not in offsets
                offsets.setdefault(key, (index, distance))
    return {variable: tuple(offsets.values()) for variable, offsets in found.items()}


def _list_given(
    system: System, clause: Clause, found: Mapping[Variable | int, Mapping[tuple[int, int], Offset]]
) -> Iterator[tuple[Variable | int, Offset]]:
    """Yield what a step gives to counters: an index, or another copy of one, moved a little."""
    assert clause.head is not None
    parameters = system.parameters[clause.head.control]
    for p, given in zip(parameters, clause.head.arguments, strict=True):
        if not z3.is_int(p) or p.get_id() not in system.counters or p.eq(given):
            continue
        variable = name_variable(system, p)
        for x in list_choices(given):
            yield from ((variable, offset) for offset in _list_offsets(system, x, found))


def _list_offsets(
    system: System,
    term: z3.ExprRef,
    found: Mapping[Variable | int, Mapping[tuple[int, int], Offset]],
) -> Iterator[Offset]:
    """Yield what a sum is a distance from, if it is one variable and a number."""
    summands: dict[int, tuple[z3.ArithRef, int]] = {}
    assert isinstance(term, z3.ArithRef)
    distance = collect_summands(term, 1, summands)
    if [factor for _, factor in summands.values()] != [1]:
        return
    ((x, _),) = summands.values()
    sources = (
        [(x, 0)]
        if x.get_id() in system.indices
        else found.get(name_variable(system, x), {}).values()
    )
    for index, before in sources:
        if abs(before + distance) <= FARTHEST:
            yield index, before + distance
