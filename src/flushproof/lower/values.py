"""What C expressions denote while they are lowered.

Pointers to the VM and to local objects are known at this stage; a pointer to a vCPU is a value of
the program (the vCPU's number). Every `Expr` in here is stable: it names constants and locals that
are not assigned again while the value lives.
"""

from __future__ import annotations

from dataclasses import dataclass

from flushproof.frontend.types import CType, Struct
from flushproof.ir.code import Const, Expr, Field, Local
from flushproof.ir.types import BOOL

TRUE = Const(1, BOOL)
FALSE = Const(0, BOOL)


@dataclass(frozen=True, slots=True)
class Vm:
    """The one VM (and file-level variables)."""


@dataclass(frozen=True, slots=True)
class Vcpu:
    """The vCPU with number `index`."""

    index: Expr


@dataclass(frozen=True, slots=True)
class Frame:
    """A local struct variable; `prefix` is unique within the operation."""

    prefix: str


Base = Vm | Vcpu | Frame


@dataclass(frozen=True, slots=True)
class LocalPlace:
    """A local scalar; `written` shadows whether it has been assigned, None where it surely was."""

    local: Local
    type: CType
    written: Local | None = None
    label: str = ""


@dataclass(frozen=True, slots=True)
class FieldPlace:
    """A shared scalar."""

    field: Field
    index: Expr | None
    type: CType


@dataclass(frozen=True, slots=True)
class StructPlace:
    """A struct within a base object; `path` is canonical (see `objects`)."""

    base: Base
    path: tuple[str, ...]
    struct: Struct


Place = LocalPlace | FieldPlace | StructPlace


@dataclass(frozen=True, slots=True)
class Scalar:
    """An integer or a vCPU pointer."""

    expr: Expr
    type: CType


@dataclass(frozen=True, slots=True)
class PointerTo:
    """The address of a known place, or NULL where `nonnull` is false."""

    place: Place
    nonnull: Expr = TRUE


@dataclass(frozen=True, slots=True)
class Null:
    """A null pointer constant."""


@dataclass(frozen=True, slots=True)
class FunctionRef:
    """The address of a function."""

    name: str


@dataclass(frozen=True, slots=True)
class StructValue:
    """A struct read as a whole, to be copied."""

    place: StructPlace


@dataclass(frozen=True, slots=True)
class Nothing:
    """The value of a call to a void function, or of a string."""


Value = Scalar | PointerTo | Null | FunctionRef | StructValue | Nothing
