"""Reads of a field that go on as an earlier read does, and so may as well go back to that.

In `old = READ_ONCE(x); while (!try_cmpxchg(&x, &old, old + 1)) ;` a failure puts what it found
into `old`. To go back to the first read instead finds that as well, if at the same moment. If it
finds something at a later moment, the exchange could have been made then: either it would have
found the same, or what it compares with, and then the thread is as it was before the exchange.

Lemma L11 of docs/soundness.md.
"""

from __future__ import annotations

from collections.abc import Iterator

from flushproof.ir.analysis.control_flow import successor_positions
from flushproof.ir.analysis.def_use import defined_local, locals_of, map_expr
from flushproof.ir.code import (
    Assign,
    Binary,
    Branch,
    Exchange,
    Expr,
    Instr,
    Jump,
    Local,
    Read,
    Var,
)
from flushproof.ir.passes.cleanup import Code, live_locals
from flushproof.ir.passes.round_walk import (
    LARGE,
    MOST,
    Known,
    NoRoundError,
    StraightWay,
    is_entered,
    new_name,
    put_known,
    straight_path,
)
from flushproof.support.record import Record, replace


def read_again(code: Code, at: int, read: Read) -> Code | None:
    """Return the code in which another read, or a failed exchange, goes back to a read.

    None where no other goes on as the read does.
    """
    if read.until is not None:
        return None
    old = Local(new_name(code), read.field.type)
    steps = dict(_steps(code, at + 1, {read.target: Var(old)}))
    first = _First(code, at, read, old, steps)
    ways = (first.go_back(k, i) for k, i in enumerate(code) if k != at)
    return next((way for way in ways if way is not None), None)


def _steps(code: Code, at: int, known: Known) -> Iterator[tuple[int, Known]]:
    """Yield the positions of a straight path, each with what locals hold there."""
    path = straight_path(code, at, known)
    for k in () if path is None else (*path.passed, path.end):
        yield k, known
        instr = code[k]
        if isinstance(instr, Assign):
            known = {**known, instr.target: put_known(instr.value, known)}


