"""What C expressions denote while they are lowered.

Pointers to the VM and to local objects are known at this stage; a pointer to a vCPU is a value of
the program (the vCPU's number). Every `Expr` in here is stable: it names constants and locals that
are not assigned again while the value lives.
"""

from __future__ import annotations

from flushproof.frontend.c.types import Array, CType, Integer, Struct
from flushproof.ir.code import Const, Expr, Field, Local
from flushproof.ir.types import BOOL
from flushproof.support.record import Record

TRUE = Const(1, BOOL)
FALSE = Const(0, BOOL)


class Vm(Record, frozen=True):
    """The one VM."""


class Vcpu(Record, frozen=True):
    """The vCPU with number `index`."""

    index: Expr


class Frame(Record, frozen=True):
    """A local variable that is a struct; `prefix` is unique within the operation."""

    prefix: str
    struct: Struct


class Lasting(Record, frozen=True):
    """A file-level variable that is a struct; it lies apart from the VM."""

    struct: Struct


Base = Vm | Vcpu | Frame | Lasting


class LocalPlace(Record, frozen=True):
    """A local scalar; `written` shadows whether it has been assigned, None where it surely was."""

    local: Local
    type: CType
    written: Local | None = None
    label: str = ""


class FieldPlace(Record, frozen=True):
    """A shared scalar."""

    field: Field
    index: Expr | None
    type: CType


class BitPlace(Record, frozen=True):
    """A bit field that shares its memory location, `unit`, from bit `first` of it on."""

    unit: FieldPlace
    first: int
    type: Integer


class StructPlace(Record, frozen=True):
    """A struct within a base object; `path` is canonical (see `objects`)."""

    base: Base
    path: tuple[str, ...]
    struct: Struct


class ArrayPlace(Record, frozen=True):
    """An array of scalars: a member of a struct, else a `local` variable or one at file level."""

    owner: StructPlace | None
    name: str
    type: Array
    local: bool = False


class ChosenPlace(Record, frozen=True):
    """That of some scalars whose number is `index`, which is in range."""

    index: Expr
    elements: tuple[Place, ...]
    type: CType


Place = LocalPlace | FieldPlace | BitPlace | StructPlace | ArrayPlace | ChosenPlace


class Scalar(Record, frozen=True):
    """An integer or a vCPU pointer."""

    expr: Expr
    type: CType


class PointerTo(Record, frozen=True):
    """The address of a known place, or NULL where `nonnull` is false."""

    place: Place
    nonnull: Expr = TRUE


class Null(Record, frozen=True):
    """A null pointer constant."""


class FunctionRef(Record, frozen=True):
    """The address of a function."""

    name: str


class StructValue(Record, frozen=True):
    """A struct read as a whole, to be copied."""

    place: StructPlace


class Nothing(Record, frozen=True):
    """The value of a call to a void function, or of a string."""


Value = Scalar | PointerTo | Null | FunctionRef | StructValue | Nothing
