"""Which representation each integer of a program can have without losing exactness.

Every integer variable, field and expression belongs to a class; assignments, comparisons and
arithmetic merge classes. What is done to the members of a class decides its kind:

* ROOT: reaches a hypercall or is a load's root, has 64 bits, and is only copied, compared for
  equality and, in its low 12 bits, masked or set: data-independent, an uninterpreted page number is
  exact (Wolper, POPL 1986; with constants: Lazic, 1999). The low bits are then those of constants,
  so a value from nowhere (a parameter, a result, a witness, any value) may only be copied and
  compared;
* FLAG: only its being zero matters (error codes joined by |);
* COUNT: added, subtracted, compared: an unbounded integer with explicit wrap-around;
* BITS: everything else: a bit-vector.

Lemma L3, Lemma L5 of docs/soundness.md.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from enum import StrEnum
from typing import assert_never

from flushproof.ir.analysis.classes import Classes, Flow, Mark, Slot
from flushproof.ir.analysis.def_use import operand_expressions
from flushproof.ir.code import (
    Access,
    AllFree,
    Assign,
    Binary,
    Cast,
    Const,
    Every,
    Exchange,
    Expr,
    Field,
    Havoc,
    HeldLocks,
    Hypercall,
    Instr,
    Ite,
    Local,
    NumVcpus,
    Read,
    Self,
    Unary,
    Var,
    Write,
)
from flushproof.ir.program import Operation, Program
from flushproof.ir.types import BOOL, ROOT, Int, Type
from flushproof.support.record import Record

PAGE_BITS = 12
LOW = (1 << PAGE_BITS) - 1
ROOT_BITS = 64


class Representation(StrEnum):
    """How the integers of one class are represented."""

    ROOT = "root"
    FLAG = "flag"
    COUNT = "count"
    BITS = "bits"


class Kinds(Record, frozen=True):
    """The outcome: a kind for every slot; an expression has the kind of the slots in it.

    `constants` are the constants that meet roots, `odd` those that a root can be equal to and that
    no multiple of the page size. `split` is true when low bits are set, so that a root has others
    than a constant; `exact_roots` is false when roots had to become bit-vectors.
    """

    slots: Mapping[Slot, Representation]
    constants: frozenset[int]
    odd: frozenset[int]
    split: bool
    exact_roots: bool
    roots: frozenset[Field]

    def field(self, field: Field) -> Representation:
        """Return the kind of a shared field."""
        return self.slots.get(field, Representation.COUNT)

    def local(self, operation: str, local: Local) -> Representation:
        """Return the kind of an operation's local."""
        return self.slots.get((operation, local), Representation.COUNT)

    def expr(self, operation: str, e: Expr) -> Representation | None:
        """Return the kind of an integer expression; None where a number will do, as any other."""
        match e:
            case Var(local):
                return self.local(operation, local)
            case HeldLocks():
                return Representation.BITS
            case Cast(a):
                return self.expr(operation, a) if _is_int(a.type) else None
            case Unary(op, a) if _is_int(a.type):
                return self.expr(operation, a) or (Representation.BITS if op == "~" else None)
            case Ite(_, a, b):
                return self.expr(operation, a) or self.expr(operation, b)
            case Binary(_, a, b):
                known = self.expr(operation, a) or self.expr(operation, b)
                return known or (Representation.BITS if _in_bits(e) else None)
            case _:
                return None

    def is_root(self, field: Field) -> bool:
        """Tell whether the field holds roots, whatever their representation."""
        return field in self.roots


