"""From the moves that lead to a violation to a schedule that the interpreter replays."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import groupby

from flushproof.engines.explicit.search import Graph, Move
from flushproof.engines.explicit.steps import UNSET
from flushproof.engines.schedule import Call, Schedule, ThreadPlan


def schedule_of_path(graph: Graph, path: Sequence[Move]) -> Schedule:
    """Return the schedule of a path from the boot state."""
    sizes = graph.sizes
    names = [
        *(f"vcpu{v}" for v in range(sizes.vcpus)),
        *(f"flusher{k}" for k in range(sizes.flushers)),
        *(str(r) for r in graph.present),
    ]
    plans = tuple(ThreadPlan(t, name, _calls(graph, path, t)) for t, name in enumerate(names))
    witnesses = {f.name: _chosen(path, graph.cells[f.name, None]) for f in graph.program.witnesses}
    return Schedule(sizes.vcpus, witnesses, plans, tuple(m.thread for m in path))


def _chosen(path: Sequence[Move], cell: int) -> int:
    """Return what a witness was chosen to be, though it is overwritten later; 0 if unseen."""
    states = (*(m.before for m in path), path[-1].after)
    return next((s[cell] for s in states if s[cell] != UNSET), 0)


def _calls(graph: Graph, path: Sequence[Move], thread: int) -> tuple[Call, ...]:
    own = [m for m in path if m.thread == thread]
    number = 0
    numbers: list[int] = []
    for m in own:
        number += m.begins
        numbers.append(number)
    steps = zip(numbers, own, strict=True)
    return tuple(
        _call(graph, [m for _, m in group]) for _, group in groupby(steps, lambda pair: pair[0])
    )


def _call(graph: Graph, moves: Sequence[Move]) -> Call:
    point = graph.steps.points[moves[0].point]
    assert point is not None
    operation = graph.program.operations[point.operation]
    given = dict(point.locals)
    arguments = {p.name: given.get(p, 0) for p in operation.parameters.all}
    return Call(operation.name, arguments, tuple(c for m in moves for c in m.choices))
