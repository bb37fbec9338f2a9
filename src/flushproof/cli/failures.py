"""What stops a command, as a message and an exit code."""

from __future__ import annotations

import signal
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import ClassVar

from flushproof.cli.terminal import Terminal
from flushproof.report import json_report as json
from flushproof.report import jsonl
from flushproof.results.verdict import EXIT_INTERNAL, EXIT_UNDECIDED
from flushproof.support.diagnostics import Diagnostic, InputError
from flushproof.support.memory_limit import memory_limit

EXIT_INTERRUPTED = 130
EXIT_TERMINATED = 143


class Terminated(KeyboardInterrupt):
    """SIGTERM came: what is done at Ctrl-C is done, under another exit code."""


def stop_code(stop: KeyboardInterrupt) -> int:
    """Return the exit code of a run that was stopped from outside."""
    return EXIT_TERMINATED if isinstance(stop, Terminated) else EXIT_INTERRUPTED


@contextmanager
def heed_termination() -> Iterator[None]:
    """Have SIGTERM raise `Terminated` meanwhile, and no worker outlive a run that is stopped."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    before = signal.signal(signal.SIGTERM, _raise_terminated)
    try:
        yield
    except KeyboardInterrupt:
        _end_workers()
        raise
    finally:
        signal.signal(signal.SIGTERM, before)


def _raise_terminated(*_: object) -> None:
    raise Terminated


def _end_workers() -> None:
    """End the processes that decide claims, which would go on until they are done."""
    if "multiprocessing" in sys.modules:
        import multiprocessing

        for worker in multiprocessing.active_children():
            worker.kill()


class OutOfMemory(Diagnostic, frozen=True, kw_only=True):
    """Memory ran out before any claim was looked at."""

    CODE: ClassVar[str] = "FP0130"
    TITLE: ClassVar[str] = "out of memory"
    HELP: ClassVar[str] = "a higher --max-memory may be enough"
    EXIT: ClassVar[int] = EXIT_UNDECIDED


def guard_command(command: Callable[[], int], terminal: Terminal) -> int:
    """Return a command's exit code, or say on stderr what stopped it and return that one's."""
    try:
        with heed_termination():
            return command()
    except InputError as error:
        terminal.input_error(error)
        return error.exit_code
    except KeyboardInterrupt as stop:
        terminal.stopped(stop_code(stop))
        return stop_code(stop)
    except MemoryError:
        terminal.input_error(InputError(OutOfMemory(span=None)))
        return EXIT_UNDECIDED
    except Exception as error:  # noqa: BLE001 - whatever it is, it is our own fault
        terminal.internal_error(error)
        return EXIT_INTERNAL


def _refusal(error: InputError, form: str) -> str:
    """Return what a form for machines says of input that is not accepted, if it has words."""
    match form:
        case "json":
            return json.dump_document(json.refusal_document(error))
        case "jsonl":
            return jsonl.last_line(error.exit_code, error)
        case _:
            return ""


@contextmanager
def limited_run(megabytes: int | None, form: str, terminal: Terminal) -> Iterator[None]:
    """Limit the memory meanwhile.

    Readers of JSON are told on stdout, too, where the input is not accepted.
    """
    try:
        with memory_limit(megabytes):
            yield
    except InputError as error:
        if not error.told:
            terminal.raw(_refusal(error, form))
        raise
