"""Why a search found no invariant: a state that fails and that nothing which is tried excludes.

That state may be one that no run comes to. Then a relation is missing among the atoms, and an
`invariant` line can name it. The text is for the reader only.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from itertools import islice
from string import ascii_uppercase

import z3

from flushproof.engines.unbounded.control_locations import Frames
from flushproof.engines.unbounded.horn_clauses import Control, System
from flushproof.engines.unbounded.one_step_query import DecisiveValues
from flushproof.engines.unbounded.state_space import Space, flatten_value
from flushproof.engines.unbounded.variable_names import VariableNames
from flushproof.ir.types import LockWord

MOST = 8
"""So many values are told; more would be no help."""


def describe_unexcluded(
    space: Space, frames: Frames, system: System, chain: Iterable[DecisiveValues]
) -> str:
    """Return in C's terms what is not excluded: where it fails, and what comes before that call.

    `chain` are states, the last one first. Empty where nothing of them matters.
    """
    names = VariableNames(space, frames, system)
    states = iter(chain)
    last = tuple(islice(states, 1))
    before = islice((x for x in states if _is_between_calls(x.control)), 1)
    texts = (_state(space, names, x) for x in (*last, *before))
    return ", after ".join(x for x in texts if x)


def _is_between_calls(control: Control) -> bool:
    return control.flusher is None and not any(control.loads) and control.bystander is None


def _state(space: Space, names: VariableNames, found: DecisiveValues) -> str:
    shown = list(_values(space, names, found))
    more = ", and more" if len(shown) > MOST else ""
    place = _when(names.place(found.control))
    return f"{', '.join(shown[:MOST])}{more} {place}" if shown else ""


def _when(place: str) -> str:
    return place if place == "between calls" else f"while {place}"


def _values(space: Space, names: VariableNames, found: DecisiveValues) -> Iterator[str]:
    hidden = {x.get_id() for x in (*_told_by_place(space), *space.rigid) if z3.is_int(x)}
    letters: dict[int, str] = {}
    yield from _vcpus(space, names, found, hidden)
    for parameter, value in found.values:
        if parameter.get_id() not in hidden:
            yield f"`{_equation(names, parameter, value, letters)}`"


def _vcpus(
    space: Space, names: VariableNames, found: DecisiveValues, hidden: set[int]
) -> Iterator[str]:
    """Yield which vCPUs are one, and their numbers where other numbers are told."""
    values = {parameter.get_id(): value for parameter, value in found.values}
    tracked = [(x, values[x.get_id()]) for x in space.tracked if x.get_id() in values]
    counted = any(z3.is_int(x) and x.get_id() not in hidden for x, _ in found.values)
    yield from (f"`{names.names[x.get_id()]} == {number}`" for x, number in tracked if counted)
    for x in space.rigid:
        if z3.is_int(x) and not any(x.eq(y) for y in (space.count, space.flusher, *space.tracked)):
            same = (y for y, number in tracked if number == values.get(x.get_id()))
            yield from (f"`{names.names[x.get_id()]} == {names.names[y.get_id()]}`" for y in same)


def _told_by_place(space: Space) -> Iterator[z3.ExprRef]:
    """Yield what the places of threads tell well enough: who holds locks."""
    locks = {f.name for f in space.program.fields if isinstance(f.type, LockWord)}
    for (name, _), value in space.state.items():
        if name in locks:
            yield from flatten_value(space.algebra, value)


def _equation(
    names: VariableNames, parameter: z3.ExprRef, value: z3.ExprRef | int, letters: dict[int, str]
) -> str:
    name = names.names[parameter.get_id()]
    if z3.is_bool(parameter):
        plain = name.removesuffix(" != 0")
        return f"{plain} {'!=' if value else '=='} 0"
    if isinstance(value, z3.ExprRef):
        return f"{name} == {names.names[value.get_id()]}"
    if z3.is_int(parameter) or z3.is_bv(parameter):
        return f"{name} == {value}"
    return f"{name} == {letters.setdefault(value, f'root {ascii_uppercase[len(letters) % 26]}')}"
