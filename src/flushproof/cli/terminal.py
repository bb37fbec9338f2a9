"""Where text leaves the program: colour or not, readers that went away, errors as text.

In: finished text. Out: what stands on stdout and stderr. Knows streams and the environment, and
nothing about verdicts.
"""

from __future__ import annotations

import os
import sys
import traceback
from collections.abc import Mapping
from typing import TextIO

from flushproof.report import diagnostics, style
from flushproof.report.plain import DEFAULT_WIDTH, escape_unprintable
from flushproof.support.diagnostics import InputError
from flushproof.support.record import Record
from flushproof.support.source import Source

INTERNAL = """\
internal error: {kind}: {message}
this is a defect of flushproof, not of your file, and no verdict is given
please report it with the command line and the files
"""
DEBUG = "set FLUSHPROOF_DEBUG=1 to see the traceback\n"


class Terminal(Record, frozen=True):
    """The two streams and how to write to them."""

    out: TextIO
    err: TextIO
    environ: Mapping[str, str]
    colour: str = "auto"
    width: int = DEFAULT_WIDTH

    @property
    def live(self) -> bool:
        """True where stderr is a terminal on which a line can be rewritten."""
        return self.err.isatty() and self.environ.get("TERM") != "dumb"

    @property
    def interactive(self) -> bool:
        """True where a reader can press keys and see what comes of it."""
        seen = self.out.isatty() and self.environ.get("TERM") != "dumb"
        return seen and sys.stdin is not None and sys.stdin.isatty()

    def report(self, text: str) -> None:
        """Write finished text to stdout, in colour where that is wanted."""
        write_text(self.out, self._coloured(text, self.out))

    def raw(self, text: str) -> None:
        """Write text for machines to stdout."""
        write_text(self.out, text)

    def input_error(self, error: InputError) -> None:
        """Write the diagnostics to stderr with the source lines they point at."""
        sources = load_sources(diagnostics.list_diagnostic_files(error.diagnostics))
        sources |= {s.name: s for s in error.sources}
        text = diagnostics.render(error.diagnostics, sources, self.width)
        write_text(self.err, self._coloured(text, self.err))

    def stopped(self, code: int) -> None:
        """Say on stderr that the run was stopped from outside, also where nothing was finished."""
        write_text(self.err, f"interrupted, exit code {code}\n")

    def internal_error(self, error: Exception) -> None:
        """Write a short message, or the traceback where the environment asks for it."""
        text = INTERNAL.format(kind=type(error).__name__, message=escape_unprintable(str(error)))
        if self.environ.get("FLUSHPROOF_DEBUG"):
            text += "".join(traceback.format_exception(error))
        else:
            text += DEBUG
        write_text(self.err, text)

    def _coloured(self, text: str, stream: TextIO) -> str:
        wanted = style.wants_colour(self.colour, self.environ, terminal=stream.isatty())
        return style.paint_text(text) if wanted else text


def load_sources(names: tuple[str, ...]) -> dict[str, Source]:
    """Return those of the named files that can be read; the others merely get no excerpt."""
    from flushproof.frontend.c.load import load_source

    sources: dict[str, Source] = {}
    for name in names:
        try:
            sources[name] = load_source(name)
        except (InputError, OSError):
            continue
    return sources


def write_text(stream: TextIO, text: str) -> None:
    """Write text at once; a reader that went away is no error."""
    try:
        stream.write(text)
        stream.flush()
    except BrokenPipeError:
        _discard(stream)


def _discard(stream: TextIO) -> None:
    """Point the stream at nothing, so that flushing it at exit does not fail again."""
    nothing = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nothing, stream.fileno())
    os.close(nothing)
