"""C types of the subset, resolved: typedefs are gone and integers have a width."""

from __future__ import annotations

from flushproof.ir.types import BOOL, INT, ROOT, S64, U32, U64, Int
from flushproof.support.record import Record


class Integer(Record, frozen=True):
    """An integer, enumeration or bool type; `name` is for messages.

    `declared` is the type that a bit field is declared with, None for anything else: `ir` then has
    the width of the field.
    """

    name: str
    ir: Int
    declared: Int | None = None

    @property
    def is_truth(self) -> bool:
        """Tell whether a conversion to the type asks for zero or not, instead of cutting off."""
        return self.ir == BOOL and self.declared in (None, BOOL)

    def __str__(self) -> str:
        return self.name


class Void(Record, frozen=True):
    """No value."""

    def __str__(self) -> str:
        return "void"


class Pointer(Record, frozen=True):
    """A pointer to a type."""

    target: CType

    def __str__(self) -> str:
        return f"{self.target} *"


class Struct(Record, frozen=True):
    """A struct by its tag; its members are with the declarations."""

    name: str

    def __str__(self) -> str:
        return f"struct {self.name}"


class FunctionType(Record, frozen=True):
    """A function; only its address can be taken."""

    def __str__(self) -> str:
        return "function"


class Array(Record, frozen=True):
    """An array; `size` is None where it is left open."""

    element: CType
    size: int | None

    def __str__(self) -> str:
        return f"{self.element}[{'' if self.size is None else self.size}]"


CType = Integer | Void | Pointer | Struct | FunctionType | Array

BOOL_T = Integer("bool", BOOL)
INT_T = Integer("int", INT)
UINT_T = Integer("unsigned int", U32)
LONG_T = Integer("long", S64)
ULONG_T = Integer("unsigned long", U64)
ROOT_T = Integer("root", ROOT)
VOID = Void()

BUILTIN: dict[str, CType] = {
    "void": VOID,
    "bool": BOOL_T,
    "char": Integer("char", Int(8, signed=True)),
    "signed char": Integer("signed char", Int(8, signed=True)),
    "unsigned char": Integer("unsigned char", Int(8, signed=False)),
    "short": Integer("short", Int(16, signed=True)),
    "unsigned short": Integer("unsigned short", Int(16, signed=False)),
    "int": INT_T,
    "unsigned int": UINT_T,
    "long": LONG_T,
    "unsigned long": ULONG_T,
    "long long": Integer("long long", S64),
    "unsigned long long": Integer("unsigned long long", U64),
    "root": ROOT_T,
}


def promote_integer(t: Int) -> Int:
    """Apply the integer promotions (C11 6.3.1.1): anything narrower than int becomes int.

    A bit field wider than int keeps its width, as gcc has it: sums of 40 bits wrap at 40 bits.
    """
    return INT if t.width < INT.width else t


def common_type(a: Int, b: Int) -> Int:
    """Apply the usual arithmetic conversions (C11 6.3.1.8) to two integer types."""
    a, b = promote_integer(a), promote_integer(b)
    if a.width == b.width:
        return a if not a.signed else b
    return a if a.width > b.width else b
