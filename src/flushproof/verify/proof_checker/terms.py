"""SMT-LIB 2 as text: terms over bit-vectors of C's widths, and scripts of questions.

Text is what every solver reads, so each question is asked of any of them as it stands. One-bit
numbers are booleans.
"""

from __future__ import annotations

from collections.abc import Iterable

from flushproof.ir.types import BOOL, INT, Int, Type
from flushproof.support.record import Record

TRUE, FALSE = "true", "false"
THREAD = INT
"""Numbers of threads and vCPUs; the number of vCPUs is at most `MOST_VCPUS`, so sums fit."""
EXACT = Int(70, signed=True)
"""Wide enough for any value, a root with `NONE` beside it included, and some sums of these."""
COUNT = "|N|"
"""The number of vCPUs."""


class NotUnderstood(Exception):  # noqa: N818 - a finding, which makes a verdict weaker
    """The checker has no rule for something, so it confirms nothing."""


def word_of(t: Type) -> Int:
    """Return the integer type that stands for a type; a lock is its holder plus one."""
    return t if isinstance(t, Int) else THREAD


def sort_of(t: Type) -> str:
    """Return the sort of values of a type."""
    return "Bool" if t == BOOL else f"(_ BitVec {word_of(t).width})"


THREAD_SORT = sort_of(THREAD)


def make_constant(value: int, t: Type) -> str:
    """Return a constant of a type."""
    if t == BOOL:
        return TRUE if value else FALSE
    width = word_of(t).width
    return f"(_ bv{value & ((1 << width) - 1)} {width})"


def make_number(value: int) -> str:
    """Return a constant that is the number of a thread, or of threads."""
    return make_constant(value, THREAD)


def all_of(parts: Iterable[str]) -> str:
    """Return the conjunction."""
    found = list(dict.fromkeys(p for p in parts if p != TRUE))
    return FALSE if FALSE in found else _joined("and", found, TRUE)


def any_of(parts: Iterable[str]) -> str:
    """Return the disjunction."""
    found = list(dict.fromkeys(p for p in parts if p != FALSE))
    return TRUE if TRUE in found else _joined("or", found, FALSE)


def _joined(op: str, parts: list[str], empty: str) -> str:
    return f"({op} {' '.join(parts)})" if len(parts) > 1 else (*parts, empty)[0]


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


def in_range(low: str, number: str, high: str) -> str:
    """Return that a number of a thread is one of a range, its ends included."""
    return f"(and (bvsle {low} {number}) (bvsle {number} {high}))"


def is_vcpu(number: str) -> str:
    """Return that there is a vCPU with this number."""
    return f"(and (bvsle {make_number(0)} {number}) (bvslt {number} {COUNT}))"


def convert_value(a: str, source: Type, target: Type) -> str:
    """Return a value converted as C does: extended by its own sign, or cut."""
    if target == BOOL:
        return a if source == BOOL else f"(= ((_ extract 0 0) {a}) #b1)"
    if source == BOOL:
        return make_choice(a, make_constant(1, target), make_constant(0, target))
    have, want = word_of(source), word_of(target).width
    if want <= have.width:
        return a if want == have.width else f"((_ extract {want - 1} 0) {a})"
    how = "sign_extend" if have.signed else "zero_extend"
    return f"((_ {how} {want - have.width}) {a})"


class ProofObligation(Record, frozen=True):
    """A proof obligation: no values of the names make `formula` true.

    `rule` is the condition of a proof that it belongs to, `text` says of what, in words.
    """

    rule: str
    text: str
    formula: str


class Script:
    """Declares and defines names, each once, and collects the questions."""

    def __init__(self) -> None:
        self.lines: list[str] = []
        self.questions: list[ProofObligation] = []
        self._sorts: dict[str, str] = {}
        self._made = 0

    def declare(self, name: str, sort: str) -> str:
        """Return an unknown of a sort; the same name is the same unknown."""
        symbol = f"|{name}|"
        if symbol not in self._sorts:
            self._sorts[symbol] = sort
            self.lines.append(f"(declare-const {symbol} {sort})")
        elif self._sorts[symbol] != sort:
            raise NotUnderstood(f"`{name}` stands for two things")
        return symbol

    def define(self, term: str, sort: str) -> str:
        """Return a short name for a term."""
        if len(term) < 24 or term.startswith("|"):
            return term
        self._made += 1
        self.lines.append(f"(define-fun d{self._made} () {sort} {term})")
        return f"d{self._made}"

    def unknown(self, hint: str, sort: str) -> str:
        """Return a new unknown."""
        self._made += 1
        return self.declare(f"{hint}?{self._made}", sort)

    def ask(self, rule: str, text: str, formula: Iterable[str]) -> None:
        """Add a question, unless its answer is plain to see."""
        whole = all_of(formula)
        if whole != FALSE:
            self.questions.append(ProofObligation(rule, text, whole))
