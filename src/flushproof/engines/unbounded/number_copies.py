"""Which variables are given the number of vCPUs, or that of one: `n = atomic_read(..)`, `n - 1`.

Code reads the number once and walks up to what it read. That the copy is the number is asked
nowhere in it, so the atom is made here, for each place at which the copy is kept.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping

import z3

from flushproof.engines.unbounded.horn_clauses import System, Variable, name_variable
from flushproof.engines.unbounded.linear_terms import collect_summands, list_choices

FARTHEST = 1
"""How far a copy may be from what it was made of: `n - 1` is where a walk downwards begins."""

Offset = tuple[z3.ArithRef, int]
"""What a variable is at the most so far from: a number that never changes, and the distance."""

Copies = Mapping[Variable | int, tuple[Offset, ...]]

_Found = Mapping[Variable | int, Mapping[tuple[int, int], Offset]]


def collect_copies(system: System) -> Copies:
    """Return the counters that some step gives a number that never changes, and how far off."""
    found: dict[Variable | int, dict[tuple[int, int], Offset]] = {}
    grown = True
    while grown:
        grown = False
        for variable, term in list(_list_given(system)):
            offsets = found.setdefault(variable, {})
            for index, distance in list(_list_offsets(system, variable, term, found)):
                key = (index.get_id(), distance)
                grown = grown or key not in offsets
                offsets.setdefault(key, (index, distance))
    return {variable: tuple(offsets.values()) for variable, offsets in found.items()}


def _list_given(system: System) -> Iterator[tuple[Variable | int, z3.ArithRef]]:
    """Yield the counters that a step changes, with what it may give them."""
    for clause in system.clauses:
        if clause.head is None:
            continue
        parameters = system.parameters[clause.head.control]
        for p, given in zip(parameters, clause.head.arguments, strict=True):
            if p.get_id() in system.counters and z3.is_int(p):
                for x in list_choices(given):
                    assert isinstance(x, z3.ArithRef)
                    yield name_variable(system, p), x


def _list_offsets(
    system: System, variable: Variable | int, term: z3.ArithRef, found: _Found
) -> Iterator[Offset]:
    """Yield what a sum is a distance from, if it is another variable and a number."""
    summands: dict[int, tuple[z3.ArithRef, int]] = {}
    distance = collect_summands(term, 1, summands)
    if [factor for _, factor in summands.values()] != [1]:
        return
    ((x, _),) = summands.values()
    source = name_variable(system, x)
    if x.get_id() in system.indices:
        sources: tuple[Offset, ...] = ((x, 0),)
    elif source != variable:
        sources = tuple(found.get(source, {}).values())
    else:
        return
    for index, before in sources:
        if abs(before + distance) <= FARTHEST:
            yield index, before + distance