class _Inference:
    """Walks the code of a program once; `opened` are slots whose low bits are masked or set."""

    def __init__(self) -> None:
        self.classes = Classes()
        self.flow = Flow()
        self.opened: set[Slot] = set()
        self.operation = ""
        self.fresh = 0

    def _node(self) -> int:
        self.fresh += 1
        return self.fresh

    def run(self, operation: Operation) -> None:
        self.operation = operation.name
        root = operation.parameters.root
        for given in operation.parameters.all:
            if _is_int(given.type) and given == root:
                self.classes.mark((operation.name, given), Mark.ROOT)
            elif _is_int(given.type):
                self._anything((operation.name, given))
        for instr in operation.code:
            self._instr(instr)

    def boot(self, entries: Iterable[tuple[Field, Expr]]) -> None:
        self.operation = "boot"
        for field, value in entries:
            self._flow(field, field.type, value)

    def witnesses(self, fields: Iterable[Field]) -> None:
        for field in fields:
            if _is_int(field.type):
                self._typed(field, field.type)
                self.flow.unknown.add(field)

    def finish(self) -> None:
        """Mark the classes in which the low bits of a value from nowhere matter."""
        # Low bits are booleans only where they are those of some constant. A parameter or a result
        # may have any, so where these are looked into the class is not of pages any more (L5).
        for slot in self.opened & self.flow.reached():
            self.classes.mark(slot, Mark.OPEN)

    def _anything(self, slot: Slot) -> None:
        self.flow.unknown.add(self.classes.member(slot))

    def _instr(self, instr: Instr) -> None:
        nodes = [self.expr(e) for e in operand_expressions(instr)]
        match instr:
            case Assign(target, value):
                self._flow((self.operation, target), target.type, value)
            case Read(target, field):
                self._same((self.operation, target), field, field.type)
                self._waits(instr)
            case Write(field, _, value) | Access(field, _, value):
                self._flow(field, field.type, value)
            case Exchange():
                self._exchange(instr)
            case Havoc(target) if _is_int(target.type):
                self._anything((self.operation, target))
            case Every(reads=reads):
                for local, field in reads:
                    self._same((self.operation, local), field, field.type)
            case Hypercall(target):
                self.flow.unknown.add((self.operation, target))
                if nodes[0] is not None:
                    self.classes.mark(nodes[0], Mark.ROOT)
            case _:
                pass

    def _exchange(self, i: Exchange) -> None:
        for local in (i.target, *(() if i.old is None else (i.old,))):
            self._same((self.operation, local), i.field, i.field.type)
        self._flow(i.field, i.field.type, i.value)
        if i.compare is not None:
            self._flow(i.field, i.field.type, i.compare)
            self.classes.mark(i.field, Mark.EQUAL)
        self._waits(i)

    def _waits(self, i: Read | Exchange) -> None:
        if i.until is not None:
            self._same((self.operation, i.until.seen), i.field, i.field.type)

    def _same(self, a: Slot, b: Slot, t: Type) -> None:
        if _is_int(t):
            self._typed(b, t)
            self.classes.union(a, b)
            self.flow.assign(a, (b,))

    def _typed(self, slot: Slot, t: Type) -> None:
        if t == ROOT:
            self.classes.mark(slot, Mark.ROOT)

    def _flow(self, slot: Slot, t: Type, value: Expr) -> None:
        if not _is_int(t):
            self.expr(value)
            return
        self._typed(slot, t)
        node = self.expr(value)
        self.flow.assign(slot, _sources(value, self.operation))
        if node is not None:
            self.classes.union(slot, node)

    def expr(self, e: Expr) -> Slot | None:
        """Visit an expression; its class if it is an integer."""
        node = self._visit(e)
        return node if _is_int(e.type) else None

    def _visit(self, e: Expr) -> Slot | None:  # noqa: C901 - a table of all expressions
        match e:
            case Const(value):
                return self._constants(value)
            case Var(local):
                slot = (self.operation, local)
                if _is_int(local.type):
                    self._typed(slot, local.type)
                return slot
            case NumVcpus() | Self():
                return self._marked(Mark.ARITHMETIC)
            case HeldLocks():
                return self._marked(Mark.BITS)
            case AllFree():
                return None
            case Unary():
                return self._unary(e)
            case Cast():
                return self._cast(e)
            case Ite(condition, then, otherwise):
                self.expr(condition)
                return self._join(self.expr(then), self.expr(otherwise))
            case Binary():
                return self._binary(e)
            case _:
                assert_never(e)

    def _constants(self, *values: int) -> int:
        node = self._node()
        self.classes.constants[self.classes.find(node)].update(values)
        return node

    def _marked(self, mark: Mark) -> int:
        node = self._node()
        self.classes.mark(node, mark)
        return node

    def _unary(self, e: Unary) -> Slot | None:
        node = self.expr(e.operand)
        if node is not None:
            self.classes.mark(node, Mark.ARITHMETIC if e.op == "-" else Mark.BITS)
        return node

    def _cast(self, e: Cast) -> Slot | None:
        inner = self.expr(e.operand)
        if e.operand.type == BOOL:
            return self._constants(0, 1)
        if inner is None:
            return self._marked(Mark.ARITHMETIC)
        if not _is_int(e.type):
            self.classes.mark(inner, Mark.ARITHMETIC)
        # As `(u32)root`: what is cut off may tell two roots apart that are equal behind it. Even a
        # flag is lost, as 1 << 32 becomes 0.
        elif not _keeps(e.operand.type, e.type):
            self.classes.mark(inner, Mark.CONVERT)
        elif isinstance(e.operand.type, Int) and e.operand.type.width < ROOT_BITS:
            self.classes.mark(inner, Mark.NARROW)
        self._typed(inner, e.type)
        return inner

    def _join(self, a: Slot | None, b: Slot | None) -> Slot | None:
        return None if a is None or b is None else self.classes.union(a, b)

    def _binary(self, e: Binary) -> Slot | None:
        a, b = self.expr(e.left), self.expr(e.right)
        if a is None or b is None:
            return None
        # A test for 0 asks no more than that, so it joins no class and marks none: error codes that
        # are only tested and joined by `|` stay flags (L3).
        if e.op in ("==", "!=") and _zero(e.left, e.right):
            return None
        both = self.classes.union(a, b)
        mark = _binary_mark(e)
        self.classes.mark(both, mark)
        if mark in (Mark.OR, Mark.LOW):
            self.opened.update(_sources(e, self.operation))
        return both


