"""Facts of a claimed invariant as terms over a state and the locals of threads.

Values are integers, so no sum of a fact wraps around.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping

from flushproof.ir import invariant as inv
from flushproof.ir.code import Field, FieldScope
from flushproof.ir.invariant import Fact, Term
from flushproof.ir.types import BOOL, INT, U32, Int, Type
from flushproof.support.record import Record
from flushproof.verify.proof_checker import terms as t
from flushproof.verify.proof_checker.machine_integers import (
    apply_bitwise,
    apply_shift,
    convert_value,
)
from flushproof.verify.proof_checker.machine_state import State, StateSpace, readers_of
from flushproof.verify.proof_checker.terms import NotUnderstood

_WIDEST = 70
"""Bits of what `&`, `|` and `^` take: any value, a root with `NONE` beside it included."""

Typed = tuple[str, Type]
"""A term, and its type."""

Lookup = Callable[[Term], Typed]
"""Gives what a name in a fact stands for; raises `NotUnderstood` where it is not there."""


def state_facts(facts: Iterable[Fact], find: Lookup) -> str:
    """Return that all facts hold."""
    return t.all_of(t.any_of(_compare(c, find) for c in fact) for fact in facts)


def _compare(c: inv.FactComparison, find: Lookup) -> str:
    a, b = exact_value(c.left, find), exact_value(c.right, find)
    if c.relation == "==":
        return t.make_equality(a, b)
    return t.make_difference(a, b) if c.relation == "!=" else f"({c.relation} {a} {b})"


def exact_value(term: Term, find: Lookup) -> str:
    """Return the value of a term; nothing in it wraps around."""
    match term:
        case inv.FixedNumber(value):
            return t.make_integer(value)
        case inv.Sum(terms):
            return f"(+ 0 {' '.join(exact_value(x, find) for x in terms)})"
        case inv.Bitwise(op, left, right):
            wide = Int(max(_width(left, find), _width(right, find)), signed=True)
            a, b = exact_value(left, find), exact_value(right, find)
            return apply_shift(op, a, b, wide) if op == ">>" else apply_bitwise(op, a, b, wide)
        case _:
            found, type_ = find(term)
            return convert_value(found, type_, INT) if type_ == BOOL else found


def _width(term: Term, find: Lookup) -> int:
    """Return how many bits a value with a sign needs.

    Raises:
        NotUnderstood: these are too many.
    """
    match term:
        case inv.FixedNumber(value):
            width = value.bit_length() + 1
        case inv.Sum(terms):
            width = max((_width(x, find) for x in terms), default=1) + len(terms)
        case inv.Bitwise(_, left, right):
            width = max(_width(left, find), _width(right, find))
        case _:
            word = t.word_of(find(term)[1])
            width = word.width + (not word.signed)
    if width > _WIDEST:
        raise NotUnderstood("a value of too many bits")
    return width


class View(Record, frozen=True):
    """What facts are about: a state, and each thread's number and locals.

    Facts about locals alone are about no state and no numbers.
    """

    space: StateSpace
    state: State
    numbers: Mapping[int, str]
    local: Callable[[int, str], Typed | None]

    def of_locals(self, thread: int) -> View:
        """Return what facts about the locals of one thread are about, whichever it is.

        Whose number is meant would hang on where such a fact is used, so none has a name.
        """

        def local(k: int, name: str) -> Typed | None:
            return self.local(thread, name) if k == inv.FLUSHER else None

        return View(self.space, {}, {}, local)

    def find(self, term: Term) -> Typed:
        """Return what a name stands for."""
        match term:
            case inv.VcpuCount():
                return t.COUNT, INT
            case inv.FlusherNumber():
                return self._number(inv.FLUSHER), INT
            case inv.TrackedVcpu(k):
                return self._number(k + 1), INT
            case inv.Cell(name, vcpu):
                return self._cell(name, vcpu)
            case inv.ReaderCount(lock, thread):
                if readers_of(lock) not in self.state:
                    raise NotUnderstood(f"no readers of `{lock}`")
                reads = self.state[readers_of(lock)]
                return self.space.script.select(reads, self._number(thread), U32), U32
            case inv.ThreadLocal(thread, name):
                found = self.local(thread, name)
                if found is None:
                    raise NotUnderstood(f"no local `{name}`")
                return found
            case inv.FixedNumber() | inv.Sum() | inv.Bitwise():
                raise NotUnderstood("a part of a value that is none")

    def _number(self, thread: int) -> str:
        if thread not in self.numbers:
            who = "the flusher" if thread == inv.FLUSHER else "a vCPU that is not tracked"
            raise NotUnderstood(f"the number of {who}")
        return self.numbers[thread]

    def _cell(self, name: str, vcpu: int | None) -> Typed:
        f = self.space.fields.get(name)
        if f is None or (f.scope is FieldScope.VCPU) != (vcpu is not None):
            raise NotUnderstood(f"no field `{name}`")
        if name in self.space.written and name not in self.state:
            raise NotUnderstood(f"`{name}` where facts are about locals alone")
        index = None if vcpu is None else self._number(vcpu + 1)
        return self.space.read(self.state, f, index), f.type


def value_facts(values: Mapping[str, tuple[Fact, ...]], f: Field, value: str) -> str:
    """Return that the facts about a field hold of a value."""

    def find(term: Term) -> Typed:
        match term:
            case inv.VcpuCount():
                return t.COUNT, INT
            case inv.Cell(name, None) if name == f.name:
                return value, f.type
            case _:
                raise NotUnderstood(f"a fact about `{f.name}` alone speaks of something else")

    return state_facts(values.get(f.name, ()), find)
