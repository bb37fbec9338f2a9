"""A script of questions in SMT-LIB 2: names, their definitions, and what is to be unsatisfiable."""

from __future__ import annotations

from collections.abc import Iterable

from flushproof.support.record import Record
from flushproof.verify.proof_checker import terms as t
from flushproof.verify.proof_checker.code_paths import NotUnderstood


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
        self._declared: dict[str, str] = {}
        self._defined = 0

    def declare(self, symbol: str, sort: str) -> str:
        """Return an unknown of a sort; the same symbol is the same unknown."""
        if symbol not in self._declared:
            self._declared[symbol] = sort
            self.lines.append(f"(declare-const {t.quote_name(symbol)} {sort})")
        elif self._declared[symbol] != sort:
            raise NotUnderstood(f"`{symbol}` stands for two things")
        return t.quote_name(symbol)

    def define(self, term: str, sort: str) -> str:
        """Return a short name for a term."""
        if len(term) < 24 or term.startswith("|"):
            return term
        self._defined += 1
        symbol = f"d{self._defined}"
        self.lines.append(f"(define-fun {symbol} () {sort} {term})")
        return symbol

    def unknown(self, hint: str, sort: str) -> str:
        """Return a new unknown."""
        self._defined += 1
        return self.declare(f"{hint}?{self._defined}", sort)

    def ask(self, rule: str, text: str, formula: Iterable[str]) -> None:
        """Add a question, unless its answer is plain to see."""
        whole = t.all_of(formula)
        if whole != t.FALSE:
            self.questions.append(ProofObligation(rule, text, whole))