class _First(Record, frozen=True):
    """A read, what its value is called, and what locals hold on the straight path behind it."""

    code: Code
    at: int
    read: Read
    old: Local
    steps: dict[int, Known]

    def go_back(self, k: int, instr: Instr) -> Code | None:
        """Return the code in which another access goes back to the read, None if it may not."""
        match instr:
            case Read(until=None) if self._is_alike(instr):
                path = self._joining(k + 1, {instr.target: Var(self.old)})
                if path is not None and self._is_same(path, frozenset(), self.old):
                    return self._with(k, Jump(self.at, instr.span))
                return None
            case Exchange(until=None) if instr.compare is not None and self._is_of(instr):
                return self._fail_back(k, instr, instr.compare)
            case _:
                return None

    def _is_alike(self, other: Read) -> bool:
        return self._is_of(other) and other.mode == self.read.mode

    def _is_of(self, other: Read | Exchange) -> bool:
        return (other.field, other.index) == (self.read.field, self.read.index)

    def _with(self, k: int, instr: Instr) -> Code:
        return (*self.code[:k], instr, *self.code[k + 1 :])

    def _joining(self, start: int, known: Known) -> StraightWay | None:
        """Return the straight path from a position to where the read leads as well."""
        passed: list[int] = []
        try:
            for k, here in _steps(self.code, start, known):
                if k in self.steps:
                    return StraightWay(k, here, tuple(passed))
                passed.append(k)
        except NoRoundError:
            pass
        return None

    def _is_same(self, path: StraightWay, changed: frozenset[Local], found: Local) -> bool:
        """Tell whether a path ends with the locals as the read would have them.

        `found` is what the path has found, in the place of what was read. `changed` may have other
        values there than before the read.
        """
        live = live_locals(self.code)[path.end]
        theirs = {x: self._reading(x, path.end, found) for x in live}
        settled = (changed.isdisjoint(locals_of(e)) for e in theirs.values())
        return all(e == path.known.get(x, Var(x)) for x, e in theirs.items()) and all(settled)

    def _reading(self, x: Local, at: int, found: Local) -> Expr:
        """Return what a local holds at a position behind the read, had it found some value."""
        e = self.steps[at].get(x, Var(x))
        return map_expr(e, lambda y: Var(found if y == self.old else y))

    # A failed exchange -----------------------------------------------------------------------

    def _fail_back(self, x: int, exchange: Exchange, compare: Expr) -> Code | None:
        now = Local(f"{self.old.name}.now", self.old.type)
        wanted: set[Expr] = {Var(now), Var(self.old)}
        try:
            known = self._known_before(x)
            if known is None or put_known(compare, known) != Var(self.old):
                return None
            found = straight_path(self.code, x + 1, {**known, exchange.target: Var(now)})
            if found is None or (ways := self._ways(found.end, found.known, wanted)) is None:
                return None
            won, lost = ways
            path = self._lost(lost, found.known, wanted)
        except NoRoundError:
            return None
        if path is None:
            return None
        tail = {*found.passed, found.end, *path.passed}
        inside = self._inside() | {x}
        changed = {y for k in {self.at, *inside, *tail} if (y := defined_local(self.code[k]))}
        moved = exchange.index is not None and changed.intersection(locals_of(exchange.index))
        entered = (
            is_entered(self.code, self.at, inside, tail)
            or is_entered(self.code, x, {*found.passed, found.end})
            or won in inside
        )
        same = self._is_same(path, frozenset(changed), now)
        if entered or moved or not same:
            return None
        branch = self.code[found.end]
        assert isinstance(branch, Branch)
        then, otherwise = (won, self.at) if branch.then != lost else (self.at, won)
        return self._with(found.end, replace(branch, then=then, otherwise=otherwise))

    def _known_before(self, x: int) -> Known | None:
        """Return what locals hold before an exchange, whichever way the read leads there."""
        found: list[Known] = []
        gone: list[int] = []

        def go_on(at: int, known: Known, path: tuple[int, ...]) -> None:
            gone.append(at)
            if at in path or len(path) > LARGE or len(gone) > MOST:
                raise NoRoundError
            match self.code[at]:
                case Assign(target, value):
                    go_on(at + 1, {**known, target: put_known(value, known)}, (*path, at))
                case Jump(target):
                    go_on(target, known, (*path, at))
                case Branch(_, then, otherwise):
                    go_on(then, known, (*path, at))
                    go_on(otherwise, known, (*path, at))
                case _ if at == x:
                    found.append(known)
                case _:
                    pass

        go_on(self.at + 1, {self.read.target: Var(self.old)}, ())
        return found[0] if found and all(known == found[0] for known in found) else None

    def _ways(self, at: int, known: Known, wanted: set[Expr]) -> tuple[int, int] | None:
        """Return where it goes on if an exchange finds what it compares with, and if not."""
        instr = self.code[at]
        if not isinstance(instr, Branch):
            return None
        match put_known(instr.condition, known):
            case Binary("==", a, b) if {a, b} == wanted:
                won, lost = instr.then, instr.otherwise
            case Binary("!=", a, b) if {a, b} == wanted:
                won, lost = instr.otherwise, instr.then
            case _:
                return None
        # What is asked once more is decided.
        for _ in range(len(self.code)):
            again = self._ways_here(won, known, wanted)
            if again is None:
                break
            won = again
        return won, lost

    def _ways_here(self, at: int, known: Known, wanted: set[Expr]) -> int | None:
        match self.code[at]:
            case Jump(target):
                return target
            case Branch(condition, then, otherwise):
                match put_known(condition, known):
                    case Binary("==", a, b) if {a, b} == wanted:
                        return then
                    case Binary("!=", a, b) if {a, b} == wanted:
                        return otherwise
        return None

    def _lost(self, at: int, known: Known, wanted: set[Expr]) -> StraightWay | None:
        """Return the way of an exchange that failed to where the read leads as well."""
        passed: list[int] = []
        while at not in self.steps and at not in passed:
            passed.append(at)
            match self.code[at]:
                case Assign(target, value):
                    known = {**known, target: put_known(value, known)}
                    at += 1
                case Jump(target):
                    at = target
                case Branch():
                    ways = self._ways(at, known, wanted)
                    if ways is None:
                        return None
                    at = ways[1]
                case _:
                    return None
        return StraightWay(at, known, tuple(passed)) if at in self.steps else None

    def _inside(self) -> frozenset[int]:
        """Return the positions behind the read up to what others may notice."""
        found: set[int] = set()
        work = [self.at + 1]
        while work:
            k = work.pop()
            if k not in found and isinstance(self.code[k], (Assign, Jump, Branch)):
                found.add(k)
                work += successor_positions(self.code, k)
        return frozenset(found)
