"""Facts of a claimed invariant as terms over a state and the locals of threads.

Each value is extended by its own sign to a width at which no sum of a fact can wrap around.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import assert_never

from flushproof.ir.code import Field, FieldScope, Local
from flushproof.ir.invariant import (
    FLUSHER,
    Bitwise,
    Cell,
    Fact,
    FactComparison,
    FixedNumber,
    FlusherNumber,
    ReaderCount,
    Sum,
    Term,
    ThreadLocal,
    TrackedVcpu,
    VcpuCount,
)
from flushproof.ir.types import INT, Int, Type
from flushproof.support.record import Record, replace
from flushproof.verify.proof_checker import terms as t
from flushproof.verify.proof_checker.code_paths import NotUnderstood
from flushproof.verify.proof_checker.machine_state import COUNT, StateSpace, StateTerms

_RELATIONS = {"<": "bvslt", "<=": "bvsle", ">": "bvsgt", ">=": "bvsge"}
_BITWISE = {"&": "bvand", "|": "bvor", "^": "bvxor", ">>": "bvashr"}


class View(Record, frozen=True):
    """What facts are about: a state, tracked vCPUs, and each thread's number and locals.

    `local` gives the term of a local of a thread; a thread has the locals of one operation.
    """

    state: StateTerms
    tracked: tuple[str, ...]
    threads: Mapping[int, str]
    local: Callable[[int, Local], str]
    known: Mapping[int, Mapping[str, Local]]


class FactTranslation:
    """Translates facts for one program."""

    def __init__(self, space: StateSpace) -> None:
        self.space = space

    def hold(self, facts: Iterable[Fact], view: View) -> str:
        """Return that all facts hold.

        Raises:
            NotUnderstood: a fact speaks of what is not there.
        """
        return t.all_of(t.any_of(self._comparison(c, view) for c in fact) for fact in facts)

    def _comparison(self, c: FactComparison, view: View) -> str:
        wide = Int(max(self._bits(c.left, view), self._bits(c.right, view)), signed=True)
        a, b = self.exact(c.left, view, wide), self.exact(c.right, view, wide)
        match c.relation:
            case "==":
                return t.make_equality(a, b)
            case "!=":
                return t.negate_term(t.make_equality(a, b))
            case _:
                return f"({_RELATIONS[c.relation]} {a} {b})"

    def _bits(self, term: Term, view: View) -> int:
        """Return how many bits a value with a sign needs, so that nothing in it wraps around."""
        match term:
            case FixedNumber(value):
                return value.bit_length() + 1
            case Sum(terms):
                return max(self._bits(x, view) for x in terms) + len(terms)
            case Bitwise(_, left, right):
                return max(self._bits(left, view), self._bits(right, view))
            case _:
                word = t.word_of(self._leaf(term, view)[1])
                return word.width + (not word.signed)

    def exact(self, term: Term, view: View, wide: Int = t.EXACT) -> str:
        """Return the value of a term, extended to a width at which nothing in it wraps around."""
        if self._bits(term, view) > t.EXACT.width:
            raise NotUnderstood("a value of too many bits")
        match term:
            case FixedNumber(value):
                return t.make_constant(value, wide)
            case Sum(terms):
                if len(terms) < 2:
                    raise NotUnderstood("a sum of nothing")
                total = self.exact(terms[0], view, wide)
                for x in terms[1:]:
                    total = f"(bvadd {total} {self.exact(x, view, wide)})"
                return total
            case Bitwise(op, left, right):
                parts = f"{self.exact(left, view, wide)} {self.exact(right, view, wide)}"
                return f"({_BITWISE[op]} {parts})"
            case _:
                found, type_ = self._leaf(term, view)
                return t.convert_value(found, type_, wide)

    def _leaf(self, term: Term, view: View) -> tuple[str, Type]:
        match term:
            case VcpuCount() | FlusherNumber() | TrackedVcpu():
                return _thread_number(term, view), INT
            case Cell(name, vcpu):
                return self._cell(name, vcpu, view)
            case ReaderCount(lock, thread):
                if thread not in view.threads or lock not in view.state.reads:
                    raise NotUnderstood(f"no readers of `{lock}`")
                count = self.space.reader_count(view.state, lock, view.threads[thread])
                return count, Int(32, signed=False)
            case ThreadLocal(thread, name):
                known = view.known.get(thread, {})
                if name not in known:
                    raise NotUnderstood(f"no local `{name}`")
                return view.local(thread, known[name]), known[name].type
            case FixedNumber() | Sum() | Bitwise():
                raise NotUnderstood("a part of a value that is none")
            case _:
                assert_never(term)

    def _cell(self, name: str, vcpu: int | None, view: View) -> tuple[str, Type]:
        f = self.space.fields.get(name)
        if f is None or (f.scope == "vcpu") != (vcpu is not None):
            raise NotUnderstood(f"no field `{name}`")
        if name in self.space.written and name not in view.state.fields:
            raise NotUnderstood(f"`{name}` where facts are about locals alone")
        index = None if vcpu is None else _nth(view.tracked, vcpu)
        return self.space.read(view.state, f, index), f.type


def _thread_number(term: VcpuCount | FlusherNumber | TrackedVcpu, view: View) -> str:
    match term:
        case VcpuCount():
            return COUNT
        case FlusherNumber():
            if FLUSHER not in view.threads:
                raise NotUnderstood("the number of the flusher where facts are about locals alone")
            return view.threads[FLUSHER]
        case TrackedVcpu(k):
            return _nth(view.tracked, k)
        case _:
            assert_never(term)


def _nth(tracked: tuple[str, ...], k: int) -> str:
    if not 0 <= k < len(tracked):
        raise NotUnderstood("a vCPU that is not tracked")
    return tracked[k]


def value_holds(translation: FactTranslation, name: str, facts: Iterable[Fact], value: str) -> str:
    """Return that facts about one field hold of a value.

    Raises:
        NotUnderstood: a fact speaks of anything else.
    """
    alone = FactTranslation(_OneValue(translation.space, name, value))
    return alone.hold(facts, View(StateTerms({}, {}), (), {}, _no_local, {}))


class _OneValue(StateSpace):
    """A state space with one field, which has one value."""

    def __init__(self, space: StateSpace, name: str, value: str) -> None:
        self.fields = {name: replace(space.fields[name], scope=FieldScope.VM)}
        self.written = frozenset()
        self.value = value

    def read(self, _state: StateTerms, _f: Field, _index: str | None) -> str:
        """Return the value."""
        return self.value


def _no_local(_: int, x: Local) -> str:
    raise NotUnderstood(f"no local `{x.name}`")
