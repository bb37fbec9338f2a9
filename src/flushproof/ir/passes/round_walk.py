"""What follows an access that may fail, as far as what it found decides that.

In: code, an access, and what is known where it goes on. Out: when it succeeds, and on which ways it
fails and leads back. Lemma L11 of docs/soundness.md.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping

from flushproof.ir.analysis.control_flow import reachable_positions, successor_positions
from flushproof.ir.analysis.def_use import (
    Substitution,
    defined_local,
    locals_of,
    map_expr,
    subexpressions_of,
)
from flushproof.ir.code import (
    Assign,
    Branch,
    Const,
    Exchange,
    Expr,
    Ite,
    Jump,
    Local,
    Read,
    Var,
)
from flushproof.ir.fold import FALSE, TRUE, fold_expr, is_always_defined
from flushproof.ir.passes.cleanup import Code
from flushproof.ir.passes.failed_round import is_led_to, silently_leading
from flushproof.ir.types import BOOL
from flushproof.support.record import Record

LARGE = 64
"""So many parts of a condition, and steps of a way, at most."""

MOST = 1000
"""So many positions are gone through on all ways together."""

DEEP = 4
"""So often what is known of a local is put where another one is made of it."""

Known = Mapping[Local, Expr]
"""What locals hold, in terms of what the access found and of what they held before it."""


class Round(Record, frozen=True):
    """What follows an access: when it succeeds, and the positions up to where it has failed.

    `failing` are the branches with a way on which it has failed, each with the other way.
    """

    succeeds: Expr
    passed: frozenset[int]
    region: frozenset[int]
    failing: Mapping[int, int]


class NoRoundError(Exception):
    """What follows an access is no round that fails or succeeds."""


def follow_round(
    code: Code,
    at: int,
    start: int,
    known: Known,
    silent: Collection[int] = (),
    kept: Collection[Local] = (),
) -> Round | None:
    """Go on at a position as far as it is decided whether that leads back to an access.

    None where it never does, or always, or where that depends on more than values. At the `silent`
    positions nothing is done that anybody notices. What gives one of the `kept` locals a value does
    not lead back in this sense: the next round is another one.
    """
    walk = _Walk(code, at, silent, frozenset(kept))
    try:
        succeeds = fold_expr(walk.succeeds(start, known, ()))
    except NoRoundError:
        return None
    if isinstance(succeeds, Const) or not walk.failing:
        return None
    region = frozenset(walk.region) - {at}
    return Round(succeeds, frozenset(walk.passed), region, walk.failing)


class _Walk:
    def __init__(
        self, code: Code, at: int, silent: Collection[int], kept: frozenset[Local]
    ) -> None:
        self.code = code
        self.at = at
        self.left = MOST
        self.back = silently_leading(code, at, silent, kept) | {at}
        self.ahead = _leading_by_values(code, self.back, kept)
        self.passed: set[int] = set()
        self.region: set[int] = set()
        self.failing: dict[int, int] = {}

    def succeeds(self, at: int, known: Known, path: tuple[int, ...]) -> Expr:
        """Return the condition that a way does not lead back.

        Raises:
            NoRoundError: it goes in a circle, or depends on what may have no value.
        """
        if at in self.back:
            # From the access itself one would get to what follows its success.
            if at != self.at:
                self.region |= {at} | reachable_positions(self.code, at, frozenset({self.at}))
            return FALSE
        if at not in self.ahead:
            return TRUE
        self.left -= 1
        if at in path or len(path) > LARGE or not self.left:
            raise NoRoundError
        self.passed.add(at)
        path = (*path, at)
        match self.code[at]:
            case Assign(target, value):
                return self.succeeds(at + 1, {**known, target: put_known(value, known)}, path)
            case Jump(target):
                return self.succeeds(target, known, path)
            case Branch(condition, then, otherwise):
                for lost, other in ((then, otherwise), (otherwise, then)):
                    if lost in self.back:
                        self.failing[at] = other
                here = put_known(condition, known)
                yes, no = (self.succeeds(to, known, path) for to in (then, otherwise))
                return fold_expr(Ite(here, yes, no, BOOL))
            case _:
                raise NoRoundError


def put_known(e: Expr, known: Known) -> Expr:
    """Return an expression in terms of what is known.

    Raises:
        NoRoundError: it may have no value, or is large.
    """
    new = fold_expr(map_expr(e, known_at(known)))
    if not is_always_defined(e) or sum(1 for _ in subexpressions_of(new)) > LARGE:
        raise NoRoundError
    return new


def known_at(known: Known) -> Substitution:
    """Return what to put in the place of a local."""
    return lambda x: known.get(x, Var(x))


class StraightWay(Record, frozen=True):
    """Where assignments and jumps lead, past which positions, and what locals hold then."""

    end: int
    known: Known
    passed: tuple[int, ...]


def straight_path(code: Code, start: int, known: Known) -> StraightWay | None:
    """Go on as far as assignments and jumps lead; None where that is nowhere."""
    passed: list[int] = []
    at = start
    try:
        while at not in passed and len(passed) < LARGE:
            match code[at]:
                case Assign(target, value):
                    known = {**known, target: put_known(value, known)}
                    then = at + 1
                case Jump(target):
                    then = target
                case _:
                    return StraightWay(at, known, tuple(passed))
            passed.append(at)
            at = then
    except NoRoundError:
        pass
    return None


def _leading_by_values(code: Code, back: frozenset[int], kept: frozenset[Local]) -> frozenset[int]:
    """Return the positions from which jumps and assignments may lead to some that are given.

    None gives one of the `kept` locals a value.
    """
    found: set[int] = set()
    while more := {
        at
        for at, instr in enumerate(code)
        if at not in found
        and at not in back
        and isinstance(instr, (Assign, Jump, Branch))
        and defined_local(instr) not in kept
        and any(to in back or to in found for to in successor_positions(code, at))
    }:
        found |= more
    return frozenset(found)


def is_entered(code: Code, at: int, inside: Collection[int], also: Collection[int] = ()) -> bool:
    """Tell whether one comes to some positions otherwise than from an access through them.

    `also` are positions that may lead there as well.
    """
    return any(
        to in inside
        for k in range(len(code))
        if k != at and k not in inside and k not in also
        for to in successor_positions(code, k)
    )


def list_equalities(code: Code, at: int) -> dict[Local, Expr]:
    """Return the locals of which it is known at a position what they were set to.

    Each is set in one place, to which one comes on every way to the position, and again after
    anything that its value is made of has been set.
    """
    places: dict[Local, list[int]] = {}
    for k, instr in enumerate(code):
        if (x := defined_local(instr)) is not None:
            places.setdefault(x, []).append(k)
    found: dict[Local, Expr] = {}
    for x, where in places.items():
        match [code[k] for k in where]:
            case [Assign(_, value)] if x not in set(locals_of(value)) and at != where[0]:
                made_of = [d for y in locals_of(value) for d in places.get(y, ())]
                ends = frozenset({where[0]})
                stale = any(at in reachable_positions(code, d, ends) for d in made_of)
                if not stale and not is_led_to(code, at, without=where[0]):
                    found[x] = fold_expr(value)
            case _:
                pass
    for _ in range(DEEP):
        found = {x: fold_expr(map_expr(e, known_at(found))) for x, e in found.items()}
    return found


def without_failure(code: Code, found: Round) -> Code:
    """Return the code in which the ways on which an access has failed are not there."""
    new = list(code)
    for k, other in found.failing.items():
        new[k] = Jump(other, code[k].span)
    return tuple(new)


def new_name(code: Code) -> str:
    """Return a name that no local of the code has."""
    used = {x.name for i in code if (x := defined_local(i)) is not None}
    for i in code:
        if isinstance(i, (Read, Exchange)) and i.until is not None:
            used.add(i.until.seen.name)
        if isinstance(i, Exchange) and i.old is not None:
            used.add(i.old.name)
    return next(name for k in range(len(used) + 1) if (name := f"%seen{k}") not in used)
