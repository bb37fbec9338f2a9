"""Atomic steps as text: a table for each step, why it begins there, and the locks of each field.

In: `AtomicSteps` and the sources by name. Out: plain ASCII text within the width.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from flushproof.report.grid import GAP, INDENT, Column, GridCell, draw_grid
from flushproof.report.plain import DEFAULT_WIDTH, escape_unprintable, hang_text
from flushproof.report.text import join_blocks
from flushproof.results.atomicity import AccessNote, AtomicSteps, FieldLocks, OperationSteps
from flushproof.support.source import Source
from flushproof.support.wording import count_noun

LEGEND = (
    "A step happens at once for all other threads. What moves right can be put off past "
    "anything that another thread does next, what moves left can be made before what another "
    "thread has just done. A step is a run of what moves right, at most one that moves neither "
    "way, and a run of what moves left."
)

LEAST_CODE = 12

Sources = Mapping[str, Source]


def render(
    path: str, listed: Iterable[AtomicSteps], sources: Sources, width: int = DEFAULT_WIDTH
) -> str:
    """Return the text about each of `listed`, with one legend at the end."""
    blocks = [block for steps in listed for block in _blocks(path, steps, sources, width)]
    return join_blocks([*blocks, hang_text("", LEGEND, width)])


def list_code_files(listed: Iterable[AtomicSteps]) -> tuple[str, ...]:
    """Return the names of the files that code is wanted from, sorted."""
    accesses = (a for each in listed for o in each.operations for a in o.accesses)
    return tuple(sorted({a.span.file for a in accesses}))


def _blocks(path: str, steps: AtomicSteps, sources: Sources, width: int) -> list[list[str]]:
    seen = f"as claim `{steps.claim}` sees them" if steps.claim else "without any claim"
    who = f"{count_noun(steps.vcpus, 'vCPU')}, {count_noun(steps.flushers, 'flusher')}"
    blocks = [hang_text("", f"{path}: atomic steps {seen}, {who}", width, indent=2)]
    for operation in steps.operations:
        blocks += _operation(operation, sources, width)
    return [*blocks, _fields(steps.fields, width)]


def _operation(operation: OperationSteps, sources: Sources, width: int) -> list[list[str]]:
    steps = count_noun(len(operation.begins), "atomic step")
    head = hang_text("", f"{operation.role}  {operation.name}(): {steps}", width, indent=2)
    columns = _columns(operation, sources, width)
    table = (draw_grid(columns, width) or []) if operation.accesses else []
    reasons = [r for k, texts in enumerate(operation.begins, 1) for r in _begins(k, texts, width)]
    return [head, table, reasons]


def _columns(operation: OperationSteps, sources: Sources, width: int) -> tuple[Column, ...]:
    accesses = operation.accesses
    told = (
        Column("step", 4, tuple(GridCell((_numbers(a.steps),), right=True) for a in accesses)),
        Column("line", 4, tuple(GridCell((_line(a, operation),), right=True) for a in accesses)),
        Column("moves", 7, tuple(GridCell((a.moves,)) for a in accesses)),
        Column("what it does", 12, tuple(GridCell(tuple(a.does.split())) for a in accesses)),
    )
    room = width - INDENT - sum(c.natural + GAP for c in told)
    if room < LEAST_CODE:
        return told
    code = (_cut(_code(a, sources), room) for a in accesses)
    return (*told, Column("code", LEAST_CODE, tuple(GridCell((c,)) for c in code)))


def _numbers(steps: tuple[int, ...]) -> str:
    """Write the numbers of steps: `2`, `1..4`, or `1,3`."""
    first, last = steps[0], steps[-1]
    if first == last:
        return str(first)
    if steps == tuple(range(first, last + 1)):
        return f"{first}..{last}"
    return ",".join(map(str, steps))


def _begins(number: int, reasons: tuple[str, ...], width: int) -> list[str]:
    return [line for r in reasons for line in hang_text(f"  step {number}  ", r, width)]


def _line(access: AccessNote, operation: OperationSteps) -> str:
    here = access.span.file == operation.span.file
    return str(access.span.line) if here else f"{access.span.file}:{access.span.line}"


def _code(access: AccessNote, sources: Sources) -> str:
    """Return the C text of an access, of which only the first line is taken."""
    source = sources.get(access.span.file)
    if source is None:
        return ""
    line = source.line(access.span.line)
    whole = access.span.end_line == access.span.line
    return line[access.span.column - 1 : access.span.end_column - 1 if whole else None]


def _cut(text: str, room: int) -> str:
    shown = " ".join(escape_unprintable(text.expandtabs()).split())
    return shown if len(shown) <= room else f"{shown[: max(0, room - 3)]}..."


def _fields(fields: tuple[FieldLocks, ...], width: int) -> list[str]:
    if not fields:
        return ["no operation writes a shared field"]
    lines = ["locks held at every access to a field"]
    for field in fields:
        lines += hang_text(f"  {escape_unprintable(field.label)}: ", _locks(field), width, indent=4)
    return lines


def _locks(field: FieldLocks) -> str:
    if field.locks:
        return ", ".join(field.locks)
    if field.bare:
        return f"none; without any lock {', '.join(field.bare)}"
    return "none in common"
