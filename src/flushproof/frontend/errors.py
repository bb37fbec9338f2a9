"""Diagnostics of name resolution, typing and lowering."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from flushproof.diagnostics import Diagnostic


@dataclass(frozen=True, slots=True, kw_only=True)
class UnknownName(Diagnostic):
    TITLE: ClassVar[str] = "`{name}` is not declared{hint}"
    name: str
    hint: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class UnknownFunction(Diagnostic):
    TITLE: ClassVar[str] = "function `{name}` is not defined{hint}"
    LABEL: ClassVar[str] = "called here"
    HELP: ClassVar[str] = "define it in the file or describe it in a prelude"
    name: str
    hint: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class UnknownType(Diagnostic):
    TITLE: ClassVar[str] = "type `{name}` is not defined{hint}"
    name: str
    hint: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class UnknownMember(Diagnostic):
    TITLE: ClassVar[str] = "`struct {struct}` has no member `{name}`{hint}"
    struct: str
    name: str
    hint: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Redefined(Diagnostic):
    TITLE: ClassVar[str] = "{kind} `{name}` is defined twice"
    kind: str
    name: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Mismatch(Diagnostic):
    """The operands or operand of a construct have the wrong type."""

    TITLE: ClassVar[str] = "{text}"
    text: str


@dataclass(frozen=True, slots=True, kw_only=True)
class WrongArity(Diagnostic):
    TITLE: ClassVar[str] = "`{name}` takes {wanted} arguments, {given} given"
    name: str
    wanted: int
    given: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Unsupported(Diagnostic):
    TITLE: ClassVar[str] = "outside the subset: {construct}"
    construct: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Recursive(Diagnostic):
    TITLE: ClassVar[str] = "`{name}` calls itself: {chain}"
    HELP: ClassVar[str] = "functions are inlined, so a call may not be recursive"
    name: str
    chain: str


@dataclass(frozen=True, slots=True, kw_only=True)
class NotConstant(Diagnostic):
    TITLE: ClassVar[str] = "not an integer constant expression"


@dataclass(frozen=True, slots=True, kw_only=True)
class StrayJump(Diagnostic):
    TITLE: ClassVar[str] = "{text}"
    text: str


@dataclass(frozen=True, slots=True, kw_only=True)
class TooLarge(Diagnostic):
    TITLE: ClassVar[str] = "`{name}` is too large: more than {limit} instructions after inlining"
    name: str
    limit: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Unbounded(Diagnostic):
    TITLE: ClassVar[str] = "loop without a bound: still running after {limit} iterations"
    HELP: ClassVar[str] = "a loop must end by itself, whatever values it reads"
    limit: int
