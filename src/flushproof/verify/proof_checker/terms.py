"""SMT-LIB 2 as text: terms over integers and booleans, and scripts of questions.

Text is what every solver reads, so each question is asked of any of them as it stands. A value is
the number that it is in C, and lies in the range of its type: that is asserted of each unknown, and
kept by each operation (`machine_integers.py`). One-bit numbers are booleans.
"""

from __future__ import annotations

from collections.abc import Iterable

from flushproof.ir.types import BOOL, INT, Int, Type
from flushproof.support.record import Record

TRUE, FALSE = "true", "false"
THREAD = INT
"""The type of the numbers of threads and vCPUs."""
COUNT = "|N|"
"""The number of vCPUs."""


class NotUnderstood(Exception):  # noqa: N818 - a finding, which makes a verdict weaker
    """The checker has no rule for something, so it confirms nothing."""


def word_of(t: Type) -> Int:
    """Return the integer type that stands for a type; a lock is its holder plus one."""
    return t if isinstance(t, Int) else THREAD


def sort_of(t: Type) -> str:
    """Return the sort of values of a type."""
    return "Bool" if t == BOOL else "Int"


def array_of(t: Type) -> str:
    """Return the sort of arrays with a value of a type for each thread."""
    return f"(Array {sort_of(THREAD)} {sort_of(t)})"


def make_integer(value: int) -> str:
    """Return a number."""
    return str(value) if value >= 0 else f"(- {-value})"


def literal_value(term: str) -> int | None:
    """Return the number that a term is, None if it is no constant."""
    if term.isdecimal():
        return int(term)
    digits = term.removeprefix("(- ").removesuffix(")")
    return -int(digits) if digits.isdecimal() else None


def make_constant(value: int, t: Type) -> str:
    """Return a constant of a type."""
    if t == BOOL:
        return TRUE if value else FALSE
    return make_integer(word_of(t).wrap(value))


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
    """Return that a number is one of a range, its ends included."""
    return f"(<= {low} {number} {high})"


def is_of_type(a: str, t: Type) -> str:
    """Return that a number is one of a type."""
    if t == BOOL:
        return TRUE
    word = word_of(t)
    return in_range(make_integer(word.low), a, make_integer(word.high))


def is_vcpu(number: str) -> str:
    """Return that there is a vCPU with this number."""
    return f"(and (<= 0 {number}) (< {number} {COUNT}))"


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
        self._sorts: dict[str, tuple[str, Type]] = {}
        self._known: set[str] = set()
        self._made = 0

    def declare(self, name: str, t: Type, *, array: bool = False) -> str:
        """Return an unknown of a type, or an array of such; the same name is the same unknown."""
        symbol = f"|{name}|"
        sort = array_of(t) if array else sort_of(t)
        if (sort, t) != self._sorts.setdefault(symbol, (sort, t)):
            raise NotUnderstood(f"`{name}` stands for two things")
        if symbol not in self._known:
            self.lines.append(f"(declare-const {symbol} {sort})")
            if not array:
                self._assert_type(symbol, t)
            self._known.add(symbol)
        return symbol

    def select(self, array: str, index: str, t: Type) -> str:
        """Return an element of an array, which like all of them is of a type."""
        element = f"(select {array} {index})"
        if element not in self._known:
            self._known.add(element)
            self._assert_type(element, t)
        return element

    def _assert_type(self, term: str, t: Type) -> None:
        holds = is_of_type(term, t)
        if holds != TRUE:
            self.lines.append(f"(assert {holds})")

    def ranges(self) -> dict[str, tuple[int, int]]:
        """Return the least and the greatest value of each unknown, or of elements of it."""
        return {n: (word_of(t).low, word_of(t).high) for n, (_, t) in self._sorts.items()}

    def define(self, term: str, sort: str) -> str:
        """Return a short name for a term."""
        if len(term) < 24 or term.startswith("|"):
            return term
        self._made += 1
        self.lines.append(f"(define-fun d{self._made} () {sort} {term})")
        return f"d{self._made}"

    def unknown(self, hint: str, t: Type) -> str:
        """Return a new unknown."""
        self._made += 1
        return self.declare(f"{hint}?{self._made}", t)

    def ask(self, rule: str, text: str, formula: Iterable[str]) -> None:
        """Add a question, unless its answer is plain to see."""
        whole = all_of(formula)
        if whole != FALSE:
            self.questions.append(ProofObligation(rule, text, whole))
