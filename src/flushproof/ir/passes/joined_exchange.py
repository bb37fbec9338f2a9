"""Exchanges from a value that was read just before, made again until nothing has changed between.

`do { old = READ_ONCE(x); } while (cmpxchg(&x, old, f(old)) != old);` is one exchange: where the
second access succeeds it finds what the first one found, so the first may as well be made at that
moment.

Lemma L11 of docs/soundness.md.
"""

from __future__ import annotations

from flushproof.ir.analysis.def_use import map_expr
from flushproof.ir.code import (
    Assign,
    Binary,
    Exchange,
    Expr,
    Local,
    Read,
    Var,
)
from flushproof.ir.fold import fold_expr
from flushproof.ir.passes.cleanup import Code
from flushproof.ir.passes.failed_round import is_unnoticed
from flushproof.ir.passes.round_walk import (
    Known,
    Round,
    follow_round,
    is_entered,
    known_at,
    new_name,
    straight_path,
    without_failure,
)


def join_exchange(code: Code, at: int, read: Read) -> Code | None:
    """Return the code in which a read is one with the exchange that succeeds if nothing changed.

    None unless there is one that fails back to the read.
    """
    old = Local(new_name(code), read.field.type)
    path = straight_path(code, at + 1, {read.target: Var(old)})
    if path is None:
        return None
    x, exchange = path.end, code[path.end]
    if not isinstance(exchange, Exchange) or not _is_from(exchange, read, old, path.known):
        return None
    found = _follow_exchange(code, at, x, exchange, old, path.known)
    if found is None:
        return None
    round_ = {*path.passed, x, *found.passed}
    if not is_unnoticed(code, at, round_, found.region) or is_entered(code, at, round_):
        return None
    assert exchange.compare is not None
    value = fold_expr(map_expr(exchange.value, known_at(path.known)))
    new = list(without_failure(code, found))
    new[x] = Assign(exchange.target, exchange.compare, exchange.span)
    new[at] = Exchange(
        read.target, read.field, read.index, None, value, exchange.span, old, read.until, read.mode
    )
    return tuple(new)


def _is_from(exchange: Exchange, read: Read, old: Local, known: Known) -> bool:
    """Tell whether an exchange is of the field that was read, and compares with what was read."""
    if exchange.compare is None or exchange.until is not None or exchange.field != read.field:
        return False
    return _put(exchange.compare, known) == Var(old) and _put(exchange.index, known) == read.index


def _put(e: Expr | None, known: Known) -> Expr | None:
    return None if e is None else fold_expr(map_expr(e, known_at(known)))


def _follow_exchange(
    code: Code, at: int, x: int, exchange: Exchange, old: Local, known: Known
) -> Round | None:
    """Return what follows an exchange that fails back to `at`, and only where it finds another."""
    seen = Local(f"{old.name}.now", old.type)
    found = follow_round(code, at, x + 1, {**known, exchange.target: Var(seen)})
    both = (Var(seen), Var(old))
    match None if found is None else found.succeeds:
        case Binary("==", a, b) if both in ((a, b), (b, a)):
            return found
        case _:
            return None
