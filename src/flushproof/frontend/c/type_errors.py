"""Diagnostics of name resolution, typing and lowering."""

from __future__ import annotations

from typing import ClassVar

from flushproof.support.diagnostics import Diagnostic


class UnknownName(Diagnostic, frozen=True, kw_only=True):
    """A name that nothing declares."""

    CODE: ClassVar[str] = "FP0410"
    TITLE: ClassVar[str] = "`{name}` is not declared{hint}"
    name: str
    hint: str = ""


class UnknownFunction(Diagnostic, frozen=True, kw_only=True):
    """A call of a function without a body and without a meaning for the machine."""

    CODE: ClassVar[str] = "FP0411"
    TITLE: ClassVar[str] = "function `{name}` is not defined{hint}"
    LABEL: ClassVar[str] = "called here"
    HELP: ClassVar[str] = "define it in the file or describe it in a prelude"
    name: str
    hint: str = ""


class UnknownType(Diagnostic, frozen=True, kw_only=True):
    """A type name that is neither built in nor declared."""

    CODE: ClassVar[str] = "FP0412"
    TITLE: ClassVar[str] = "type `{name}` is not defined{hint}"
    HELP: ClassVar[str] = "correct the name, or define the type in the file"
    name: str
    hint: str = ""


class UnknownMember(Diagnostic, frozen=True, kw_only=True):
    """A member that the struct does not have."""

    CODE: ClassVar[str] = "FP0413"
    TITLE: ClassVar[str] = "`struct {struct}` has no member `{name}`{hint}"
    struct: str
    name: str
    hint: str = ""


class Redefined(Diagnostic, frozen=True, kw_only=True):
    """A second definition of one name in one file."""

    CODE: ClassVar[str] = "FP0414"
    TITLE: ClassVar[str] = "{kind} `{name}` is defined twice"
    HELP: ClassVar[str] = "give one of them another name, or take the second one away"
    kind: str
    name: str


class Mismatch(Diagnostic, frozen=True, kw_only=True):
    """The operands or operand of a construct have the wrong type."""

    CODE: ClassVar[str] = "FP0415"
    TITLE: ClassVar[str] = "{text}"
    text: str


class WrongArity(Diagnostic, frozen=True, kw_only=True):
    """A call with too many or too few arguments."""

    CODE: ClassVar[str] = "FP0416"
    TITLE: ClassVar[str] = "wrong number of arguments to `{name}()`: {given}, not {wanted}"
    name: str
    wanted: int
    given: int


class UnsupportedConstruct(Diagnostic, frozen=True, kw_only=True):
    """A construct that the subset leaves out."""

    CODE: ClassVar[str] = "FP0417"
    TITLE: ClassVar[str] = "outside the subset: {construct}"
    construct: str


class Recursive(Diagnostic, frozen=True, kw_only=True):
    """A function that reaches itself; `chain` is the calls on the way."""

    CODE: ClassVar[str] = "FP0418"
    TITLE: ClassVar[str] = "`{name}` calls itself: {chain}"
    HELP: ClassVar[str] = "functions are inlined, so a call may not be recursive"
    name: str
    chain: str


class NotConstant(Diagnostic, frozen=True, kw_only=True):
    """A value that must be known when the program is read, and is not."""

    CODE: ClassVar[str] = "FP0419"
    TITLE: ClassVar[str] = "not an integer constant expression"


class StrayJump(Diagnostic, frozen=True, kw_only=True):
    """A jump or label without its counterpart."""

    CODE: ClassVar[str] = "FP0420"
    TITLE: ClassVar[str] = "{text}"
    text: str


class Unbounded(Diagnostic, frozen=True, kw_only=True):
    """A loop that does not end by itself."""

    CODE: ClassVar[str] = "FP0422"
    TITLE: ClassVar[str] = "loop without a bound: still running after {limit} iterations"
    HELP: ClassVar[str] = "a loop must end by itself, whatever values it reads"
    limit: int


class EndlessHandler(Diagnostic, frozen=True, kw_only=True):
    """A loop in a claim's handler that is not shown to end."""

    CODE: ClassVar[str] = "FP0424"
    TITLE: ClassVar[str] = "a loop in a claim may not end"
    HELP: ClassVar[str] = "let each round move a variable of the handler towards a bound"


class Incompatible(Diagnostic, frozen=True, kw_only=True):
    """A file's own type takes the name of one that the machine knows, and is another one."""

    CODE: ClassVar[str] = "FP0423"
    TITLE: ClassVar[str] = "{kind} `{name}` is not what the machine takes it for"
    HELP: ClassVar[str] = "give it another name"
    kind: str
    name: str
