"""Questions in SMT-LIB 2 put to cvc5, in a process of its own.

In: a script and limits. Out: an answer for each `check-sat` in it. The solver is an optional
dependency. Whatever happens to it, a crash or a hang, costs the answers that are still open and
nothing else: they are `unknown`.
"""

from __future__ import annotations

import subprocess
import sys
from enum import StrEnum
from importlib.util import find_spec
from typing import ClassVar

from flushproof.support.diagnostics import EXIT_USAGE, Diagnostic, InputError
from flushproof.support.installed import installed_version
from flushproof.support.record import Record

CHILD = "flushproof.engines.second.cvc5_process"
EXIT_REFUSED = 4
ASKED = "check-sat"


class SolverAnswer(StrEnum):
    """What a solver says about one question."""

    SAT = "sat"
    UNSAT = "unsat"
    UNKNOWN = "unknown"


class SolverLimits(Record, frozen=True):
    """How much the solver may take: its own steps a question, seconds and megabytes in all.

    Steps are the same on every machine; time is there so that nothing hangs. So many steps are
    some fifteen seconds in the hard questions of `specs/`, where twice as many gain one answer.
    """

    steps: int = 500_000
    seconds: int = 300
    memory: int = 4096


class Reply(Record, frozen=True):
    """The answers in order, and why some are unknown ("" if none is).

    Where the solver was stopped the last answer is unknown, and later questions have none.
    """

    answers: tuple[SolverAnswer, ...]
    reason: str = ""


class NotInstalled(Diagnostic, frozen=True, kw_only=True):
    """A second opinion is asked for, and there is no one to give it."""

    CODE: ClassVar[str] = "FP0113"
    TITLE: ClassVar[str] = "cvc5 is not installed"
    HELP: ClassVar[str] = "pip install 'flushproof[cvc5]'"
    EXIT: ClassVar[int] = EXIT_USAGE


class NotAccepted(Exception):  # noqa: N818 - whose error it is, the caller knows
    """The script is not accepted; the text of the exception says where and why."""


def cvc5_version() -> str:
    """Return the name and version of the solver.

    Raises:
        InputError: it is not installed.
    """
    if find_spec("cvc5") is None:
        raise InputError(NotInstalled(span=None))
    return f"cvc5 {installed_version('cvc5')}"


def ask_cvc5(script: str, limits: SolverLimits | None = None) -> Reply:
    """Return an answer for each `check-sat` of a script.

    Raises:
        InputError: the solver is not installed.
        NotAccepted: the solver does not accept the script.
    """
    cvc5_version()
    limits = limits or SolverLimits()
    command = [sys.executable, "-P", "-m", CHILD, *map(str, (limits.steps, limits.memory))]
    try:
        done = subprocess.run(  # noqa: S603 - our own module, by the interpreter that runs us
            command,
            input=script.encode(),
            capture_output=True,
            timeout=limits.seconds,
            check=False,
        )
    except subprocess.TimeoutExpired as stopped:
        return _reply(stopped.stdout or b"", f"no answer in {limits.seconds} seconds")
    if done.returncode == EXIT_REFUSED:
        *_, last = done.stderr.decode(errors="replace").splitlines() or [""]
        raise NotAccepted(last)
    if done.returncode:
        return _reply(done.stdout, f"the solver stopped with {done.returncode}")
    return _reply(done.stdout, "")


def _reply(out: bytes, reason: str) -> Reply:
    """Return what was said before the process ended; what is missing is unknown."""
    lines = out.decode(errors="replace").split("\n")[:-1]
    answers = tuple(SolverAnswer(x.split(" ")[0]) for x in lines)
    why = next((_words(x.split(" ", 1)[1]) for x in lines if " " in x), "")
    if reason:
        answers = (*answers, SolverAnswer.UNKNOWN)
    return Reply(answers, reason or why)


def _words(why: str) -> str:
    """Say in words why an answer is unknown."""
    return "no answer within its limit" if why == "(RESOURCEOUT)" else why
