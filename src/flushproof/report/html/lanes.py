"""A trace as a picture: a lane per thread, time running downwards. Only geometry, no markup.

In: a `Trace`. Out: a `Picture`, in pixels, that a template turns into SVG. A vCPU's lane is filled
from where it begins to run on a root; a bar stands where a thread holds a lock; hypercalls are
arrows to a lane of their own.
"""

from __future__ import annotations

import textwrap
from collections.abc import Iterator

from flushproof.report.html.tones import root_tone
from flushproof.report.trace_table import VIOLATION, thread_title
from flushproof.results.trace import Trace, TraceStep
from flushproof.support.record import Record

HEAD = 40
LINE = 17
PADDING = 13
LETTER = 7.3
GUTTER = 44
BAR = 7
INSET = 26
MOST_LANES = 9
WIDEST = 24
WIDEST_CHANGE = 34
HYPERVISOR = "Hyper-V"


class Lane(Record, frozen=True):
    """A thread's column, or that of the hypervisor."""

    title: str
    x: float
    width: float
    kind: str

    @property
    def middle(self) -> float:
        """Return the middle of the lane."""
        return self.x + self.width / 2


class Band(Record, frozen=True):
    """A stretch of a vCPU's lane in which it runs on one root."""

    x: float
    y: float
    width: float
    height: float
    tone: str


class LockBar(Record, frozen=True):
    """A stretch in which a thread holds a lock; `open` where it is not freed."""

    x: float
    y: float
    height: float
    open: bool


class LaneText(Record, frozen=True):
    """Lines of text from `x` on; `y` is that of the first line."""

    x: float
    y: float
    lines: tuple[str, ...]


class Arrow(Record, frozen=True):
    """A hypercall, from the thread to the hypervisor; `chip` is the width of the root's name."""

    start: float
    end: float
    y: float
    root: str
    chip: float
    ok: bool
    tone: str


class LaneRow(Record, frozen=True):
    """One step, or the last row, which has no step: what is true of the threads at the end."""

    step: TraceStep | None
    y: float
    height: float
    texts: tuple[LaneText, ...]
    changed: LaneText
    arrow: Arrow | None
    tone: str = ""

    @property
    def middle(self) -> float:
        """Return the height of the row's middle."""
        return self.y + self.height / 2


class Picture(Record, frozen=True):
    """Everything that is drawn."""

    width: float
    height: float
    lanes: tuple[Lane, ...]
    rows: tuple[LaneRow, ...]
    bands: tuple[Band, ...]
    bars: tuple[LockBar, ...]
    changes: float


def layout_picture(trace: Trace, end: str = VIOLATION) -> Picture:
    """Lay out a trace; `end` is said in the last row."""
    lanes = _lanes(trace)
    by_thread = dict(zip(shown_threads(trace), lanes, strict=False))
    left = lanes[-1].x + lanes[-1].width + 14
    rows = tuple(_rows(trace, by_thread, lanes[-1], LaneText(left, 0, (end,))))
    bottom = rows[-1].y + rows[-1].height
    widest = max((len(x) for r in rows for x in r.changed.lines), default=0)
    return Picture(
        width=left + max(widest, len("changed")) * LETTER + 16,
        height=bottom + 8,
        lanes=lanes,
        rows=rows,
        bands=tuple(_bands(rows, by_thread)),
        bars=tuple(_bars(rows, by_thread)),
        changes=left,
    )


def shown_threads(trace: Trace) -> tuple[str, ...]:
    """Return the threads that get a lane: all, or those that do anything where they are many."""
    acting = {s.thread for s in trace.steps} | {t for t, text in trace.standing if text}
    everyone = tuple(dict.fromkeys((*trace.columns, *(s.thread for s in trace.steps))))
    if len(everyone) <= MOST_LANES:
        return everyone
    return tuple(t for t in everyone if t in acting)


# Lanes -----------------------------------------------------------------------------------------


def _lanes(trace: Trace) -> tuple[Lane, ...]:
    threads = shown_threads(trace)
    standing = dict(trace.standing)
    x = float(GUTTER)
    out: list[Lane] = []
    for thread in threads:
        name = thread_title(thread, threads)
        texts = [s.text for s in trace.steps if s.thread == thread]
        lines = [line for t in (name, standing.get(thread, ""), *texts) for line in _wrapped(t)]
        width = INSET + max(len(line) for line in lines) * LETTER + 16
        calls = any(s.thread == thread and s.hypercall for s in trace.steps)
        kind = "vcpu" if thread.startswith("vcpu") else "flusher"
        out.append(Lane(name, x, width + (30 if calls else 0), kind))
        x += out[-1].width + 8
    chips = (_chip(s.hypercall.root) for s in trace.steps if s.hypercall is not None)
    return (*out, Lane(HYPERVISOR, x, max(72, *chips, 0) + 20, "hypervisor"))


