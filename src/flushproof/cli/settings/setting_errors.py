"""What is said about settings that are not accepted."""

from __future__ import annotations

from typing import ClassVar

from flushproof.cli.arguments import KEYS
from flushproof.support.diagnostics import EXIT_USAGE, Diagnostic

FILE = "pyproject.toml"
TABLE = "tool.flushproof"

KINDS: dict[type, str] = {int: "a number", str: "a string", bool: "true or false"}


class UnknownKey(Diagnostic, frozen=True, kw_only=True):
    """A key that means nothing."""

    CODE: ClassVar[str] = "FP0114"
    TITLE: ClassVar[str] = "`[tool.flushproof]` has no key `{name}`{hint}"
    HELP: ClassVar[str] = "keys: {known}"
    EXIT: ClassVar[int] = EXIT_USAGE
    name: str
    hint: str
    known: str = ", ".join(k.name for k in KEYS)


class WrongKind(Diagnostic, frozen=True, kw_only=True):
    """A value of another kind than the key takes."""

    CODE: ClassVar[str] = "FP0115"
    TITLE: ClassVar[str] = "`{name}` must be {wanted}"
    LABEL: ClassVar[str] = "this is {given}"
    EXIT: ClassVar[int] = EXIT_USAGE
    name: str
    wanted: str
    given: str


class NotAChoice(Diagnostic, frozen=True, kw_only=True):
    """A value that is none of those allowed."""

    CODE: ClassVar[str] = "FP0116"
    TITLE: ClassVar[str] = "`{name}` cannot be `{value}`{hint}"
    HELP: ClassVar[str] = "{allowed}"
    EXIT: ClassVar[int] = EXIT_USAGE
    name: str
    value: str
    hint: str
    allowed: str


class NotToml(Diagnostic, frozen=True, kw_only=True):
    """A project file that is no TOML."""

    CODE: ClassVar[str] = "FP0117"
    TITLE: ClassVar[str] = "not accepted as TOML: {problem}"
    EXIT: ClassVar[int] = EXIT_USAGE
    problem: str


class NotATable(Diagnostic, frozen=True, kw_only=True):
    """`tool.flushproof` is something else than a table."""

    CODE: ClassVar[str] = "FP0118"
    TITLE: ClassVar[str] = "`tool.flushproof` must be a table"
    HELP: ClassVar[str] = "write `[tool.flushproof]` and the settings below it"
    EXIT: ClassVar[int] = EXIT_USAGE
