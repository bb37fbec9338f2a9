"""SMT-LIB 2 terms as text: bit-vectors of C's widths, booleans for one-bit numbers.

Text is what every solver reads, so each question is asked of any of them as it stands.
"""

from __future__ import annotations

from collections.abc import Iterable

from flushproof.ir.types import BOOL, INT, Int, LockWord, Type, VcpuRef

TRUE, FALSE = "true", "false"
THREAD = INT
"""Numbers of threads and vCPUs; the number of vCPUs is at most `MOST_VCPUS`, so sums fit."""
THREAD_SORT = "(_ BitVec 32)"
EXACT = Int(70, signed=True)
"""Wide enough for any value, a root with `NONE` beside it included, and some sums of these."""
COUNT = "|N|"
"""The number of vCPUs."""


def word_of(t: Type) -> Int:
    """Return the integer type that stands for a type; a lock is its holder plus one."""
    match t:
        case Int():
            return t
        case VcpuRef() | LockWord():
            return THREAD


def sort_of(t: Type) -> str:
    """Return the sort of values of a type."""
    return "Bool" if t == BOOL else f"(_ BitVec {word_of(t).width})"


def make_constant(value: int, t: Type) -> str:
    """Return a constant of a type."""
    if t == BOOL:
        return TRUE if value else FALSE
    width = word_of(t).width
    return f"(_ bv{value & ((1 << width) - 1)} {width})"


def make_number(value: int) -> str:
    """Return a constant that is the number of a thread, or of threads."""
    return make_constant(value, THREAD)


def quote_name(text: str) -> str:
    """Return a symbol; any text but `|` and the backslash may be in it."""
    return f"|{text}|"


def all_of(parts: Iterable[str]) -> str:
    """Return the conjunction."""
    found = list(dict.fromkeys(p for p in parts if p != TRUE))
    return FALSE if FALSE in found else _joined("and", found, TRUE)


def any_of(parts: Iterable[str]) -> str:
    """Return the disjunction."""
    found = list(dict.fromkeys(p for p in parts if p != FALSE))
    return TRUE if TRUE in found else _joined("or", found, FALSE)


def _joined(op: str, parts: list[str], empty: str) -> str:
    if not parts:
        return empty
    return parts[0] if len(parts) == 1 else f"({op} {' '.join(parts)})"


def negate_term(a: str) -> str:
    """Return the negation."""
    return {TRUE: FALSE, FALSE: TRUE}.get(a, f"(not {a})")


def make_implication(a: str, b: str) -> str:
    """Return that the first implies the second."""
    return any_of((negate_term(a), b))


def make_choice(c: str, a: str, b: str) -> str:
    """Return one of two terms."""
    if a == b or c == TRUE:
        return a
    return b if c == FALSE else f"(ite {c} {a} {b})"


def make_equality(a: str, b: str) -> str:
    """Return that two terms are equal."""
    return TRUE if a == b else f"(= {a} {b})"


def make_difference(a: str, b: str) -> str:
    """Return that two terms are not equal."""
    return negate_term(make_equality(a, b))


def convert_value(a: str, source: Type, target: Type) -> str:
    """Return a value converted as C does: extended by its own sign, or cut."""
    if target == BOOL:
        return a if source == BOOL else f"(= ((_ extract 0 0) {a}) #b1)"
    if source == BOOL:
        return make_choice(a, make_constant(1, target), make_constant(0, target))
    have, want = word_of(source), word_of(target)
    if want.width < have.width:
        return f"((_ extract {want.width - 1} 0) {a})"
    if want.width == have.width:
        return a
    how = "sign_extend" if have.signed else "zero_extend"
    return f"((_ {how} {want.width - have.width}) {a})"


def in_range(low: str, number: str, high: str) -> str:
    """Return that a number of a thread is one of a range, its ends included."""
    return f"(and (bvsle {low} {number}) (bvsle {number} {high}))"


def is_vcpu(number: str) -> str:
    """Return that there is a vCPU with this number."""
    return f"(and (bvsle {make_number(0)} {number}) (bvslt {number} {COUNT}))"