def _chip(root: str) -> float:
    return max(26, len(root) * LETTER + 14)


def _wrapped(text: str, width: int = WIDEST) -> tuple[str, ...]:
    return tuple(textwrap.wrap(text, width, break_on_hyphens=False)) or ("",)


# Rows ------------------------------------------------------------------------------------------


def _rows(
    trace: Trace, lanes: dict[str, Lane], hypervisor: Lane, end: LaneText
) -> Iterator[LaneRow]:
    y = float(HEAD)
    for step in trace.steps:
        said = _wrapped(step.text)
        changed = _changes(step)
        height = max(len(said), len(changed)) * LINE + PADDING
        text = _text(lanes[step.thread].x + INSET, y, height, said)
        arrow = _arrow(step, text, hypervisor, y + height / 2)
        after = _text(end.x, y, height, changed)
        yield LaneRow(
            step, y, height, (text,), after, arrow, root_tone(step.loads) if step.loads else ""
        )
        y += height
    standing = [(lanes[t], _wrapped(text)) for t, text in trace.standing if text and t in lanes]
    height = max([1, *(len(lines) for _, lines in standing)]) * LINE + PADDING
    texts = tuple(_text(lane.x + INSET, y, height, lines) for lane, lines in standing)
    yield LaneRow(None, y, height, texts, _text(end.x, y, height, end.lines), None)


def _text(x: float, y: float, height: float, lines: tuple[str, ...]) -> LaneText:
    first = y + height / 2 - (len(lines) - 1) * LINE / 2
    return LaneText(x, first, lines)


def _changes(step: TraceStep) -> tuple[str, ...]:
    """Return what a step changed; a write says so itself."""
    if step.event == "write":
        return ()
    pairs = (f"{name} = {value}" for name, value in step.changed)
    return tuple(line for pair in pairs for line in _wrapped(pair, WIDEST_CHANGE))


def _arrow(step: TraceStep, text: LaneText, hypervisor: Lane, y: float) -> Arrow | None:
    if step.hypercall is None:
        return None
    call = step.hypercall
    start = text.x + max(len(line) for line in text.lines) * LETTER + 6
    return Arrow(
        start, hypervisor.x + 8, y, call.root, _chip(call.root), call.ok, root_tone(call.root)
    )


# What lasts ------------------------------------------------------------------------------------


def _bands(rows: tuple[LaneRow, ...], lanes: dict[str, Lane]) -> Iterator[Band]:
    """Yield where vCPUs run on a root: from the end of a load to the beginning of the next."""
    for thread, lane in lanes.items():
        since: LaneRow | None = None
        for row in rows:
            if row.step is None or row.step.thread != thread or not row.step.loads:
                continue
            if since is not None:
                yield _band(lane, since, row.y + (0 if row.step.event == "load" else row.height))
            since = None if row.step.event == "enter" else row
        if since is not None:
            yield _band(lane, since, rows[-1].y + rows[-1].height)


def _band(lane: Lane, since: LaneRow, bottom: float) -> Band:
    top = since.y + 3
    return Band(lane.x + 2, top, lane.width - 4, bottom - top - 3, since.tone)


def _bars(rows: tuple[LaneRow, ...], lanes: dict[str, Lane]) -> Iterator[LockBar]:
    for thread, lane in lanes.items():
        taken: LaneRow | None = None
        for row in rows:
            if row.step is None or row.step.thread != thread:
                continue
            match row.step.lock:
                case "acquire" | "held":
                    taken = taken or row
                case "section":
                    yield _bar(lane, row, row)
                case "release" | "none":
                    if taken is not None:
                        yield _bar(lane, taken, row)
                    taken = None
        if taken is not None:
            yield _bar(lane, taken, rows[-1], unfinished=True)


def _bar(lane: Lane, first: LaneRow, last: LaneRow, *, unfinished: bool = False) -> LockBar:
    top = first.y + 5
    bottom = last.y + last.height - (0 if unfinished else 5)
    return LockBar(lane.x + 10, top, bottom - top, unfinished)
