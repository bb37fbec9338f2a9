"""Loops that wait until a field has a value: the access in them waits, and nothing goes round.

An access that fails leads back to itself and changes nothing that anybody can tell, as in
`while (READ_ONCE(x)) cpu_relax();`, and with `cmpxchg()` or `xchg()` where what it then writes is
what is there. What a failed access leads to is the state before it. So the states that can be
reached are those of a thread that waits before the access until it will not fail.

Where a read is followed by a `cmpxchg()` from what was read, and its failure leads back to the
read, the two that succeed find the same value, so the read may as well be made at that moment: the
two are one exchange.

Claims that look at each access see those that fail, so for them loops stay what they are.

Lemma L11 of docs/soundness.md.
"""

from __future__ import annotations

from collections.abc import Collection

from flushproof.ir.analysis.def_use import map_expr, map_operands
from flushproof.ir.analysis.field_values import FieldValues
from flushproof.ir.code import Binary, Const, Exchange, Expr, Local, Read, Until, Var
from flushproof.ir.fold import FALSE, TRUE, fold_expr
from flushproof.ir.passes.cleanup import Code, clean_code, live_locals
from flushproof.ir.passes.failed_round import is_unnoticed
from flushproof.ir.passes.joined_exchange import join_exchange
from flushproof.ir.passes.read_again import read_again
from flushproof.ir.passes.round_walk import (
    Known,
    Round,
    follow_round,
    is_entered,
    known_at,
    list_equalities,
    new_name,
    without_failure,
)
from flushproof.ir.types import BOOL, Int
from flushproof.support.record import replace


def recognise_value_waits(code: Code, values: FieldValues) -> Code:
    """Turn accesses in clean code that are made until they find a value into ones that wait."""
    while True:
        turned = _turned(code, values)
        if turned is None:
            return code
        code = clean_code(turned)


def _turned(code: Code, values: FieldValues) -> Code | None:
    """Return the code with one access turned, None where there is none to turn."""
    for at, instr in enumerate(code):
        if not isinstance(instr, (Read, Exchange)) or not _is_candidate(instr):
            continue
        found = _make_wait(code, at, instr, values)
        if found is None and isinstance(instr, Read):
            found = join_exchange(code, at, instr) or read_again(code, at, instr)
        if found is not None:
            return found
    return None


def _is_candidate(instr: Read | Exchange) -> bool:
    unseen = isinstance(instr, Read) and instr.mode.unseen
    return not unseen and not instr.field.ghost and isinstance(instr.field.type, Int)


def _make_wait(code: Code, at: int, instr: Read | Exchange, values: FieldValues) -> Code | None:
    """Return the code in which an access waits, None unless its failure leads back to it."""
    if instr.until is not None:
        return None
    seen = Local(new_name(code), instr.field.type)
    equal = list_equalities(code, at)
    alike = _waits_alike(code, at, instr)
    start = {**equal, instr.target: Var(seen)}
    found = _unnoticed_round(code, at, start, alike)
    if found is None:
        return None
    known = values.get(instr.field.name, frozenset())
    waits = (u for k in found.region if (u := alike.get(k)) is not None)
    if not all(_is_met(u, found.succeeds, seen, known) for u in waits):
        return None
    if is_entered(code, at, found.passed):
        return None
    if isinstance(instr, Exchange):
        plain = map_operands(instr, known_at(equal))
        assert isinstance(plain, Exchange)
        if not _writes_what_is_there(plain, seen, found, values):
            return None
    new = list(without_failure(code, found))
    new[at] = replace(instr, until=Until(seen, found.succeeds))
    return tuple(new)


def _unnoticed_round(code: Code, at: int, known: Known, silent: Collection[int]) -> Round | None:
    """Return the ways on which an access fails and leads back with what it began with.

    Where some lead back with other values, as to the next round of a loop around it, the access has
    succeeded on them.
    """
    for kept in (frozenset[Local](), live_locals(code)[at]):
        found = follow_round(code, at, at + 1, known, silent, kept)
        if found is not None and is_unnoticed(code, at, found.passed, found.region):
            return found
    return None


def _waits_alike(code: Code, at: int, instr: Read | Exchange) -> dict[int, Until]:
    """Return the other reads that wait for a value of the same place."""
    return {
        k: i.until
        for k, i in enumerate(code)
        if k != at and isinstance(i, Read) and i.until is not None
        if (i.field, i.index) == (instr.field, instr.index)
    }


def _is_met(until: Until, succeeds: Expr, seen: Local, values: frozenset[int]) -> bool:
    """Tell whether a wait ends wherever an access would succeed.

    Then a thread for which the wait does not end is one for which the access would not succeed.
    """
    mine = map_expr(until.condition, lambda x: Var(seen if x == until.seen else x))
    if mine == succeeds:
        return True

    def at_value(e: Expr, value: int) -> Expr:
        return fold_expr(map_expr(e, lambda x: Const(value, x.type) if x == seen else Var(x)))

    return bool(values) and all(
        at_value(succeeds, v) == FALSE or at_value(mine, v) == TRUE for v in values
    )


def _writes_what_is_there(instr: Exchange, seen: Local, found: Round, values: FieldValues) -> bool:
    """Tell whether an exchange that fails leaves its field as it is.

    Either it is one that compares, and succeeds where it finds what it compares with; or that is
    seen for each value that the field ever holds.
    """
    if instr.compare is not None:
        match_ = fold_expr(map_expr(found.succeeds, lambda x: _in_place(x, seen, instr.compare)))
        if match_ == TRUE:
            return True
    if instr.field.name not in values:
        return False
    return all(_keeps(instr, seen, found, v) for v in values[instr.field.name])


def _in_place(x: Local, seen: Local, value: Expr | None) -> Expr:
    return value if x == seen and value is not None else Var(x)


def _keeps(instr: Exchange, seen: Local, found: Round, value: int) -> bool:
    """Tell whether an exchange that finds a value succeeds, or leaves it there."""
    given = Const(value, instr.field.type)

    def at_value(e: Expr) -> Expr:
        return fold_expr(map_expr(e, lambda x: given if x in (seen, instr.old) else Var(x)))

    if at_value(found.succeeds) == TRUE or at_value(instr.value) == given:
        return True
    if instr.compare is None:
        return False
    return fold_expr(Binary("==", given, at_value(instr.compare), BOOL)) == FALSE
