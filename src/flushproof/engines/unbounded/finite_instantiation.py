"""The meaning of terms over small finite domains, as gates.

Pages become short words, of which there are enough for all pages that one question speaks of
(range allocation: Pnueli, Rodeh, Shtrichman and Siegel, CAV 1999); numbers stay small. What is
found this way is a guess about the unbounded domains: the second look (`recheck`) asks anew.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import reduce
from operator import neg

import z3

from flushproof.engines.smt.term_constructors import children
from flushproof.engines.unbounded.and_inverter_graph import (
    FALSE,
    TRUE,
    Circuit,
    Word,
    all_different,
    all_equal,
    constant_word,
)
from flushproof.ir.program import MOST_VCPUS
from flushproof.support.record import Record

LOWEST = -8
"""The least number: below those that a sum may come to (`Algebra.note`)."""

MANY = 8
"""As many vCPUs as a number can stand for, and as far as counters go."""

LARGE = 16
"""Numbers up to this stand for themselves; there is room for sums of `MANY` between larger ones."""

PAGE_BITS = 5


class OutsideSmallDomains(Exception):  # noqa: N818 - a finding, no error
    """A term has no counterpart in small domains."""


Make = Callable[[Circuit, list[Word]], Word]
"""Makes a term's word from those of its parts."""


class Node(Record, frozen=True, eq=False):
    """A term that has been looked at: how to make its word from those of its parts.

    `name` is what an unknown is called, "" for all else.
    """

    parts: tuple[Node, ...]
    make: Make
    name: str = ""


class FiniteInstantiation:
    """Looks at terms; what was looked at is remembered.

    Numbers range over `LOWEST` to `MANY` above the largest constant of `formulas` that is no limit
    of a type, as those from the largest number of vCPUs on are. `constants` are
    pages that all differ.
    """

    def __init__(self, formulas: Sequence[z3.ExprRef], constants: Sequence[z3.ExprRef]) -> None:
        self.known: dict[int, tuple[z3.ExprRef, Node]] = {}
        self.constants = tuple(constants)
        self.pages = {x.get_id(): k for k, x in enumerate(constants)}
        known = _numerals(formulas)
        medium = (c for c in known if MANY < c <= LARGE)
        large = sorted(c for c in known if LARGE < c < MOST_VCPUS)
        self.stand_ins = {c: LARGE + 2 * MANY * (k + 1) for k, c in enumerate(large)}
        beyond = (c + MANY for c in (*medium, *self.stand_ins.values()))
        self.highest = max((MANY, *beyond))
        self.width = (4 * self.highest + LARGE).bit_length() + 1
        self.page_bits = max(PAGE_BITS, len(constants).bit_length() + 1)

    def __call__(self, term: z3.ExprRef) -> Node:
        """Return what a term means.

        Raises:
            Unsupported: it means nothing in small domains.
        """
        found = self.known.get(term.get_id())
        if found is None:
            found = (term, self._node(term, tuple(self(x) for x in children(term))))
            self.known[term.get_id()] = found
        return found[1]

    def _node(self, term: z3.ExprRef, parts: tuple[Node, ...]) -> Node:
        kind = term.decl().kind()
        if kind == z3.Z3_OP_UNINTERPRETED and not parts:
            return self._unknown(term)
        if z3.is_int_value(term):
            return _constant(self._number(term.as_long()))
        if z3.is_bv_value(term):
            return _constant(constant_word(term.as_long(), term.size()))
        make = _MEANING.get(kind) or _of_width(term, kind)
        if make is None:
            raise OutsideSmallDomains(str(term.decl()))
        return Node(parts, make)

    def _number(self, value: int) -> Word:
        top = 2 * self.highest + LARGE
        if abs(value) > LARGE:
            value = self.stand_ins.get(value, top if value > 0 else -top)
        return constant_word(value, self.width)

    def read_value(self, term: z3.ExprRef, bits: Sequence[bool]) -> z3.ExprRef | int:
        """Return what a term of a model stands for: a number, a constant, or which page it is."""
        plain = sum(1 << k for k, bit in enumerate(bits) if bit)
        if z3.is_int(term):
            signed = plain - (1 << len(bits)) if bits[-1] else plain
            near = ((c, s) for c, s in self.stand_ins.items() if abs(signed - s) <= MANY)
            return next((c + signed - s for c, s in near), signed)
        if term.sort().kind() == z3.Z3_UNINTERPRETED_SORT and plain < len(self.constants):
            return self.constants[plain]
        return plain

    def _unknown(self, term: z3.ExprRef) -> Node:
        name = str(term.decl().name())
        if term.get_id() in self.pages:
            return _constant(constant_word(self.pages[term.get_id()], self.page_bits))
        if z3.is_int(term):
            return Node((), _free_number(self.width, self.highest), name)
        if z3.is_bool(term):
            return Node((), lambda c, _: (c.fresh(),), name)
        if z3.is_bv(term):
            return Node((), _free_word(term.size()), name)
        if term.sort().kind() == z3.Z3_UNINTERPRETED_SORT:
            return Node((), _free_word(self.page_bits), name)
        raise OutsideSmallDomains(str(term.sort()))


