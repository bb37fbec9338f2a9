"""Which operation of one variant stands for which of the other, and the arguments they share."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import ClassVar

from flushproof.ir.code import Cast, Const, Expr, Local, Var
from flushproof.ir.program import Operation, Parameters, Program, Role
from flushproof.ir.types import BOOL, U64, VCPU
from flushproof.support.diagnostics import EXIT_USAGE, Diagnostic, InputError
from flushproof.support.record import Record

WHOLE = Local("range.whole", BOOL)
"""Whether a flush is of everything; the name is one that keeps counterexamples plain."""


class Unpaired(Diagnostic, frozen=True, kw_only=True):
    """Variants whose operations do not correspond."""

    CODE: ClassVar[str] = "FP0701"
    TITLE: ClassVar[str] = (
        "the variants cannot be compared: the old one has {old} `{role}` operations, the new {new}"
    )
    HELP: ClassVar[str] = "give both the same operations, with --spec or as spec files"
    EXIT: ClassVar[int] = EXIT_USAGE

    role: str
    old: int
    new: int


class NoCommonRange(Diagnostic, frozen=True, kw_only=True):
    """Flushes that cannot be given the same range."""

    CODE: ClassVar[str] = "FP0702"
    TITLE: ClassVar[str] = (
        "`{old}` and `{new}` cannot be compared: one flushes everything, the other only ranges"
    )
    EXIT: ClassVar[int] = EXIT_USAGE

    old: str
    new: str


class Pair(Record, frozen=True):
    """Two operations under the same arguments.

    `old_given` and `new_given` say what each parameter is in terms of those of `parameters`.
    """

    old: Operation
    new: Operation
    parameters: Parameters
    old_given: Mapping[Local, Expr]
    new_given: Mapping[Local, Expr]

    @property
    def role(self) -> Role:
        """What both are to the machine."""
        return self.old.role

    @property
    def name(self) -> str:
        """The name of the two as one operation."""
        return self.old.name


def pair_up(old: Program, new: Program) -> tuple[Pair, ...]:
    """Pair operations of one role: by name where the names are the same, else in their order.

    Raises:
        InputError: the numbers of operations differ, or two of them take no range in common.
    """
    return tuple(p for role in (Role.FLUSH, Role.LOAD) for p in _of_role(old, new, role))


def _of_role(old: Program, new: Program, role: Role) -> Iterator[Pair]:
    olds, news = old.of(role), new.of(role)
    if len(olds) != len(news):
        raise InputError(Unpaired(span=None, role=str(role), old=len(olds), new=len(news)))
    named = {o.name: o for o in news}
    same = set(named) == {o.name for o in olds}
    for position, o in enumerate(olds):
        yield _pair(o, named[o.name] if same else news[position])


def _pair(old: Operation, new: Operation) -> Pair:
    a, b = old.parameters, new.parameters
    free = _free(a.free, b.free)
    whole = _whole(old, new)
    ranged = a.start is not None and b.start is not None
    shared = Parameters(
        vcpu=None if a.vcpu is None else Local("vcpu", VCPU),
        root=None if a.root is None else Local("root", U64),
        whole=WHOLE if whole == Var(WHOLE) else None,
        start=Local("range.start", U64) if ranged else None,
        pages=Local("range.pages", U64) if ranged else None,
        free=free,
    )
    return Pair(old, new, shared, _given(a, shared, whole), _given(b, shared, whole))


def _free(old: tuple[Local, ...], new: tuple[Local, ...]) -> tuple[Local, ...]:
    """Return the other parameters, position by position, as the longer list has them."""
    longer = old if len(old) >= len(new) else new
    return tuple(Local(f"free.{k}", x.type) for k, x in enumerate(longer))


def _whole(old: Operation, new: Operation) -> Expr:
    """Return whether everything is flushed: as the caller likes where both leave that open."""
    both = (old.parameters, new.parameters)
    always = any(p.start is None for p in both)
    never = any(p.start is not None and p.whole is None for p in both)
    if always and never:
        raise InputError(NoCommonRange(span=None, old=old.name, new=new.name))
    if always or never:
        return Const(int(always), BOOL)
    return Var(WHOLE)


def _given(own: Parameters, shared: Parameters, whole: Expr) -> dict[Local, Expr]:
    out: dict[Local, Expr] = {}
    pairs = ((own.vcpu, shared.vcpu), (own.root, shared.root))
    for mine, other in (*pairs, (own.start, shared.start), (own.pages, shared.pages)):
        if mine is not None:
            out[mine] = Const(0, U64) if other is None else Var(other)
    if own.whole is not None:
        out[own.whole] = whole
    for mine, other in zip(own.free, shared.free, strict=False):
        out[mine] = Var(other) if mine.type == other.type else Cast(Var(other), mine.type)
    return out
