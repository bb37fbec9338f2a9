"""Expressions and instructions of the IR.

Expressions are pure and range over locals; every access to shared state is an instruction of its
own, so an instruction is what another thread can see or fail to see. Code is a flat tuple of
instructions; jumps name positions in it.
"""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum
from typing import Literal

from flushproof.ir.types import BOOL, INT, U64, Type
from flushproof.support.record import Placed, Record
from flushproof.support.source import Span


class Mode(StrEnum):
    """How shared state is accessed: plainly, by READ_ONCE and its kin, or only by a claim.

    `RELEASE` is a marked store that comes after those before it. `DRAIN` is a write by a store
    buffer, of what the code stored before; a `Drain` precedes it.
    `ATOMIC` is an access within an atomic block, between its `BeginAtomic` and its `EndAtomic`.
    """

    PLAIN = "plain"
    ONCE = "once"
    RELEASE = "release"
    GHOST = "ghost"
    DRAIN = "drain"
    ATOMIC = "atomic"

    @property
    def marked(self) -> bool:
        """Tell whether it is marked as an access that others may meet."""
        return self in (Mode.ONCE, Mode.RELEASE)

    @property
    def unseen(self) -> bool:
        """Tell whether it is no access of the code by itself: a claim's, a buffer's, a block's."""
        return self in (Mode.GHOST, Mode.DRAIN, Mode.ATOMIC)


class Freeing(StrEnum):
    """How a lock is freed.

    At once: `LOCKED`, by a locked instruction, or `STORE`, by a plain one. Where that one waits in
    a store buffer it is two: `ISSUED` puts it there, so that the lock has no holder and is not free
    either, and `DRAINED` frees what was issued. `OVERWRITTEN` is the same of a lock that others may
    hold by then: it frees it, whoever does.
    """

    LOCKED = "locked"
    STORE = "store"
    ISSUED = "issued"
    DRAINED = "drained"
    OVERWRITTEN = "overwritten"

    @property
    def to_memory(self) -> bool:
        """Tell whether a store buffer frees the lock, rather than the code."""
        return self in (Freeing.DRAINED, Freeing.OVERWRITTEN)


class FieldScope(StrEnum):
    """Where a shared field lives: once, or once per vCPU."""

    VM = "vm"
    VCPU = "vcpu"


class LocalOrigin(StrEnum):
    """What a local is for.

    A temporary holds the value of an expression and is assigned once where it was made; a written
    flag tells whether a pointer has been given a value.
    """

    VARIABLE = "variable"
    TEMPORARY = "temporary"
    WRITTEN_FLAG = "written flag"


class CallWitness(Record, frozen=True):
    """Of a local that chooses, or tells, whether this call is what a claim's witness stands for."""

    claim: str
    witness: str


class Local(Record, frozen=True):
    """A variable of one operation; the names are unique within it, and nothing is read off them."""

    name: str
    type: Type
    origin: LocalOrigin | CallWitness = LocalOrigin.VARIABLE

    def __hash__(self) -> int:
        """Hash the name alone: it tells locals apart, and they are looked up all the time."""
        return hash(self.name)


class Field(Record, frozen=True):
    """A shared variable. Ghost fields belong to the machine or to a claim and are no accesses.

    `name` is unique in a program; `label` is what a reader sees. It is `kvm.x` or `vcpu.x` of a
    `twofold` field, where both have a member `x`. `enum` names the enumeration whose enumerators
    are its values, "" if there is none.
    """

    name: str
    label: str
    scope: FieldScope
    type: Type
    ghost: bool = False
    enum: str = ""
    twofold: bool = False

    @property
    def member(self) -> str:
        """The name that the member has in C."""
        return self.name.rpartition(".")[2]

    @property
    def outermost(self) -> str:
        """The struct, or the variable at file level, that the field is in."""
        return self.name.partition(".")[0].partition("[")[0]

    def at(self, vcpu: str) -> str:
        """Name the location of one vCPU, whose number or name is given."""
        if not self.twofold:
            return f"{self.label}[{vcpu}]"
        return self.label.replace("vcpu.", f"vcpu{vcpu}." if vcpu.isdigit() else f"vcpu[{vcpu}].")