def _sources(e: Expr, operation: str) -> Iterator[Slot]:
    """Yield the locals whose values the value of an integer expression is made of."""
    match e:
        case Var(local):
            yield operation, local
        case Unary(_, a) | Cast(a) if e.type != BOOL:
            yield from _sources(a, operation)
        case Binary(_, a, b) | Ite(_, a, b) if e.type != BOOL:
            yield from _sources(a, operation)
            yield from _sources(b, operation)
        case _:
            pass


def _in_bits(e: Binary) -> bool:
    """Tell whether an operation on numbers is one on their bits, or neither a sum nor a test."""
    return _is_int(e.type) and e.op not in ("+", "-")


def _is_int(t: Type) -> bool:
    return isinstance(t, Int) and t != BOOL


def _keeps(inner: Type, outer: Type) -> bool:
    if not isinstance(inner, Int) or not isinstance(outer, Int):
        return True
    return outer.includes(inner)


def _zero(*sides: Expr) -> bool:
    return any(isinstance(s, Const) and s.value == 0 for s in sides)


def _binary_mark(e: Binary) -> Mark:
    match e.op:
        case "==" | "!=":
            return Mark.EQUAL
        case "+" | "-" | "<" | "<=" | ">" | ">=":
            return Mark.ARITHMETIC
        case "|":
            return Mark.OR
        case "&" if any(_page_mask(s) for s in (e.left, e.right)):
            return Mark.LOW
        case _:
            return Mark.BITS


def _page_mask(e: Expr) -> bool:
    """Tell whether a mask keeps all of the page number or none of it."""
    if not isinstance(e, Const) or not isinstance(e.type, Int):
        return False
    return _is_page_mask(e.value, e.type.width)


def _is_page_mask(mask: int, width: int) -> bool:
    ones = (1 << width) - 1
    return mask & ones <= LOW or (mask & ones) | LOW == ones


_ROOT_MARKS = {Mark.ROOT, Mark.EQUAL, Mark.OR, Mark.LOW}


def _kind(marks: set[Mark], *, exact_roots: bool) -> Representation:
    if Mark.ROOT in marks:
        return Representation.ROOT if exact_roots and marks <= _ROOT_MARKS else Representation.BITS
    marks = marks - {Mark.NARROW, Mark.OPEN}
    if marks <= {Mark.OR}:
        return Representation.FLAG
    if marks & {Mark.OR, Mark.LOW, Mark.BITS}:
        return Representation.BITS
    return Representation.COUNT


def infer_kinds(program: Program, *, exact_roots: bool = True) -> Kinds:
    """Find the kinds of a program; with `exact_roots` off, roots are bit-vectors."""
    inference = _Inference()
    for operation in program.operations:
        inference.run(operation)
    inference.boot(program.boot)
    inference.witnesses(program.witnesses)
    inference.finish()
    classes = inference.classes
    heads = {slot: classes.find(slot) for slot in list(classes.parent)}
    # One class of roots that is added to, or masked otherwise, makes all roots bit-vectors: they
    # have one sort, and one set of constants that differ from each other.
    roots = [h for h in set(heads.values()) if Mark.ROOT in classes.marks[h]]
    exact = exact_roots and all(classes.marks[h] <= _ROOT_MARKS for h in roots)
    constants = frozenset(v for h in roots for v in classes.constants[h])
    kinds = {s: _kind(classes.marks[h], exact_roots=exact) for s, h in heads.items()}
    return Kinds(
        slots={s: k for s, k in kinds.items() if not isinstance(s, int)},
        constants=constants,
        odd=_odd(constants),
        split=any(Mark.OR in classes.marks[h] for h in roots),
        exact_roots=exact,
        roots=frozenset(
            s for s, h in heads.items() if isinstance(s, Field) and Mark.ROOT in classes.marks[h]
        ),
    )


def _odd(constants: frozenset[int]) -> frozenset[int]:
    """Return what roots can be equal to that is not aligned: constants, also masked by others."""
    # A mask makes new constants of old ones (`INVALID_PAGE & PAGE_MASK`), and masks of these more:
    # a root may be equal to any of them.
    found = constants | {(1 << ROOT_BITS) - 1}
    while True:
        more = found | {a & b for a in found for b in constants if _is_page_mask(b, ROOT_BITS)}
        if more == found:
            return frozenset(v for v in found if v & LOW)
        found = more
