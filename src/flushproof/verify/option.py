"""One option of the command line as data: what is typed, what it means, and who else may set it."""

from __future__ import annotations

from collections.abc import Callable
from enum import Enum, auto
from typing import Any

from flushproof.support.diagnostics import Diagnostic
from flushproof.support.record import Record
from flushproof.verify.option_errors import OutOfBounds


class Group(Enum):
    """Options that a command takes together, or not at all."""

    CLAIMS = auto()
    KERNEL = auto()
    SEARCH = auto()
    LIMITS = auto()
    METHOD = auto()
    REQUIRED = auto()
    AGREEMENT = auto()
    SANITY = auto()
    JOBS = auto()
    EVIDENCE = auto()
    FORMAT = auto()
    LOOKS = auto()
    PAGE = auto()


def _same(value: Any) -> object:  # noqa: ANN401 - whatever is typed
    return value


class Option(Record, frozen=True, kw_only=True):
    """One option, all of it.

    `kind` makes a value of what is typed, and is `bool` for what is only there or not. `field` is
    the field of `Options` that it fills, by `read`, and "" where it fills none alone; `bounds` are
    those of a number. A project may set it where `keys` has kinds of values, and a spec too with
    `in_specs`; `usual` says what holds where nobody sets it. Kept verdicts are told apart by it
    with `decides`. `in_pytest`: a project's setting counts for specs that pytest collects, too.
    """

    name: str
    group: Group
    help: str | None = None
    metavar: str | None = None
    kind: Callable[[str], object] = str
    default: object = None
    choices: tuple[str, ...] = ()
    repeated: bool = False
    flags: tuple[str, ...] = ()
    field: str = ""
    bounds: tuple[int, int] | None = None
    read: Callable[[Any], object] = _same
    keys: tuple[type, ...] = ()
    in_specs: bool = False
    usual: str = ""
    decides: bool = True
    in_pytest: bool = False

    @property
    def dest(self) -> str:
        """The name under which the command line keeps it."""
        return self.name.replace("-", "_")

    @property
    def typed(self) -> tuple[str, ...]:
        """What is typed on the command line."""
        return self.flags or (f"--{self.name}",)

    def problems(self, value: int | None) -> list[Diagnostic]:
        """Return what is wrong with a number."""
        if value is None or self.bounds is None:
            return []
        low, high = self.bounds
        if low <= value <= high:
            return []
        option = f"--{self.name}"
        return [OutOfBounds(span=None, option=option, value=value, low=low, high=high)]
