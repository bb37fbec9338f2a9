"""A saved trace as text: its table, single steps with state and source, and answers elsewhere."""

from __future__ import annotations

from flushproof.report.excerpt import excerpt_lines
from flushproof.report.plain import escape_unprintable, hang_text
from flushproof.report.text import join_blocks, trace_lines
from flushproof.report.trace_table import thread_title, trace_table
from flushproof.results.replay import ReplayAnswer
from flushproof.results.saved_trace import Moment, Saved, trace_moments
from flushproof.results.trace import Trace, TraceStep

CODE_INDENT = 6


def render_overview(saved: Saved, width: int) -> str:
    """Return what the trace is about, and its table."""
    head = hang_text("", f"{saved.claim}: {saved.trace.headline}", width, indent=2)
    subject = hang_text("  ", f"{saved.path}: {saved.function}()", width)
    return join_blocks([[*head, *subject], trace_table(saved.trace, width)])


def render_step(saved: Saved, number: int, width: int) -> str:
    """Return one step, the code it is made by, and the state after it; step 0 is the boot state."""
    trace = saved.trace
    after = trace_moments(trace)
    done = None if number == 0 else trace.steps[number - 1]
    before = after[max(0, number - 1)]
    blocks = [_head(trace, number, done, width)]
    if done is not None and done.span is not None:
        sources = {s.name: s for s in saved.sources}
        code = hang_text("  ", f"{done.span.file}:{done.span.line}", width)
        blocks.append([*code, *excerpt_lines(done.span, "", sources, CODE_INDENT, width)])
    blocks.append(_threads(trace, after[number], width))
    blocks.append(_fields(before, after[number], width))
    if number == len(trace.steps):
        blocks.append(hang_text("  VIOLATION  ", trace.headline, width))
    return join_blocks(blocks)


def _head(trace: Trace, number: int, done: TraceStep | None, width: int) -> list[str]:
    what = "boot"
    if done is not None:
        what = f"{thread_title(done.thread, trace.columns)}: {done.text}"
    return hang_text("", f"step {number} of {len(trace.steps)}   {what}", width, indent=2)


def _threads(trace: Trace, now: Moment, width: int) -> list[str]:
    names = {t: thread_title(t, trace.columns) for t in (*now.runs_on, *trace.columns)}
    left = max(len(n) for n in names.values())
    lines = []
    for thread, name in names.items():
        runs = f"runs on {now.runs_on[thread]}" if thread in now.runs_on else ""
        holds = "holds a lock" if thread in now.holding else ""
        told = ", ".join(t for t in (runs, holds) if t)
        lines += hang_text(f"  {name:<{left}}  ", told, width)
    return lines


def _fields(before: Moment, now: Moment, width: int) -> list[str]:
    lines: list[str] = []
    for name, value in now.fields.items():
        old = before.fields.get(name, value)
        mark, was = ("*", f"   (was {old})") if old != value else (" ", "")
        lines += hang_text(f"{mark} ", f"{name} = {value}{was}", width, indent=4)
    return lines


def render_answer(found: ReplayAnswer, width: int) -> str:
    """Return whether a schedule fails in another variant."""
    head = hang_text("", f"{found.claim}   {escape_unprintable(found.path)}", width, indent=2)
    lines = hang_text("  ", _verdict(found), width)
    for note in (*found.notes, *found.misfits):
        lines += hang_text("  note     ", note, width)
    if found.trace is not None:
        sources = {s.name: s for s in found.sources}
        return join_blocks([[*head, *lines], trace_lines(found.trace, sources, width)])
    more = f"one schedule says nothing of others: `flushproof prove {found.path}` looks at all"
    return join_blocks([[*head, *lines, *hang_text("  help     ", more, width)]])


def _verdict(found: ReplayAnswer) -> str:
    if found.trace is not None:
        return f"still fails: {found.trace.headline}"
    if found.undefined:
        return f"no answer: there the schedule does something undefined, {found.undefined}"
    if found.misfits:
        return "does not fit: as far as it can be followed there, nothing fails"
    return "does not fail under this schedule"
