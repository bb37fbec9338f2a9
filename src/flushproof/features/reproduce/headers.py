"""The headers of a variant's own: its text with them in it, as a compiler sees it.

In: a set-up that has read them. Out: one text with line markers. The kernel's headers are left out,
as the prelude stands for them.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from posixpath import dirname, join, normpath

from flushproof.frontend.setup import Setup
from flushproof.report.plain import escape_unprintable
from flushproof.support.source import Source

_INCLUDE = re.compile(r'^[ \t]*#[ \t]*include\b[ \t]*(?:"([^"\n]*)"|[^\n]*)[^\n]*$', re.MULTILINE)
DEEPEST = 40


def own_files(setup: Setup) -> frozenset[str]:
    """Return the names of the variant and of the headers that it includes."""
    return frozenset(s.name for s in _sources(setup, setup.variant, 0))


def not_found(setup: Setup) -> str:
    """Return a header that the variant includes and that was not read, "" where all were."""
    sources = _by_name(setup)
    for source in _sources(setup, setup.variant, 0):
        for found in _INCLUDE.finditer(source.text):
            if found[1] and _header(sources, source, found[1]) is None:
                return found[1]
    return ""


def own_text(setup: Setup) -> str:
    """Return the text of the variant with that of its headers in the place of each `#include`."""
    return _text(_by_name(setup), setup.variant, 0)


def line_marker(line: int, name: str) -> str:
    """Return the directive that says from which line of which file the next line is."""
    quoted = escape_unprintable(name).replace("\\", "\\\\").replace('"', '\\"')
    return f'# {line} "{quoted}"\n'


def _by_name(setup: Setup) -> dict[str, Source]:
    return {normpath(s.name): s for s in setup.sources}


def _header(sources: dict[str, Source], within: Source, name: str) -> Source | None:
    return sources.get(normpath(join(dirname(within.name), name)))


def _sources(setup: Setup, source: Source, depth: int) -> Iterator[Source]:
    yield source
    sources = _by_name(setup)
    for found in _INCLUDE.finditer(source.text):
        header = _header(sources, source, found[1]) if found[1] else None
        if header is not None and depth < DEEPEST:
            yield from _sources(setup, header, depth + 1)


def _text(sources: dict[str, Source], source: Source, depth: int) -> str:
    def replaced(found: re.Match[str]) -> str:
        header = _header(sources, source, found[1]) if found[1] else None
        if header is None or depth >= DEEPEST:
            return ""
        line = source.text.count("\n", 0, found.end()) + 2
        inner = _text(sources, header, depth + 1)
        return f"{line_marker(1, header.name)}{inner}\n{line_marker(line, source.name)}".rstrip(
            "\n"
        )

    return _INCLUDE.sub(replaced, source.text)
