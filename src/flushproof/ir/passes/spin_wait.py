"""Attempts to take a lock that are made again until one succeeds: they wait, as `Acquire` does.

An attempt is turned where everything that may follow its failure leads back to it and changes
nothing that anybody can tell: no shared state, no event, no local that is read afterwards. What a
failed attempt leads to is then the state before it, with the thread at the same place. So the
states that can be reached are those of a thread that waits for the lock, and a thread that never
gets the lock goes round for ever where the other waits for ever. Under store buffers a failed
attempt leaves the buffer as it is, but what drains between attempts may as well drain before the
first, as all does before `Acquire`; so a fence behind it does nothing more.

Lemma L11 of docs/soundness.md.
"""

from __future__ import annotations

from flushproof.ir.analysis.control_flow import insert_code
from flushproof.ir.arith import apply_binary, apply_unary
from flushproof.ir.code import (
    Acquire,
    Assign,
    Binary,
    Branch,
    Cast,
    Const,
    Expr,
    Instr,
    Jump,
    Local,
    TryAcquire,
    Unary,
    Var,
)
from flushproof.ir.passes.cleanup import Code, clean_code
from flushproof.ir.passes.failed_round import is_unnoticed, silent_region
from flushproof.ir.types import BOOL, Int
from flushproof.support.record import Record

Known = dict[Local, int | None]


def recognise_waits(code: Code) -> Code:
    """Turn the attempts of clean code that are made until they succeed into `Acquire`.

    A failed attempt is a stuttering step (Lamport, What Good is Temporal Logic?, 1983).
    """
    while True:
        at = next((k for k, i in enumerate(code) if _repeats(code, k, i)), None)
        if at is None:
            return code
        code = clean_code(_turned(code, at))


def _repeats(code: Code, at: int, instr: Instr) -> bool:
    if not isinstance(instr, TryAcquire):
        return False
    got, lost = (_follow(code, at, instr, outcome) for outcome in (1, 0))
    if not got.passed or got.end in (at, lost.end):
        return False
    region = silent_region(code, lost.end, at)
    return region is not None and is_unnoticed(code, at, lost.passed, region)


def _turned(code: Code, at: int) -> Code:
    """Let what follows the attempt be what follows its success."""
    instr = code[at]
    assert isinstance(instr, TryAcquire)
    got = _follow(code, at, instr, 1)
    sets = [i for k in got.passed if isinstance(i := code[k], Assign)]
    size = len(sets) + 2
    end = got.end if got.end <= at else got.end + size
    more: Code = (Assign(instr.target, Const(1, BOOL), instr.span), *sets, Jump(end, instr.span))
    new = list(code)
    new[at] = Acquire(instr.field, instr.index, instr.shared, instr.span)
    return insert_code(tuple(new), at + 1, more)


# The outcome ------------------------------------------------------------------------------------


class _Way(Record, frozen=True):
    """The positions passed behind an attempt with one outcome, and the next.

    The last passed is the last branch that the outcome decides.
    """

    passed: tuple[int, ...]
    end: int


def _follow(code: Code, at: int, instr: TryAcquire, outcome: int) -> _Way:
    """Go on behind an attempt as far as its outcome tells where to, and back to it at most."""
    known: Known = {instr.target: outcome}
    passed: list[int] = []
    way = _Way((), at + 1)
    here = at + 1
    while here != at and here not in passed:
        then = _next(code[here], here, known)
        if then is None:
            break
        passed.append(here)
        if isinstance(code[here], Branch):
            way = _Way(tuple(passed), then)
        here = then
    return way


def _next(instr: Instr, at: int, known: Known) -> int | None:
    match instr:
        case Assign(target, value):
            known[target] = _value(value, known)
            return at + 1
        case Jump(target):
            return target
        case Branch(condition, then, otherwise):
            decided = _value(condition, known)
            return None if decided is None else then if decided else otherwise
        case _:
            return None


def _value(e: Expr, known: Known) -> int | None:
    """Evaluate an integer expression, None where it is not known."""
    match e:
        case Const(value, Int()):
            return value
        case Var(local):
            return known.get(local)
        case Unary(op, a, Int() as t):
            x = _value(a, known)
            return None if x is None else apply_unary(op, x, t)
        case Cast(a, Int() as t) if isinstance(a.type, Int):
            x = _value(a, known)
            return None if x is None else t.wrap(x)
        case Binary(op, a, b) if isinstance(a.type, Int):
            x, y = _value(a, known), _value(b, known)
            return None if x is None or y is None else apply_binary(op, x, y, a.type)
        case _:
            return None
