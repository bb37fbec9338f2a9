"""Types of IR values: machine integers of a width, and references to a vCPU."""

from __future__ import annotations

from flushproof.support.record import Record


class Int(Record, frozen=True):
    """A machine integer of `width` bits in two's complement."""

    width: int
    signed: bool

    @property
    def low(self) -> int:
        """The least value."""
        return -(1 << (self.width - 1)) if self.signed else 0

    @property
    def high(self) -> int:
        """The greatest value."""
        return (1 << (self.width - 1)) - 1 if self.signed else (1 << self.width) - 1

    def includes(self, other: Int) -> bool:
        """Tell whether every value of another type is one of this type."""
        return self.low <= other.low and other.high <= self.high

    def wrap(self, value: int) -> int:
        """Return `value` reduced to this type, as a conversion in C does."""
        value &= (1 << self.width) - 1
        return value - (1 << self.width) if value > self.high else value


class VcpuRef(Record, frozen=True):
    """A vCPU by its number, or `NO_VCPU` for NULL."""


class LockWord(Record, frozen=True):
    """A lock. Only one thread holds it, or where it is `shared`, several as readers.

    Which number stands for which state is up to each engine; 0 is a free lock.
    """

    shared: bool = False


Type = Int | VcpuRef | LockWord

BOOL = Int(1, signed=False)
INT = Int(32, signed=True)
U32 = Int(32, signed=False)
U64 = Int(64, signed=False)
S64 = Int(64, signed=True)
ROOT = Int(65, signed=False)
"""The type of ghost roots: every 64-bit value, and `NONE` beside them."""

NONE = 1 << 64
NO_VCPU = -1
VCPU = VcpuRef()
LOCK = LockWord()
RW_LOCK = LockWord(shared=True)