LOCKS = 32
"""How many locks there can be."""

# Expressions ---------------------------------------------------------------------------------

UnaryOp = Literal["-", "~", "!"]
BinaryOp = Literal[
    "+", "-", "*", "/", "%", "&", "|", "^", "<<", ">>", "==", "!=", "<", "<=", ">", ">="
]
COMPARISONS = frozenset({"==", "!=", "<", "<=", ">", ">="})
Relation = Literal["==", "!=", "<", "<=", ">", ">="]
OPPOSITE: Mapping[str, Relation] = {
    "==": "!=",
    "!=": "==",
    "<": ">=",
    "<=": ">",
    ">": "<=",
    ">=": "<",
}
"""What holds where a comparison does not."""


class Const(Record, frozen=True):
    """A constant of a type; a bool is 0 or 1, a vCPU its number."""

    value: int
    type: Type


class Var(Record, frozen=True):
    """The value of a local."""

    local: Local

    @property
    def type(self) -> Type:
        """The type of the local."""
        return self.local.type


class NumVcpus(Record, frozen=True):
    """How many vCPUs the VM has."""

    type: Type = INT


class Self(Record, frozen=True):
    """The number of the running thread, plus one."""

    type: Type = INT


class HeldLocks(Record, frozen=True):
    """The set of locks the running thread holds.

    Lock number k has bit k, and bit k + `LOCKS` as well unless it is held as a reader.
    """

    type: Type = U64


class AllFree(Record, frozen=True):
    """True when no thread holds any lock."""

    type: Type = BOOL


class Unary(Record, frozen=True):
    """Prefix `op`: the minus sign, ~ or !."""

    op: UnaryOp
    operand: Expr
    type: Type


class Binary(Record, frozen=True):
    """Both operands have one type; `type` is that of the result (BOOL for comparisons)."""

    op: BinaryOp
    left: Expr
    right: Expr
    type: Type


class Cast(Record, frozen=True):
    """Convert an integer to another type, or between a number and a vCPU."""

    operand: Expr
    type: Type


class Ite(Record, frozen=True):
    """`condition ? then : otherwise`; only the chosen part is evaluated."""

    condition: Expr
    then: Expr
    otherwise: Expr
    type: Type


Expr = Const | Var | NumVcpus | Self | HeldLocks | AllFree | Unary | Binary | Cast | Ite

# Instructions --------------------------------------------------------------------------------


class Instruction(Placed, frozen=True, kw_only=True):
    """What all instructions have in common.

    `from_claim`: it was woven in for a claim that watches; else it belongs to the code proper.
    """

    from_claim: bool = False


class Assign(Instruction, frozen=True):
    """`target = value`."""

    target: Local
    value: Expr
    span: Span | None


class Until(Record, frozen=True):
    """What the value that an access finds has to be; until then its thread waits before it.

    `condition` calls the value `seen`, a name that means nothing anywhere else.
    """

    seen: Local
    condition: Expr


class Read(Instruction, frozen=True):
    """`target = field[index]`; `index` is None for VM fields. With `until` it waits."""

    target: Local
    field: Field
    index: Expr | None
    mode: Mode
    span: Span | None
    until: Until | None = None


class Write(Instruction, frozen=True):
    """`field[index] = value`."""

    field: Field
    index: Expr | None
    value: Expr
    mode: Mode
    span: Span | None


class Exchange(Instruction, frozen=True):
    """`target = field[index]; if (!compare || target == compare) field[index] = value`, at once.

    `value` may depend on the old value, by the name `old`, which means nothing anywhere else. With
    `until` it waits. `joined` is a read just before that is made at the same moment.
    """

    target: Local
    field: Field
    index: Expr | None
    compare: Expr | None
    value: Expr
    span: Span | None
    old: Local | None = None
    until: Until | None = None
    joined: Mode | None = None


class Access(Instruction, frozen=True):
    """The code reads or writes `value` at `field[index]`, in its own store buffer.

    Memory stays as it is: this is an event, for claims and for readers of a trace.
    """

    field: Field
    index: Expr | None
    value: Expr
    write: bool
    mode: Mode
    span: Span | None


