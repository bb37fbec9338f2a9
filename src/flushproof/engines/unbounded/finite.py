"""Terms over small finite domains, and formulas as clauses for a SAT solver.

Pages become short bit-vectors, of which there are enough for all pages that one question speaks of
(range allocation: Pnueli, Rodeh, Shtrichman and Siegel, CAV 1999); numbers stay small. What is
found this way is a guess about the unbounded domains: the second look (`recheck`) asks anew.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import z3

LOWEST = -8
"""The least number: below those that a sum may come to (`Algebra.note`)."""

MANY = 20
"""As many vCPUs as a number can stand for, and as far as counters go."""

LARGE = 64
"""Numbers up to this stand for themselves; there is room for sums of `MANY` between larger ones."""

LIMIT = 1 << 31
"""Numbers from here on are limits of types: larger than all others."""


class Unsupported(Exception):  # noqa: N818 - a finding, no error
    """A term has no counterpart in small domains."""


class Finite:
    """Translates the terms of `formulas` and their parts; what was translated is remembered.

    Pages have `page_bits` bits. Numbers range over `LOWEST` to `MANY` above the largest constant.
    """

    def __init__(self, page_bits: int, formulas: Sequence[z3.ExprRef]) -> None:
        self.pages = z3.BitVecSort(page_bits)
        self.known: dict[int, tuple[z3.ExprRef, z3.ExprRef]] = {}
        self.limits: list[z3.BoolRef] = []
        large = sorted(c for c in _numerals(formulas) if LARGE < c < LIMIT - 1)
        self.stand_ins = {c: LARGE + 2 * MANY * (k + 1) for k, c in enumerate(large)}
        self.highest = max((MANY, *(c + MANY for c in self.stand_ins.values())))
        self.width = (4 * self.highest + LARGE).bit_length() + 1

    def __call__(self, term: z3.ExprRef) -> z3.ExprRef:
        """Return the counterpart of a term.

        Raises:
            Unsupported: there is none.
        """
        found = self.known.get(term.get_id())
        if found is None:
            arguments = [self(x) for x in term.children()]
            found = (term, self._made(term, arguments))
            self.known[term.get_id()] = found
        return found[1]

    def _made(self, term: z3.ExprRef, arguments: list[z3.ExprRef]) -> z3.ExprRef:
        kind = term.decl().kind()
        if kind == z3.Z3_OP_UNINTERPRETED and not arguments:
            return self._variable(term)
        if z3.is_int_value(term):
            return self._number(term.as_long())
        if kind in _CHANGED:
            return _CHANGED[kind](arguments)
        if kind in _KEPT or z3.is_bv_sort(term.sort()):
            return _rebuilt(kind, term, arguments)
        raise Unsupported(str(term.decl()))

    def _number(self, value: int) -> z3.BitVecRef:
        top = 2 * self.highest + LARGE
        if abs(value) > LARGE:
            value = self.stand_ins.get(value, top if value > 0 else -top)
        return z3.BitVecVal(value, self.width)

    def _variable(self, term: z3.ExprRef) -> z3.ExprRef:
        sort = term.sort()
        if z3.is_int(term):
            number = z3.BitVec(f"{term.decl().name()}#", self.width)
            self.limits += [number >= LOWEST, number <= self.highest]
            return number
        if sort.kind() == z3.Z3_UNINTERPRETED_SORT:
            return z3.Const(f"{term.decl().name()}#", self.pages)
        if z3.is_bool(term) or z3.is_bv(term):
            return term
        raise Unsupported(str(sort))


def _numerals(formulas: Sequence[z3.ExprRef]) -> set[int]:
    found: set[int] = set()
    seen: set[int] = set()
    work = list(formulas)
    while work:
        term = work.pop()
        if term.get_id() not in seen:
            seen.add(term.get_id())
            work.extend(term.children())
            if z3.is_int_value(term):
                found.add(term.as_long())
    return found


_KEPT = (
    z3.Z3_OP_TRUE,
    z3.Z3_OP_FALSE,
    z3.Z3_OP_AND,
    z3.Z3_OP_OR,
    z3.Z3_OP_NOT,
    z3.Z3_OP_IMPLIES,
    z3.Z3_OP_XOR,
    z3.Z3_OP_ITE,
    z3.Z3_OP_EQ,
    z3.Z3_OP_DISTINCT,
    z3.Z3_OP_ULEQ,
    z3.Z3_OP_ULT,
    z3.Z3_OP_UGEQ,
    z3.Z3_OP_UGT,
    z3.Z3_OP_SLEQ,
    z3.Z3_OP_SLT,
    z3.Z3_OP_SGEQ,
    z3.Z3_OP_SGT,
)


def _total(terms: Sequence[z3.ExprRef]) -> z3.ExprRef:
    out = terms[0]
    for x in terms[1:]:
        out = out + x
    return out


def _difference(terms: Sequence[z3.ExprRef]) -> z3.ExprRef:
    out = terms[0]
    for x in terms[1:]:
        out = out - x
    return out


_CHANGED: dict[int, Callable[[list[z3.ExprRef]], z3.ExprRef]] = {
    z3.Z3_OP_ADD: _total,
    z3.Z3_OP_SUB: _difference,
    z3.Z3_OP_UMINUS: lambda a: -a[0],
    z3.Z3_OP_LE: lambda a: a[0] <= a[1],
    z3.Z3_OP_LT: lambda a: a[0] < a[1],
    z3.Z3_OP_GE: lambda a: a[0] >= a[1],
    z3.Z3_OP_GT: lambda a: a[0] > a[1],
}


def _rebuilt(kind: int, term: z3.ExprRef, arguments: list[z3.ExprRef]) -> z3.ExprRef:
    match kind:
        case z3.Z3_OP_ITE:
            return z3.If(*arguments)
        case z3.Z3_OP_EQ:
            return arguments[0] == arguments[1]
        case z3.Z3_OP_DISTINCT:
            return z3.Distinct(*arguments)
        case _:
            if any(z3.is_int(x) for x in term.children()):
                raise Unsupported(str(term.decl()))
            return term.decl()(*arguments) if arguments else term


@dataclass(frozen=True, slots=True)
class Clauses:
    """A formula in conjunctive normal form; `numbers` are the variables that have a name."""

    variables: int
    clauses: tuple[tuple[int, ...], ...]
    numbers: dict[str, int]


_TACTIC = ("simplify", "bit-blast", "simplify", "tseitin-cnf")


def clauses(formulas: Sequence[z3.BoolRef]) -> Clauses:
    """Return formulas over booleans and bit-vectors as clauses."""
    goal = z3.Goal()
    goal.add(*formulas)
    (result,) = z3.Then(*_TACTIC)(goal)
    numbers: dict[str, int] = {}
    found: list[tuple[int, ...]] = []
    variables = 0
    for line in result.dimacs(True).splitlines():  # noqa: FBT003
        if line.startswith("c "):
            _, number, name = line.split(" ", 2)
            numbers[name] = int(number)
        elif line.startswith("p "):
            variables = int(line.split()[2])
        elif line:
            found.append(tuple(int(x) for x in line.split()[:-1]))
    return Clauses(variables, tuple(found), numbers)
