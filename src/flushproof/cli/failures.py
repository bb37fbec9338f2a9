"""What stops a command, as a message and an exit code."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import ClassVar

from flushproof.cli.terminal import Terminal
from flushproof.report import json_report as json
from flushproof.results.verdict import EXIT_INTERNAL, EXIT_UNDECIDED
from flushproof.support.diagnostics import Diagnostic, InputError
from flushproof.support.memory_limit import memory_limit

EXIT_INTERRUPTED = 130


class OutOfMemory(Diagnostic, frozen=True, kw_only=True):
    """Memory ran out before any claim was looked at."""

    CODE: ClassVar[str] = "FP0130"
    TITLE: ClassVar[str] = "out of memory"
    HELP: ClassVar[str] = "a higher --max-memory may be enough"
    EXIT: ClassVar[int] = EXIT_UNDECIDED


def guard_command(command: Callable[[], int], terminal: Terminal) -> int:
    """Return a command's exit code, or say on stderr what stopped it and return that one's."""
    try:
        return command()
    except InputError as error:
        terminal.input_error(error)
        return error.exit_code
    except KeyboardInterrupt:
        return EXIT_INTERRUPTED
    except MemoryError:
        terminal.input_error(InputError(OutOfMemory(span=None)))
        return EXIT_UNDECIDED
    except Exception as error:  # noqa: BLE001 - whatever it is, it is our own fault
        terminal.internal_error(error)
        return EXIT_INTERNAL


@contextmanager
def limited_run(megabytes: int | None, form: str, terminal: Terminal) -> Iterator[None]:
    """Limit the memory meanwhile.

    Readers of JSON are told on stdout, too, where the input is not accepted.
    """
    try:
        with memory_limit(megabytes):
            yield
    except InputError as error:
        if form == "json" and not error.told:
            terminal.raw(json.dump_document(json.refusal_document(error)))
        raise