class Drain(Instruction, frozen=True):
    """A store buffer turns to its oldest entry: the write that follows begins here."""

    span: Span | None


class Fence(Instruction, frozen=True):
    """A full memory barrier."""

    span: Span | None


class BeginAtomic(Instruction, frozen=True):
    """A block begins that is one step; what was stored before it is in memory, as at a `Fence`."""

    span: Span | None


class EndAtomic(Instruction, frozen=True):
    """The block ends. Others notice its end no more than its middle."""

    span: Span | None


class StoreFence(Instruction, frozen=True):
    """A barrier between the stores before it and those after it, which nothing waits for."""

    span: Span | None


class Acquire(Instruction, frozen=True):
    """Wait until the lock is free and take it; `shared`: until nobody writes, as one more reader.

    A thread may be a reader several times.
    """

    field: Field
    index: Expr | None
    shared: bool
    span: Span | None


class TryAcquire(Instruction, frozen=True):
    """Take the lock as `Acquire` does if that needs no wait; `target` says whether it did."""

    target: Local
    field: Field
    index: Expr | None
    shared: bool
    span: Span | None


class Available(Instruction, frozen=True):
    """`target` = the lock can be taken without a wait: a plain read of it."""

    target: Local
    field: Field
    index: Expr | None
    shared: bool
    span: Span | None


class Release(Instruction, frozen=True):
    """Free the lock, whoever holds it; `shared`: be its reader once less, if at all."""

    field: Field
    index: Expr | None
    shared: bool
    span: Span | None
    freeing: Freeing = Freeing.LOCKED


class Holds(Instruction, frozen=True):
    """`target` = the running thread holds the lock; with `sole` only if not as a reader."""

    target: Local
    field: Field
    index: Expr | None
    sole: bool
    span: Span | None


class Hypercall(Instruction, frozen=True):
    """Flush `root` for the range (`whole`, or `pages` from `start`); 0 in `target` on success.

    `site` is where the operation itself calls what leads here.
    """

    target: Local
    root: Expr
    whole: Expr
    start: Expr
    pages: Expr
    span: Span | None
    site: Span | None = None


class Havoc(Instruction, frozen=True):
    """Give `target` any value of its type."""

    target: Local
    span: Span | None


class Every(Instruction, frozen=True):
    """`target` = for all vCPUs v: `condition`, where reads give (local, field) at v."""

    target: Local
    bound: Local
    reads: tuple[tuple[Local, Field], ...]
    condition: Expr
    span: Span | None


class Uninit(Instruction, frozen=True):
    """A read of `local` (C name `label`) that no write may have preceded, when `written` is 0."""

    label: str
    written: Expr
    span: Span | None


class Check(Instruction, frozen=True):
    """Undefined behaviour (`text`) unless `condition` holds."""

    condition: Expr
    text: str
    span: Span | None


class Assert(Instruction, frozen=True):
    """A claim's own assertion, at the place of the event.

    `values` are named values for its message, `text` replaces the claim's headline if not empty,
    and `subject` names the variable or lock that the event is about.
    """

    claim: str
    condition: Expr
    values: tuple[tuple[str, Expr], ...]
    text: str
    subject: str
    span: Span | None


class Jump(Instruction, frozen=True):
    """Go on at position `target`."""

    target: int
    span: Span | None


class Branch(Instruction, frozen=True):
    """Go on at `then` or at `otherwise`."""

    condition: Expr
    then: int
    otherwise: int
    span: Span | None


class Enter(Instruction, frozen=True):
    """The operation begins."""

    span: Span | None


class Return(Instruction, frozen=True):
    """The operation ends with `value` (None for void)."""

    value: Expr | None
    span: Span | None


class Stop(Instruction, frozen=True):
    """Nothing follows; the thread goes on to its next operation."""

    span: Span | None


Instr = (
    Assign
    | Read
    | Write
    | Exchange
    | Access
    | Drain
    | Fence
    | BeginAtomic
    | EndAtomic
    | StoreFence
    | Acquire
    | TryAcquire
    | Available
    | Release
    | Holds
    | Hypercall
    | Havoc
    | Every
    | Uninit
    | Check
    | Assert
    | Jump
    | Branch
    | Enter
    | Return
    | Stop
)
