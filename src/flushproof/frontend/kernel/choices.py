"""What the user says of a kernel file, on the command line or in a project.

In: options. Out: `Choices`, which the reader of kernel files follows.
"""

from __future__ import annotations

from typing import ClassVar

from flushproof.support.diagnostics import EXIT_USAGE, Diagnostic
from flushproof.support.record import Record


class SaidTwice(Diagnostic, frozen=True, kw_only=True):
    """A spec and options that say the same things."""

    CODE: ClassVar[str] = "FP0108"
    TITLE: ClassVar[str] = "--kernel, --flush, --load, --cache and -I cannot stand beside a spec"
    HELP: ClassVar[str] = "the spec says what is what"
    EXIT: ClassVar[int] = EXIT_USAGE


class Choices(Record, frozen=True):
    """What the user says of a kernel file; None or nothing where it is to be found out.

    `flush` and `load` name functions, `cache` the field that holds the cached root, and headers are
    looked for in `folders` too. `kernel`: it is one, wherever it lies and whatever it includes.
    """

    flush: str | None = None
    load: str | None = None
    cache: str | None = None
    folders: tuple[str, ...] = ()
    kernel: bool = False

    @property
    def any(self) -> bool:
        """Tell whether anything is said."""
        return self != Choices()