class Instance:
    """The words of nodes in one circuit; unknowns of one name are one."""

    def __init__(self, circuit: Circuit) -> None:
        self.circuit = circuit
        self.unknown: dict[str, Word] = {}
        self.words: dict[Node, Word] = {}

    def word(self, node: Node) -> Word:
        """Return the word of a node."""
        found = self.words.get(node)
        if found is None:
            found = self.words[node] = self._made(node, [self.word(x) for x in node.parts])
        return found

    def where(self, node: Node, given: Mapping[Node, Word]) -> Word:
        """Return the word that a small node has where some unknowns have other words."""
        if node in given:
            return given[node]
        if not node.parts:
            return self.word(node)
        return node.make(self.circuit, [self.where(x, given) for x in node.parts])

    def _made(self, node: Node, parts: list[Word]) -> Word:
        if not node.name:
            return node.make(self.circuit, parts)
        if node.name not in self.unknown:
            self.unknown[node.name] = node.make(self.circuit, parts)
        return self.unknown[node.name]


def _constant(word: Word) -> Node:
    return Node((), lambda _, __: word)


# These hold on to no instantiation: with a circle through it, terms would go when Python looks for
# garbage, z3 would number new ones by what is free then, and no two searches be the same.
def _free_word(width: int) -> Make:
    return lambda circuit, _: circuit.word(width)


def _free_number(width: int, highest: int) -> Make:
    """Make a new number between `LOWEST` and the highest."""

    def make(circuit: Circuit, _: list[Word]) -> Word:
        n = circuit.word(width)
        circuit.require(circuit.at_most(constant_word(LOWEST, width), n, signed=True))
        circuit.require(circuit.at_most(n, constant_word(highest, width), signed=True))
        return n

    return make


def _numerals(formulas: Sequence[z3.ExprRef]) -> set[int]:
    found: set[int] = set()
    seen: set[int] = set()
    work = list(formulas)
    while work:
        term = work.pop()
        if term.get_id() not in seen:
            seen.add(term.get_id())
            work.extend(children(term))
            if z3.is_int_value(term):
                found.add(term.as_long())
    return found


def _all(c: Circuit, parts: list[Word]) -> Word:
    return (c.conjunction(x for (x,) in parts),)


def _any(c: Circuit, parts: list[Word]) -> Word:
    return (c.disjunction(x for (x,) in parts),)


def _not(_: Circuit, parts: list[Word]) -> Word:
    return (-parts[0][0],)


def _least(*, signed: bool, turned: bool, negated: bool) -> Callable[[Circuit, list[Word]], Word]:
    """Return `a <= b`, the arguments turned round, or negated."""

    def make(c: Circuit, parts: list[Word]) -> Word:
        a, b = reversed(parts) if turned else parts
        result = c.at_most(a, b, signed=signed)
        return (-result if negated else result,)

    return make


def _bitwise(gate: Callable[[Circuit, Word], int]) -> Callable[[Circuit, list[Word]], Word]:
    return lambda c, parts: tuple(gate(c, bits) for bits in zip(*parts, strict=True))


def _total(c: Circuit, parts: list[Word]) -> Word:
    return reduce(c.sum, parts)


