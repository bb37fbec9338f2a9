"""Atoms about walks over vCPUs by number: what was read once, and what is counted on a way down.

Code reads the number of vCPUs once, `n = atomic_read(..)`, and walks up to `n` or down from
`n - 1`. That `n` is the number is asked nowhere in it. What counts vCPUs on a way down is no more
than those that were passed: `i + count` is bounded, and neither of the two tells it alone.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from collections.abc import Set as AbstractSet
from itertools import combinations, product

import z3

from flushproof.engines.unbounded.horn_clauses import Control, System, Variable, name_variable
from flushproof.engines.unbounded.linear_terms import collect_summands, list_choices

FARTHEST = 1
"""How far a copy may be from what it was made of: `n - 1` is where a walk downwards begins."""

Name = Variable | int

Offset = tuple[z3.ArithRef, int]
"""A number that never changes, and how far from it a variable was set."""

Given = tuple[Name, z3.ArithRef, int]
"""What a step gives a variable: itself, another or what never changes, and how far off."""


def list_number_atoms(
    system: System, walking: AbstractSet[Name]
) -> Iterator[tuple[Control, z3.BoolRef]]:
    """Yield the atoms of each control about what walks over vCPUs, and what counts them."""
    steps = list(_list_given(system))
    given = [x for step in steps for x in step]
    apart = _collect_distances(steps)
    copies = _collect_copies(system, given)
    rising, falling = (
        {v for v, x, distance in given if name_variable(system, x) == v and way * distance > 0}
        for way in (1, -1)
    )
    for control, parameters in system.parameters.items():
        numbers = [p for p in parameters if z3.is_int(p)]
        named = [(p, name_variable(system, p)) for p in numbers]
        for n, name in named:
            yield from ((control, n == index + d) for index, d in copies.get(name, ()))
        for (n, a), (m, b) in combinations(named, 2):
            yield from ((control, n == m + d) for d in apart.get((a, b), ()))
        down = [n for n, name in named if name in falling & walking]
        counting = [n for n, name in named if name in rising]
        for n, c, size in product(down, counting, system.sizes):
            yield control, n + c <= size
            yield control, n + c <= size - 1


def _list_given(system: System) -> Iterator[list[Given]]:
    """Yield for each step what it gives to counters, where it is one variable and a number."""
    for clause in system.clauses:
        if clause.head is not None:
            parameters = system.parameters[clause.head.control]
            pairs = zip(parameters, clause.head.arguments, strict=True)
            yield [
                (name_variable(system, p), *found)
                for p, argument in pairs
                if p.get_id() in system.counters and z3.is_int(p)
                for found in _split_choices(argument)
            ]


def _split_choices(term: z3.ExprRef) -> Iterator[Offset]:
    """Yield what a choice may be: a variable and a number."""
    for x in list_choices(term):
        summands: dict[int, tuple[z3.ArithRef, int]] = {}
        distance = collect_summands(x, 1, summands)
        if [factor for _, factor in summands.values()] == [1]:
            ((source, _),) = summands.values()
            yield source, distance


def _collect_distances(steps: Iterable[list[Given]]) -> Mapping[tuple[Name, Name], set[int]]:
    """Return how far apart a step makes two variables, as the parameter of a helper and what it is.

    They are made of one, which the step may move as well: so in `while (i--)`.
    """
    found: dict[tuple[Name, Name], set[int]] = {}
    for step in steps:
        for (a, x, far), (b, y, near) in combinations(step, 2):
            if a != b and x.eq(y) and abs(far - near) <= FARTHEST:
                found.setdefault((a, b), set()).add(far - near)
    return found


def _collect_copies(system: System, given: list[Given]) -> Mapping[Name, tuple[Offset, ...]]:
    """Return the counters that are set to a number that never changes, also by way of others."""
    found: dict[Name, dict[tuple[int, int], Offset]] = {}
    grown = True
    while grown:
        grown = False
        for variable, source, distance in given:
            sources: tuple[Offset, ...] = ((source, 0),)
            if source.get_id() not in system.indices:
                name = name_variable(system, source)
                # What is moved by itself walks, and is no copy for long.
                sources = () if name == variable else tuple(found.get(name, {}).values())
            for index, before in sources:
                offset = (index, before + distance)
                key = (index.get_id(), before + distance)
                if abs(before + distance) <= FARTHEST and key not in found.get(variable, {}):
                    found.setdefault(variable, {})[key] = offset
                    grown = True
    return {variable: tuple(offsets.values()) for variable, offsets in found.items()}
