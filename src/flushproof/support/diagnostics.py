"""What is said about bad input: frozen values whose text stands beside the class.

A concrete diagnostic is a frozen record deriving from `Diagnostic`; its class variables `TITLE`,
`LABEL` and `HELP` are format strings filled from its own fields. `CODE` names it for good; what
`flushproof explain` says of it stands under that code in `messages.toml`. Rendering is the report's
work.
"""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Sequence
from typing import ClassVar

from flushproof.support.record import Record, fields
from flushproof.support.source import Source, Span

EXIT_USAGE = 2
EXIT_INPUT = 4
LONGEST = 400
"""How many characters of a name or text are repeated."""


class Note(Record, frozen=True):
    """A second place that belongs to a diagnostic (`span` None: no place)."""

    text: str
    span: Span | None = None


class Diagnostic(Record, frozen=True, kw_only=True):
    """One complaint about the input, at `span` (None where no place can be named)."""

    CODE: ClassVar[str] = ""
    TITLE: ClassVar[str] = ""
    LABEL: ClassVar[str] = ""
    HELP: ClassVar[str] = ""
    EXIT: ClassVar[int] = EXIT_INPUT
    EXIT_IN_FILE: ClassVar[int] = 0

    span: Span | None
    notes: tuple[Note, ...] = ()

    @property
    def exit_code(self) -> int:
        """The process exit code that it asks for; it may be another where a file is at fault."""
        in_file = self.span is not None and self.EXIT_IN_FILE
        return self.EXIT_IN_FILE if in_file else self.EXIT

    def _fill(self, template: str) -> str:
        return template.format_map({f.name: _shown(getattr(self, f.name)) for f in fields(self)})

    @property
    def title(self) -> str:
        """The complaint in one line."""
        return self._fill(self.TITLE)

    @property
    def label(self) -> str:
        """The words printed beside the caret, possibly empty."""
        return self._fill(self.LABEL)

    @property
    def help(self) -> str:
        """How to mend it, possibly empty."""
        return self._fill(self.HELP)


def shorten_text(text: str) -> str:
    """Cut what somebody else wrote to a length that a message can hold."""
    return f"{text[:LONGEST]}..." if len(text) > LONGEST else text


def _shown(value: object) -> object:
    return shorten_text(value) if isinstance(value, str) else value


class InputError(Exception):
    """The input is not accepted; carries every diagnostic found, at least one."""

    def __init__(self, *diagnostics: Diagnostic) -> None:
        super().__init__("; ".join(d.title for d in diagnostics))
        self.diagnostics = diagnostics
        self.sources: tuple[Source, ...] = ()
        """Texts that spans name and that stand in no file."""
        self.told = False
        """Whether a document on stdout speaks of it already."""

    def __reduce__(self) -> tuple[object, ...]:
        """Let another process raise it: it is made of its diagnostics, not of its message."""
        return type(self), self.diagnostics, {"sources": self.sources}

    @property
    def exit_code(self) -> int:
        """The process exit code this error asks for: usage (2) only if every part is."""
        return max(d.exit_code for d in self.diagnostics)


def join_errors(errors: Sequence[InputError]) -> InputError:
    """Return one error that says what all of these say, each thing once."""
    joined = InputError(*dict.fromkeys(d for e in errors for d in e.diagnostics))
    joined.sources = tuple(dict.fromkeys(s for e in errors for s in e.sources))
    return joined


def suggest_closest(name: str, candidates: Iterable[str]) -> str:
    """Return " (did you mean `x`?)" for the nearest of the candidate names, or an empty string."""
    found = difflib.get_close_matches(name, sorted(candidates), n=1, cutoff=0.7)
    return f" (did you mean `{found[0]}`?)" if found else ""