def _of_width(term: z3.ExprRef, kind: int) -> Callable[[Circuit, list[Word]], Word] | None:
    """Return how a bit-vector of another width is made of its parts, if it is one."""
    match kind:
        case z3.Z3_OP_EXTRACT:
            high, low = term.decl().params()
            return lambda _, p: p[0][low : high + 1]
        case z3.Z3_OP_CONCAT:
            return lambda _, p: tuple(x for word in reversed(p) for x in word)
        case z3.Z3_OP_ZERO_EXT:
            (more,) = term.decl().params()
            return lambda _, p: (*p[0], *(FALSE,) * more)
        case z3.Z3_OP_SIGN_EXT:
            (more,) = term.decl().params()
            return lambda _, p: (*p[0], *p[0][-1:] * more)
    return None


def _shift(*, left: bool, signed: bool) -> Callable[[Circuit, list[Word]], Word]:
    """Return a shift by as many places as the second word says."""

    def make(c: Circuit, parts: list[Word]) -> Word:
        word, places = parts
        filler = word[-1] if signed else FALSE
        if left:
            word = word[::-1]
        for k, bit in enumerate(places):
            by = min(1 << k, len(word))
            word = c.select(bit, (*word[by:], *(filler,) * by), word)
        return word[::-1] if left else word

    return make


_LE = _least(signed=True, turned=False, negated=False)
_GE = _least(signed=True, turned=True, negated=False)
_LT = _least(signed=True, turned=True, negated=True)
_GT = _least(signed=True, turned=False, negated=True)

_MEANING: dict[int, Callable[[Circuit, list[Word]], Word]] = {
    z3.Z3_OP_ITE: lambda c, p: c.select(p[0][0], p[1], p[2]),
    z3.Z3_OP_BAND: _bitwise(lambda c, bits: c.conjunction(bits)),
    z3.Z3_OP_BOR: _bitwise(lambda c, bits: c.disjunction(bits)),
    z3.Z3_OP_BXOR: _bitwise(lambda c, bits: reduce(c.differ, bits)),
    z3.Z3_OP_BNOT: lambda _, p: tuple(map(neg, p[0])),
    z3.Z3_OP_BADD: _total,
    z3.Z3_OP_BSUB: lambda c, p: reduce(c.difference, p),
    z3.Z3_OP_BNEG: lambda c, p: c.difference((FALSE,) * len(p[0]), p[0]),
    z3.Z3_OP_BSHL: _shift(left=True, signed=False),
    z3.Z3_OP_BLSHR: _shift(left=False, signed=False),
    z3.Z3_OP_BASHR: _shift(left=False, signed=True),
    z3.Z3_OP_TRUE: lambda *_: (TRUE,),
    z3.Z3_OP_FALSE: lambda *_: (FALSE,),
    z3.Z3_OP_AND: _all,
    z3.Z3_OP_OR: _any,
    z3.Z3_OP_NOT: _not,
    z3.Z3_OP_IMPLIES: lambda c, p: (c.disjunction((-p[0][0], p[1][0])),),
    z3.Z3_OP_XOR: lambda c, p: (reduce(c.differ, (x for (x,) in p)),),
    z3.Z3_OP_EQ: lambda c, p: (all_equal(p, c),),
    z3.Z3_OP_DISTINCT: lambda c, p: (all_different(p, c),),
    z3.Z3_OP_LE: _LE,
    z3.Z3_OP_GE: _GE,
    z3.Z3_OP_LT: _LT,
    z3.Z3_OP_GT: _GT,
    z3.Z3_OP_SLEQ: _LE,
    z3.Z3_OP_SGEQ: _GE,
    z3.Z3_OP_SLT: _LT,
    z3.Z3_OP_SGT: _GT,
    z3.Z3_OP_ULEQ: _least(signed=False, turned=False, negated=False),
    z3.Z3_OP_UGEQ: _least(signed=False, turned=True, negated=False),
    z3.Z3_OP_ULT: _least(signed=False, turned=True, negated=True),
    z3.Z3_OP_UGT: _least(signed=False, turned=False, negated=True),
    z3.Z3_OP_ADD: _total,
    z3.Z3_OP_SUB: lambda c, p: reduce(c.difference, p),
    z3.Z3_OP_UMINUS: lambda c, p: c.difference((FALSE,) * len(p[0]), p[0]),
}
