"""What is said of options that contradict each other, or that nothing can be done with."""

from __future__ import annotations

from typing import ClassVar

from flushproof.support.diagnostics import EXIT_USAGE, Diagnostic


class NotARange(Diagnostic, frozen=True, kw_only=True):
    """A `--vcpus` that is neither a number nor a range."""

    CODE: ClassVar[str] = "FP0104"
    TITLE: ClassVar[str] = "`{text}` is not a number of vCPUs"
    HELP: ClassVar[str] = "write `4` for 1..4 vCPUs, or a range such as `2..4`"
    EXIT: ClassVar[int] = EXIT_USAGE

    text: str


class ReversedRange(Diagnostic, frozen=True, kw_only=True):
    """A range whose end comes before its start."""

    CODE: ClassVar[str] = "FP0105"
    TITLE: ClassVar[str] = "the range `{low}..{high}` of vCPUs is empty"
    HELP: ClassVar[str] = "the smaller number comes first"
    EXIT: ClassVar[int] = EXIT_USAGE

    low: int
    high: int


class OutOfBounds(Diagnostic, frozen=True, kw_only=True):
    """A number outside what the option allows."""

    CODE: ClassVar[str] = "FP0106"
    TITLE: ClassVar[str] = "`{option}` cannot be {value}"
    HELP: ClassVar[str] = "it must lie in {low}..{high}"
    EXIT: ClassVar[int] = EXIT_USAGE

    option: str
    value: int
    low: int
    high: int


class UnknownEngine(Diagnostic, frozen=True, kw_only=True):
    """An engine that does not exist."""

    CODE: ClassVar[str] = "FP0107"
    TITLE: ClassVar[str] = "there is no engine `{name}`"
    HELP: ClassVar[str] = "engines: `auto`, `bounded`, `unbounded`, `enumerate`"
    EXIT: ClassVar[int] = EXIT_USAGE

    name: str


class NothingToAgreeOn(Diagnostic, frozen=True, kw_only=True):
    """A second opinion on what no solver answers."""

    CODE: ClassVar[str] = "FP0123"
    TITLE: ClassVar[str] = "`--agree cvc5` wants an engine that asks a solver, not `{name}`"
    HELP: ClassVar[str] = "engines that do: `auto`, `bounded`, `unbounded`"
    EXIT: ClassVar[int] = EXIT_USAGE
    name: str


class NoRounds(Diagnostic, frozen=True, kw_only=True):
    """Fewer rounds of an engine that has none."""

    CODE: ClassVar[str] = "FP0128"
    TITLE: ClassVar[str] = "--rounds is for an engine that looks, not `{name}`"
    HELP: ClassVar[str] = "engines that look: `auto`, `bounded`"
    EXIT: ClassVar[int] = EXIT_USAGE
    name: str


class UnknownExecutor(Diagnostic, frozen=True, kw_only=True):
    """An `--executor` that is none."""

    CODE: ClassVar[str] = "FP0112"
    TITLE: ClassVar[str] = "there is no executor `{name}`"
    HELP: ClassVar[str] = "write `local`, or `dask://HOST:PORT` for a Dask scheduler"
    EXIT: ClassVar[int] = EXIT_USAGE
    name: str
