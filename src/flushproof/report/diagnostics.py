"""Diagnostics as text, in the form that editors and reviewers know from a C compiler.

In: the diagnostics of an `InputError` and the sources by name. Out: plain ASCII text.

    variant.c:12:9: error[FP0410]: no such variable `ret2`
        return ret2;
               ^^^^ not declared here
      note: variant.c:3:9: `ret` is declared here
          int ret;
              ^^^
      help: did you mean `ret`?
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from flushproof.report.excerpt import excerpt_lines
from flushproof.report.plain import DEFAULT_WIDTH, escape_unprintable, hang_text
from flushproof.support.diagnostics import Diagnostic, Note, shorten_text
from flushproof.support.source import Source, Span


def render(
    diagnostics: Iterable[Diagnostic],
    sources: Mapping[str, Source],
    width: int = DEFAULT_WIDTH,
) -> str:
    """Return the diagnostics as text that ends in a newline, an empty line between two."""
    blocks = ["\n".join(_lines(d, sources, width)) for d in diagnostics]
    return "\n\n".join(blocks) + "\n"


def list_diagnostic_files(diagnostics: Iterable[Diagnostic]) -> tuple[str, ...]:
    """Return the names of the files that the diagnostics point into, sorted."""
    spans = [s for d in diagnostics for s in (d.span, *(n.span for n in d.notes))]
    return tuple(sorted({s.file for s in spans if s is not None}))


def _lines(diagnostic: Diagnostic, sources: Mapping[str, Source], width: int) -> list[str]:
    code = f"[{diagnostic.CODE}]" if diagnostic.CODE else ""
    lines = _headed(f"{_place(diagnostic.span)}error{code}:", diagnostic.title, width)
    if diagnostic.span is not None:
        lines += excerpt_lines(diagnostic.span, diagnostic.label, sources, 4, width)
    for note in diagnostic.notes:
        lines += _note(note, sources, width)
    if diagnostic.help:
        lines += hang_text("  help: ", diagnostic.help, width)
    return lines


def _headed(head: str, text: str, width: int) -> list[str]:
    """Wrap a text after a head that names a place and therefore is never broken."""
    first = f"{escape_unprintable(head)} "
    room = max(width, len(first) + 24)
    return hang_text(first, text, room, indent=8 if head.startswith(" ") else 4)


def _note(note: Note, sources: Mapping[str, Source], width: int) -> list[str]:
    lines = _headed(f"  note: {_place(note.span)}".rstrip(), shorten_text(note.text), width)
    if note.span is None or note.span.file not in sources:
        return lines
    return lines + excerpt_lines(note.span, "", sources, 6, width)


def _place(span: Span | None) -> str:
    return "" if span is None else f"{span.file}:{span.line}:{span.column}: "
