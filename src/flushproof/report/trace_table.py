"""A trace as reviewers draw it: a column per thread, time running downwards.

In: a `Trace`. Out: lines within the width. A lock is drawn as a bar before the cells of the thread
that holds it: `[` where it is taken, `|` while it is held, `]` where it is given back. A step that
does both shows none. Where the threads are too many for columns they are named in one column.
"""

from __future__ import annotations

from typing import assert_never

from flushproof.report.grid import Column, GridCell, draw_grid, fits_width
from flushproof.results.trace import LockMark, Trace, TraceStep
from flushproof.support.record import Record, replace

VIOLATION = "VIOLATION"
CHANGED = "changed"
LEAST_THREAD = 9
LEAST_CHANGED = 14
LEAST_OF_ALL = 5
TALLEST = 2
TALLEST_OF_ALL = 4


class _Row(Record, frozen=True):
    """One step, or the last row, seen by all threads; `bars` maps a thread to (bar, tail)."""

    step: str
    texts: dict[str, str]
    bars: dict[str, tuple[str, str]]
    changed: tuple[str, ...]


def trace_table(trace: Trace, width: int, end: str = VIOLATION) -> list[str]:
    """Return the trace as a table of at most `width` columns; `end` is said in the last row.

    Every thread has a column where that fits without breaking a name or a change, and with rows of
    at most two lines; else those have that do something, and else one column names the thread.
    """
    threads = _threads(trace)
    rows = _rows(trace, end)
    brief = [_brief(row) for row in rows]
    everyone = _wide(rows, threads, threads)
    if fits_width(everyone, width):
        return draw_grid(everyone, width) or []
    active = tuple(t for t in threads if any(s.thread == t for s in trace.steps))
    wide = (_wide(brief, threads, threads), _wide(brief, active, threads))
    narrow = _narrow(brief, threads)
    tries = [(columns, tallest) for tallest in (1, TALLEST) for columns in wide]
    tries += [(narrow, TALLEST), (narrow, TALLEST_OF_ALL)]
    drawn = (_drawn(columns, width, tallest) for columns, tallest in tries)
    return next((d for d in drawn if d is not None), None) or draw_grid(narrow, width) or []


def _drawn(columns: tuple[Column, ...], width: int, tallest: int) -> list[str] | None:
    """Draw a table in which no row is taller; where need be without indentation."""
    shaped = tuple(_comfortable(c, tallest) for c in columns)
    return draw_grid(shaped, width) or draw_grid(shaped, width, indent=0)


def _comfortable(column: Column, tallest: int) -> Column:
    """Let a column be shrunk no further than reads well."""
    if column.title == CHANGED:
        return replace(column, least=column.broken)
    least = min(column.natural, max(column.broken, len(column.title)))
    while column.height(least) > tallest:
        least += 1
    return replace(column, least=least)


def thread_title(thread: str, threads: tuple[str, ...]) -> str:
    """Return how a thread is called in print: `vCPU1`, `flusher` where there is only one."""
    if thread.startswith("vcpu"):
        return "vCPU" + thread.removeprefix("vcpu")
    for kind in ("flusher", "thread"):
        if thread.startswith(kind) and sum(t.startswith(kind) for t in threads) == 1:
            return kind
    return thread


def _threads(trace: Trace) -> tuple[str, ...]:
    seen = [*trace.columns, *(s.thread for s in trace.steps), *(t for t, _ in trace.standing)]
    return tuple(dict.fromkeys(seen))


def _rows(trace: Trace, end: str) -> list[_Row]:
    held: frozenset[str] = frozenset()
    rows: list[_Row] = []
    for step in trace.steps:
        after = _held_after(step, held)
        rows.append(_step_row(step, held, after))
        held = after
    standing = {thread: text for thread, text in trace.standing if text}
    bars = dict.fromkeys(held, ("|", "|"))
    return [*rows, _Row("", standing, bars, (end,))]


def _step_row(step: TraceStep, before: frozenset[str], after: frozenset[str]) -> _Row:
    bars = dict.fromkeys(before, ("|", "|"))
    bars[step.thread] = (_bar(step.lock), "|" if step.thread in after else "")
    changed = tuple(f"{name} = {value}" for name, value in step.changed)
    commas = tuple(f"{c}," for c in changed[:-1]) + changed[-1:]
    return _Row(str(step.index), {step.thread: step.text}, bars, commas)


def _held_after(step: TraceStep, held: frozenset[str]) -> frozenset[str]:
    match step.lock:
        case "acquire" | "held":
            return held | {step.thread}
        case "release" | "section" | "none":
            return held - {step.thread}
        case _:
            assert_never(step.lock)


def _bar(mark: LockMark) -> str:
    match mark:
        case "none" | "section":
            return ""
        case "acquire":
            return "["
        case "held":
            return "|"
        case "release":
            return "]"
        case _:
            assert_never(mark)


def _brief(row: _Row) -> _Row:
    """Leave out what a reader does not miss: "on A" for "still on A"."""
    texts = {thread: text.removeprefix("still ") for thread, text in row.texts.items()}
    return replace(row, texts=texts)


def _wide(rows: list[_Row], threads: tuple[str, ...], named: tuple[str, ...]) -> tuple[Column, ...]:
    columns = (
        Column(thread_title(thread, named), LEAST_THREAD, tuple(_cell(row, thread) for row in rows))
        for thread in threads
    )
    return (_steps(rows), *columns, _changes(rows))


def _cell(row: _Row, thread: str) -> GridCell:
    bar, tail = row.bars.get(thread, ("", ""))
    return GridCell(tuple(row.texts.get(thread, "").split()), bar, tail)


def _narrow(rows: list[_Row], threads: tuple[str, ...]) -> tuple[Column, ...]:
    """Return the columns step, thread, what it does, changed; one row for each standing thread."""
    split = [part for row in rows for part in _split(row)]
    names = tuple(GridCell((thread_title(t, threads),) if t else ()) for t, _ in split)
    texts = tuple(_cell(row, thread) for thread, row in split)
    parts = [row for _, row in split]
    return (
        _steps(parts),
        Column("thread", LEAST_OF_ALL, names),
        Column("does", LEAST_OF_ALL, texts),
        _changes(parts),
    )


def _split(row: _Row) -> list[tuple[str, _Row]]:
    if len(row.texts) < 1:
        return [("", row)]
    *early, last = row.texts
    return [*((t, replace(row, step="", bars={}, changed=())) for t in early), (last, row)]


def _steps(rows: list[_Row]) -> Column:
    return Column("step", 4, tuple(GridCell((r.step,) if r.step else (), right=True) for r in rows))


def _changes(rows: list[_Row]) -> Column:
    return Column(CHANGED, LEAST_CHANGED, tuple(GridCell(r.changed) for r in rows))
