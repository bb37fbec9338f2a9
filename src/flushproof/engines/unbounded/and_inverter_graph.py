"""Gates as clauses for a SAT solver, with words of them for numbers.

A literal is a number, negative where it is negated; a word is a tuple of literals, the lowest bit
first, in two's complement where it is a number. Equal gates are one (structural hashing), and what
is constant folds. From a model can be read which inputs made a gate what it is.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from itertools import pairwise, starmap

Literal = int
Word = tuple[Literal, ...]

TRUE: Literal = 1
FALSE: Literal = -1


class Circuit:
    """Clauses that define gates; every variable without a gate is an input."""

    def __init__(self) -> None:
        self.size = 1
        self.clauses: list[tuple[Literal, ...]] = [(TRUE,)]
        self.gates: dict[int, tuple[Literal, ...]] = {}
        self._known: dict[tuple[Literal, ...], Literal] = {}

    def fresh(self) -> Literal:
        """Return a new input."""
        self.size += 1
        return self.size

    def word(self, width: int) -> Word:
        """Return a word of new inputs."""
        return tuple(self.fresh() for _ in range(width))

    def require(self, *clause: Literal) -> None:
        """Have one of some literals be true."""
        self.clauses.append(clause)

    # Gates -----------------------------------------------------------------------------------

    def conjunction(self, literals: Iterable[Literal]) -> Literal:
        """Return a literal that is true if all are."""
        parts = set(literals)
        parts.discard(TRUE)
        if FALSE in parts or any(-x in parts for x in parts):
            return FALSE
        if len(parts) < 2:
            return parts.pop() if parts else TRUE
        return self._gate(tuple(sorted(parts)))

    def both(self, a: Literal, b: Literal) -> Literal:
        """Return a literal that is true if two are: most gates are of this kind."""
        if a == FALSE or b in (FALSE, -a):
            return FALSE
        if a in (TRUE, b):
            return b
        if b == TRUE:
            return a
        return self._gate((a, b) if a < b else (b, a))

    def _gate(self, key: tuple[Literal, ...]) -> Literal:
        found = self._known.get(key)
        if found is None:
            found = self._known[key] = self.fresh()
            self.gates[found] = key
            self.clauses += [(-found, x) for x in key]
            self.clauses.append((found, *(-x for x in key)))
        return found

    def disjunction(self, literals: Iterable[Literal]) -> Literal:
        """Return a literal that is true if any is."""
        return -self.conjunction(-x for x in literals)

    def choice(self, c: Literal, a: Literal, b: Literal) -> Literal:
        """Return a literal that is `a` where `c` is true, else `b`."""
        if a == b or c == TRUE:
            return a
        if c == FALSE:
            return b
        if a == -b:
            return -self.differ(c, a)
        if TRUE in (a, -a):
            return -self.both(-c, -b) if a == TRUE else self.both(-c, b)
        if TRUE in (b, -b):
            return -self.both(c, -a) if b == TRUE else self.both(c, a)
        if c < 0:
            c, a, b = -c, b, a
        return -self.both(-self.both(c, a), -self.both(-c, b))

    def differ(self, a: Literal, b: Literal) -> Literal:
        """Return a literal that is true if one of two is, and not both."""
        if TRUE in (a, -a):
            return b if a == FALSE else -b
        if TRUE in (b, -b):
            return a if b == FALSE else -a
        if a in (b, -b):
            return FALSE if a == b else TRUE
        return -self.both(-self.both(a, -b), -self.both(-a, b))

    # Words -----------------------------------------------------------------------------------

    def equal(self, a: Word, b: Word) -> Literal:
        """Return a literal that is true if two words are the same."""
        return self.conjunction(-self.differ(x, y) for x, y in zip(a, b, strict=True))

    def select(self, c: Literal, a: Word, b: Word) -> Word:
        """Return the word `a` where `c` is true, else `b`."""
        return tuple(self.choice(c, x, y) for x, y in zip(a, b, strict=True))

    def at_most(self, a: Word, b: Word, *, signed: bool) -> Literal:
        """Return a literal that is true if `a` is no more than `b`."""
        if signed:
            a, b = (*a[:-1], -a[-1]), (*b[:-1], -b[-1])
        result = TRUE
        for x, y in zip(a, b, strict=True):
            pairs = ((-x, y), (-x, result), (y, result))
            result = self.disjunction(starmap(self.both, pairs))
        return result

    def sum(self, a: Word, b: Word, carry: Literal = FALSE) -> Word:
        """Return the sum of two words, without what it carries over."""
        out = []
        for x, y in zip(a, b, strict=True):
            half = self.differ(x, y)
            out.append(self.differ(half, carry))
            carry = self.choice(half, carry, x)
        return tuple(out)

    def difference(self, a: Word, b: Word) -> Word:
        """Return the difference of two words."""
        return self.sum(a, tuple(-x for x in b), TRUE)

    # Reasons ---------------------------------------------------------------------------------

    def reasons(self, literals: Iterable[Literal], model: Sequence[int]) -> set[int]:
        """Return variables, down to inputs, whose values make literals what they are in a model."""
        seen: set[int] = set()
        work = [abs(x) for x in literals]
        gates = self.gates
        while work:
            v = work.pop()
            if v in seen:
                continue
            seen.add(v)
            inputs = gates.get(v)
            if inputs is None:
                continue
            if model[v - 1] > 0:
                work += map(abs, inputs)
            else:
                work.append(_false(inputs, model, seen))
        return seen


def _false(inputs: Iterable[Literal], model: Sequence[int], seen: set[int]) -> int:
    """Return the variable of a literal that is false in a model, one that was seen if there is."""
    found = 0
    for x in inputs:
        v = x if x > 0 else -x
        if model[v - 1] != x:
            if v in seen:
                return v
            found = found or v
    return found


def constant_word(value: int, width: int) -> Word:
    """Return a constant word."""
    return tuple(TRUE if value >> k & 1 else FALSE for k in range(width))


def all_different(words: Sequence[Word], circuit: Circuit) -> Literal:
    """Return a literal that is true if no two of some words are the same."""
    pairs = ((a, b) for k, a in enumerate(words) for b in words[k + 1 :])
    return circuit.conjunction(-circuit.equal(a, b) for a, b in pairs)


def all_equal(words: Sequence[Word], circuit: Circuit) -> Literal:
    """Return a literal that is true if all words are the same."""
    return circuit.conjunction(circuit.equal(a, b) for a, b in pairwise(words))
