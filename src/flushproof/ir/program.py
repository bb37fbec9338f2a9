"""Programs: shared fields and the operations over them."""

from __future__ import annotations

from enum import StrEnum

from flushproof.ir.code import Expr, Field, Instr, Local
from flushproof.ir.types import INT, VCPU
from flushproof.support.errors import InternalError
from flushproof.support.record import Record
from flushproof.support.source import Span

MOST_VCPUS = INT.high - 8
"""With so many vCPUs the number of each thread fits an `int`, that of a bystander, too."""

MOST_THREADS = MOST_VCPUS + 2
"""The largest number of a flusher where there are many: one more and two more fit an `int`."""

BOOT_VCPU = Local("@vcpu", VCPU)
"""The vCPU that an initial value is for."""


class Role(StrEnum):
    """Which thread an operation runs on.

    A `LOAD` runs on the thread of its vCPU, one at a time; a `FLUSH` on any of the others, which
    are called flushers. `OBSERVE`, `DEADLOCK` and `END` are pseudo-operations made of claim
    handlers alone: the checks of a state in itself, those of a state in which every thread that is
    in a call waits for a lock that is not free, and those made once everything is over, with every
    thread between calls.
    """

    LOAD = "load"
    FLUSH = "flush"
    OBSERVE = "observe"
    DEADLOCK = "deadlock"
    END = "end"


BYSTANDERS = (Role.OBSERVE, Role.DEADLOCK, Role.END)
"""The roles of pseudo-operations, in the order in which they may act."""


class Parameters(Record, frozen=True):
    """The locals that hold what the caller of an operation chose; None where it has no such one.

    `vcpu` and `root` belong to a load; `whole`, `start` and `pages` to a flush; `others` are vCPUs
    that are any of those that exist; `free` are all the others.
    """

    vcpu: Local | None = None
    root: Local | None = None
    whole: Local | None = None
    start: Local | None = None
    pages: Local | None = None
    others: tuple[Local, ...] = ()
    free: tuple[Local, ...] = ()

    @property
    def all(self) -> tuple[Local, ...]:
        """Every parameter that is there."""
        named = (self.vcpu, self.root, self.whole, self.start, self.pages)
        return tuple(p for p in named if p is not None) + self.others + self.free


class Operation(Record, frozen=True):
    """One operation: code starting with `Enter` at 0; `name` is its C function.

    One that is `named` is neither a load nor a flush to claims and readers, but goes by its own
    name; `given` are those of its parameters that claims are told, in order.
    """

    name: str
    role: Role
    parameters: Parameters
    code: tuple[Instr, ...]
    span: Span
    named: bool = False
    given: tuple[Local, ...] = ()

    @property
    def word(self) -> str:
        """The word for all operations of its kind, as a spec has it."""
        if not self.named:
            return str(self.role)
        return "cpu" if self.role is Role.LOAD else "thread"


class CallLimits(Record, frozen=True):
    """How many loads a vCPU, flushes a flusher and flushers there may be."""

    loads: int
    flushes: int
    flushers: int


class Program(Record, frozen=True):
    """All operations, the shared fields they and the claims use, and the boot code.

    `boot` gives an initial value to every field that does not start as 0, over `BOOT_VCPU` where it
    depends on the vCPU; `witnesses` are fields with any initial value: ghosts that claims choose,
    and variables that another file defines; those in `accesses` are together one access: thread,
    place, whether it writes, whether it is marked, and locks; those in `threads` each name a
    thread, and those in `callers` one that makes a call. `limits` is what the code is good for,
    None for any number of threads and calls.
    """

    fields: tuple[Field, ...]
    operations: tuple[Operation, ...]
    boot: tuple[tuple[Field, Expr], ...]
    witnesses: tuple[Field, ...] = ()
    limits: CallLimits | None = None
    accesses: tuple[tuple[Field, ...], ...] = ()
    threads: tuple[Field, ...] = ()
    callers: tuple[Field, ...] = ()

    def require(self, loads: int, flushes: int, flushers: int) -> None:
        """Raise `InternalError` where the code does not allow for so many threads and calls."""
        most = self.limits
        if most is None:
            return
        if loads > most.loads or flushes > most.flushes or flushers > most.flushers:
            raise InternalError(f"{loads} loads, {flushes} flushes, {flushers} flushers: {most}")

    def of(self, role: Role) -> tuple[Operation, ...]:
        """Return the operations of one role."""
        return tuple(o for o in self.operations if o.role is role)
