"""Diagnostics of name resolution, typing and lowering."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from flushproof.diagnostics import Diagnostic


@dataclass(frozen=True, slots=True, kw_only=True)
class UnknownName(Diagnostic):
    """A name that nothing declares."""

    CODE: ClassVar[str] = "FP0410"
    TITLE: ClassVar[str] = "`{name}` is not declared{hint}"
    name: str
    hint: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class UnknownFunction(Diagnostic):
    """A call of a function without a body and without a meaning for the machine."""

    CODE: ClassVar[str] = "FP0411"
    TITLE: ClassVar[str] = "function `{name}` is not defined{hint}"
    LABEL: ClassVar[str] = "called here"
    HELP: ClassVar[str] = "define it in the file or describe it in a prelude"
    name: str
    hint: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class UnknownType(Diagnostic):
    """A type name that is neither built in nor declared."""

    CODE: ClassVar[str] = "FP0412"
    TITLE: ClassVar[str] = "type `{name}` is not defined{hint}"
    name: str
    hint: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class UnknownMember(Diagnostic):
    """A member that the struct does not have."""

    CODE: ClassVar[str] = "FP0413"
    TITLE: ClassVar[str] = "`struct {struct}` has no member `{name}`{hint}"
    struct: str
    name: str
    hint: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Redefined(Diagnostic):
    """A second definition of one name in one file."""

    CODE: ClassVar[str] = "FP0414"
    TITLE: ClassVar[str] = "{kind} `{name}` is defined twice"
    kind: str
    name: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Mismatch(Diagnostic):
    """The operands or operand of a construct have the wrong type."""

    CODE: ClassVar[str] = "FP0415"
    TITLE: ClassVar[str] = "{text}"
    text: str


@dataclass(frozen=True, slots=True, kw_only=True)
class WrongArity(Diagnostic):
    """A call with too many or too few arguments."""

    CODE: ClassVar[str] = "FP0416"
    TITLE: ClassVar[str] = "`{name}` takes {wanted} arguments, {given} given"
    name: str
    wanted: int
    given: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Unsupported(Diagnostic):
    """A construct that the subset leaves out."""

    CODE: ClassVar[str] = "FP0417"
    TITLE: ClassVar[str] = "outside the subset: {construct}"
    construct: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Recursive(Diagnostic):
    """A function that reaches itself; `chain` is the calls on the way."""

    CODE: ClassVar[str] = "FP0418"
    TITLE: ClassVar[str] = "`{name}` calls itself: {chain}"
    HELP: ClassVar[str] = "functions are inlined, so a call may not be recursive"
    name: str
    chain: str


@dataclass(frozen=True, slots=True, kw_only=True)
class NotConstant(Diagnostic):
    """A value that must be known when the program is read, and is not."""

    CODE: ClassVar[str] = "FP0419"
    TITLE: ClassVar[str] = "not an integer constant expression"


@dataclass(frozen=True, slots=True, kw_only=True)
class StrayJump(Diagnostic):
    """A jump or label without its counterpart."""

    CODE: ClassVar[str] = "FP0420"
    TITLE: ClassVar[str] = "{text}"
    text: str


@dataclass(frozen=True, slots=True, kw_only=True)
class TooLarge(Diagnostic):
    """An operation with too many instructions to go on."""

    CODE: ClassVar[str] = "FP0421"
    TITLE: ClassVar[str] = "`{name}` is too large: more than {limit} instructions after inlining"
    name: str
    limit: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Unbounded(Diagnostic):
    """A loop that does not end by itself."""

    CODE: ClassVar[str] = "FP0422"
    TITLE: ClassVar[str] = "loop without a bound: still running after {limit} iterations"
    HELP: ClassVar[str] = "a loop must end by itself, whatever values it reads"
    limit: int
