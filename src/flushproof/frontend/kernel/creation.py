"""What a function that creates a VM or a vCPU leaves in its members, on every way that succeeds.

In: the function, parsed. Out: the values that each member may have at the end, zero where none is
assigned. A way that ends in an error makes no VM or vCPU and does not count. Ways are told apart by
which members are set and by which local variables are known to be zero or not; what cannot be
followed makes every member any value.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import cached_property

from flushproof.frontend.c import syntax as c
from flushproof.frontend.c.walk import children, walk
from flushproof.frontend.kernel.created_object import is_created
from flushproof.frontend.kernel.name_resolution import Body, ResolvedNames
from flushproof.frontend.kernel.objects import FILLS, Places
from flushproof.frontend.kernel.setters import Setters
from flushproof.frontend.kernel.state import read_through
from flushproof.frontend.kernel.type_inference import scope_of
from flushproof.frontend.kernel.ways import (
    ANYTHING,
    ZERO,
    Key,
    Way,
    Ways,
    changed_places,
    forget_variables,
    number_of,
    target_of,
    value_of,
)
from flushproof.support.diagnostics import InputError
from flushproof.support.record import replace

_DEEPEST = 8
_MOST = 256
_SETS = frozenset({"__write_marked", "atomic_set", "atomic64_set"})
_ERRORS = frozenset({"ERR_PTR", "ERR_CAST"})


class Lost(Exception):  # noqa: N818 - it ends the walk and is no error
    """The code cannot be followed."""


@dataclass
class _Frame:
    """One function that is gone through."""

    body: Body
    ended: set[tuple[Way, bool | None]] = field(default_factory=set)
    jumps: dict[str, set[Way]] = field(default_factory=dict)
    breaks: set[Way] = field(default_factory=set)
    placed: set[str] = field(default_factory=set)


@dataclass
class Creation:
    """Goes through creating functions; `visited` are those met, as (file, name)."""

    known: ResolvedNames
    keys: frozenset[Key]
    visited: set[tuple[str, str]] = field(default_factory=set)
    _frames: list[_Frame] = field(default_factory=list)

    @cached_property
    def _setters(self) -> Setters:
        return Setters(self.known, Places(self.known, self.keys))

    @property
    def believed(self) -> frozenset[str]:
        """The functions that are believed to set no member of what they are given."""
        return frozenset(self._setters.believed)

    def of(self, body: Body) -> dict[Key, frozenset[str]]:
        """Return the values that a function may leave in the members that it sets."""
        try:
            ended = self._function(body, frozenset({Way()}))
        except (Lost, InputError, RecursionError):
            self._frames.clear()
            return {k: frozenset({ANYTHING}) for k in self.keys}
        ways = [w for w, zero in ended if not _failed(body, zero)] or [w for w, _ in ended]
        found: dict[Key, frozenset[str]] = {}
        for key in {k for w in ways for k, _ in w.members}:
            found[key] = frozenset(dict(w.members).get(key, ZERO) for w in ways)
        return found

    # Functions ----------------------------------------------------------------------------------

    def _function(self, body: Body, ways: Ways) -> set[tuple[Way, bool | None]]:
        f = body.function
        if len(self._frames) >= _DEEPEST or f.body is None:
            raise Lost
        self.visited.add((body.where.name, f.name))
        self._frames.append(_Frame(body))
        fell = self._statement(f.body, ways)
        frame = self._frames.pop()
        if frame.jumps.keys() - frame.placed:
            raise Lost
        return frame.ended | {(w, None) for w in fell}

    @property
    def _frame(self) -> _Frame:
        return self._frames[-1]

    # Statements ---------------------------------------------------------------------------------

    def _statement(self, s: c.Stmt, ways: Ways) -> Ways:  # noqa: C901, PLR0912 - a table
        if len(ways) > _MOST:
            raise Lost
        match s:
            case c.Block(statements):
                for inner in statements:
                    ways = self._statement(inner, ways)
                return ways
            case c.Declaration(_, _, declarators):
                for d in declarators:
                    if d.initialiser is not None:
                        target = c.Name(d.declarator.name, d.span)
                        ways = self._given(target, d.initialiser, ways)
                return ways
            case c.ExprStatement(expression):
                return self._run(expression, ways)
            case c.If(condition, then, otherwise):
                yes, no = self._test(condition, ways)
                no = no if otherwise is None else self._statement(otherwise, no)
                return self._statement(then, yes) | no
            case c.ReturnStatement(value):
                self._return(value, ways)
                return frozenset()
            case c.Goto(label):
                if label in self._frame.placed and ways:
                    raise Lost
                self._frame.jumps.setdefault(label, set()).update(ways)
                return frozenset()
            case c.LabelledStatement(name, inner):
                self._frame.placed.add(name)
                return self._statement(inner, ways | self._frame.jumps.get(name, set()))
            case c.DoWhile(inner, condition):
                return self._loop((), inner, condition, ways, once=True)
            case c.While(condition, inner):
                return self._loop((), inner, condition, ways)
            case c.For(start, test, step, inner):
                ways = self._statement(start, ways)
                parts = () if step is None else (step,)
                return self._loop(parts, inner, test, ways)
            case c.ForEachVcpu(_, _, _, inner):
                return self._loop((), inner, None, ways)
            case c.Break() | c.Continue():
                self._frame.breaks.update(ways)
                return frozenset()
            case c.Empty():
                return ways
            case c.Switch() | c.CaseLabel():
                return self._branches(s, ways)

    def _loop(
        self,
        steps: tuple[c.Expr, ...],
        inner: c.Stmt,
        test: c.Expr | None,
        ways: Ways,
        *,
        once: bool = False,
    ) -> Ways:
        """Go round not at all, once or twice; what is set in a round is the same each time."""
        outer, self._frame.breaks = self._frame.breaks, set()
        fixed = None if test is None else number_of(test)
        after: Ways = frozenset()
        for number in range(1 if once and fixed == 0 else 2):
            start = ways
            if test is not None and not (once and number == 0):
                start, out = self._test(test, ways)
                after |= out
            ways = self._statement(inner, start)
            for step in steps:
                ways = self._run(step, ways)
        after |= ways | self._frame.breaks
        self._frame.breaks = outer
        if once and fixed == 0:
            return after
        return forget_variables(
            after, {t.id for t in changed_places(inner) if isinstance(t, c.Name)}
        )

    def _branches(self, s: c.Stmt, ways: Ways) -> Ways:
        """Go through a switch: what may be set in it may be anything behind it."""
        touched = {
            k for node in walk(s) for k in self._setters.places.stored(self._frame.body, node)
        }
        jumps = c.Goto | c.ReturnStatement | c.LabelledStatement
        if any(isinstance(node, jumps) for node in walk(s)):
            touched = set(self.keys)
            for node in walk(s):
                if isinstance(node, c.Goto):
                    self._frame.jumps.setdefault(node.label, set()).update(
                        w.given(touched, ANYTHING) for w in ways
                    )
                if isinstance(node, c.LabelledStatement):
                    self._frame.placed.add(node.name)
        if any(
            isinstance(n, c.CallExpr) and self._setters.inner(n, self._frame.body) is not None
            for n in walk(s)
        ):
            touched = set(self.keys)
        names = {t.id for t in changed_places(s) if isinstance(t, c.Name)}
        after = frozenset(w.given(touched, ANYTHING) if touched else w for w in ways)
        return forget_variables(after, names)

    def _return(self, value: c.Expr | None, ways: Ways) -> None:
        if value is None:
            self._frame.ended |= {(w, None) for w in ways}
            return
        yes, no = self._test(value, ways)
        match value:
            case c.CallExpr(c.Name(name)) if name in _ERRORS:
                self._frame.ended |= {(w, True) for w in yes | no}
                return
            case _:
                pass
        both = yes & no
        self._frame.ended |= {(w, None) for w in both}
        self._frame.ended |= {(w, False) for w in yes - both}
        self._frame.ended |= {(w, True) for w in no - both}

    # Expressions --------------------------------------------------------------------------------

    def _test(self, e: c.Expr, ways: Ways) -> tuple[Ways, Ways]:
        """Return the ways on which a condition is true, and those on which it is not."""
        number = number_of(e)
        if number is not None:
            return (ways, frozenset()) if number else (frozenset(), ways)
        match e:
            case c.UnaryExpr("!", operand):
                yes, no = self._test(operand, ways)
                return no, yes
            case c.CastExpr(_, _, operand) if not self._setters.places.disguised(
                self._frame.body, e
            ):
                return self._test(operand, ways)
            case c.BinaryExpr("&&", left, right):
                yes, no = self._test(left, ways)
                second, other = self._test(right, yes)
                return second, no | other
            case c.BinaryExpr("||", left, right):
                yes, no = self._test(left, ways)
                second, other = self._test(right, no)
                return yes | second, other
            case c.BinaryExpr("<", c.Name(name), c.Number(0)):
                maybe = frozenset(w for w in ways if w.is_zero(name) is not True)
                return frozenset(w.known(name, False) for w in maybe), ways  # noqa: FBT003
            case c.BinaryExpr("==" | "!=" as op, c.Name() as left, c.Number(0)):
                yes, no = self._test(left, ways)
                return (yes, no) if op == "!=" else (no, yes)
            case c.Name(name) if name in scope_of(self.known, self._frame.body.function):
                return (
                    frozenset(w.known(name, False) for w in ways if w.is_zero(name) is not True),  # noqa: FBT003
                    frozenset(w.known(name, True) for w in ways if w.is_zero(name) is not False),  # noqa: FBT003
                )
            case c.AssignExpr("=", c.Name() as target, _):
                return self._test(target, self._run(e, ways))
            case _:
                after = self._run(e, ways)
                return after, after

    def _run(self, e: c.Expr, ways: Ways) -> Ways:
        """Return the ways after an expression is evaluated."""
        match e:
            case c.AssignExpr("=", target, value):
                return self._given(target, value, ways)
            case c.BinaryExpr("&&" | "||", left, right):
                after = self._run(left, ways)
                return after | self._run(right, after)
            case c.Conditional(condition, then, otherwise):
                after = self._run(condition, ways)
                first = after if then is None else self._run(then, after)
                return first | self._run(otherwise, after)
            case c.StatementExpr(body):
                return self._statement(body, ways)
            case c.CastExpr() if self._setters.places.disguised(self._frame.body, e):
                raise Lost
            case c.CallExpr():
                return self._call(e, ways)
            case _:
                for part in children(e):
                    if isinstance(part, c.Expr):
                        ways = self._run(part, ways)
                return self._store(e, ways)

    def _store(self, e: c.Expr, ways: Ways) -> Ways:
        """Give any value to what an expression itself changes."""
        target = target_of(e)
        if isinstance(target, c.Name):
            return frozenset(w.known(target.id, None) for w in ways)
        keys = self._setters.places.stored(self._frame.body, e)
        if keys and isinstance(e, c.UnaryExpr) and e.op == "&":
            raise Lost
        return frozenset(w.given(keys, ANYTHING) for w in ways) if keys else ways

    def _given(self, target: c.Expr, value: c.Expr, ways: Ways) -> Ways:
        keys = self._setters.places.named(self._frame.body, target, whole=True)
        if keys:
            exact = isinstance(target, c.Member) and any(k[1] == target.name for k in keys)
            sure = exact and len(keys) == 1 and is_created(self._frame.body, target)
            given = value_of(value) if sure else ANYTHING
            return frozenset(w.given(keys, given) for w in self._run(value, ways))
        if isinstance(target, c.Name):
            yes, no = self._test(value, ways)
            both = yes & no
            return frozenset(
                {w.known(target.id, None) for w in both}
                | {w.known(target.id, False) for w in yes - both}  # noqa: FBT003
                | {w.known(target.id, True) for w in no - both}  # noqa: FBT003
            )
        return self._run(value, self._run(target, ways))

    # Calls --------------------------------------------------------------------------------------

    def _call(self, e: c.CallExpr, ways: Ways) -> Ways:
        if read_through(e) is not None:
            return ways
        match e:
            case c.CallExpr(c.Name(name), (c.UnaryExpr("&", place), value)) if name in _SETS:
                return self._given(place, value, ways)
            case _:
                pass
        for a in e.arguments:
            if not self._only_points(a):
                ways = self._run(a, ways)
        name = e.function.id if isinstance(e.function, c.Name) else ""
        if name in FILLS and e.arguments:
            return self._fill(e, ways)
        inner = self._setters.inner(e, self._frame.body)
        if inner is None:
            keys = self._setters.left_out(e, self._frame.body)
            return frozenset(w.given(keys, ANYTHING) for w in ways) if keys else ways
        found: set[Way] = set()
        other = not self._given_created(e)
        for way in ways:
            ended = self._function(inner, frozenset({replace(way, zero=frozenset())}))
            after = {replace(w, zero=way.zero) for w, _ in ended}
            found |= {_unsure(way, w) for w in after} if other else after
        return frozenset(found)

    def _given_created(self, e: c.CallExpr) -> bool:
        """Tell whether each object that a call is given is the one that is created."""
        body = self._frame.body
        given = (a for a in e.arguments if self._setters.places.pointed(body, a))
        return all(is_created(body, a) for a in given)

    def _only_points(self, a: c.Expr) -> bool:
        """Tell whether an argument is an address, and not of a member that matters."""
        if not isinstance(a, c.UnaryExpr) or a.op != "&":
            return False
        return not self._setters.places.named(self._frame.body, a.operand, whole=False)

    def _fill(self, e: c.CallExpr, ways: Ways) -> Ways:
        """Fill an object: with zeros it holds what it held, or zero."""
        first = e.arguments[0]
        second = e.arguments[1] if len(e.arguments) == 3 else None
        zeros = len(e.arguments) == 2 or (second is not None and number_of(second) == 0)
        keys = self._setters.places.filled(self._frame.body, first)
        if not zeros:
            return frozenset(w.given(keys, ANYTHING) for w in ways)
        return ways | {w.given(keys, ZERO) for w in ways}


def _unsure(before: Way, after: Way) -> Way:
    """Return a way on which what was set may be anything."""
    return after.given({k for k, _ in after.members - before.members}, ANYTHING)


def _failed(body: Body, zero: bool | None) -> bool:  # noqa: FBT001 - an answer
    """Tell whether a way ended in an error: a number that is not zero, or no pointer."""
    if zero is None:
        return False
    f = body.function
    return zero if f.pointers else not zero and f.type.name != "bool"
