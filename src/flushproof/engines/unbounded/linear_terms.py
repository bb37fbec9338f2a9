"""Terms of a clause as sums: the normal form of a comparison, and what a choice comes down to.

In: terms over the parameters of predicates. Out: a key that comparisons of one meaning share, the
numbers that a choice may be, and a sum as its variables with a distance.
"""

from __future__ import annotations

from itertools import product
from math import prod

import z3

from flushproof.engines.smt.term_constructors import children

MOST_NUMBERS = 16
"""A set of more locks than make so many sets is not looked into."""


def normalise_atom(atom: z3.BoolRef) -> tuple[object, z3.BoolRef]:
    """Return a key that atoms of one meaning share, and the atom to keep; no key for constants."""
    if atom.num_args() != 2:
        return atom.get_id(), atom
    a, b = children(atom)
    if z3.is_int(a):
        return _linear(b, a, equal=False) if z3.is_ge(atom) else _linear(a, b, equal=z3.is_eq(atom))
    if not z3.is_eq(atom):
        return atom.get_id(), atom
    if a.eq(b):
        return None, atom
    return frozenset((a.get_id(), b.get_id())), atom


def _linear(a: z3.ArithRef, b: z3.ArithRef, *, equal: bool) -> tuple[object, z3.BoolRef]:
    """Return `a <= b` or `a == b` with a sum of variables on each side, a constant on the right."""
    terms: dict[int, tuple[z3.ArithRef, int]] = {}
    constant = -collect_summands(a, 1, terms) - collect_summands(b, -1, terms)
    left = [(k, x) for k, (x, c) in sorted(terms.items()) if c == 1]
    right = [(k, x) for k, (x, c) in sorted(terms.items()) if c == -1]
    if not terms or any(abs(c) > 1 for _, c in terms.values()):
        return None, z3.BoolVal(val=True)
    if not left or (right and right[0][0] < left[0][0]):
        left, right = right, left
        constant = -constant if equal else -constant - 1
    x = z3.Sum([t for _, t in left]) if len(left) > 1 else left[0][1]
    y = _sum([t for _, t in right], constant)
    key = (equal, tuple(k for k, _ in left), tuple(k for k, _ in right), constant)
    return key, x == y if equal else x <= y


def _sum(terms: list[z3.ArithRef], constant: int) -> z3.ArithRef:
    total = terms[0] if terms else z3.IntVal(constant)
    for x in terms[1:]:
        total = total + x
    return total + constant if terms and constant else total


def collect_summands(
    term: z3.ArithRef, sign: int, terms: dict[int, tuple[z3.ArithRef, int]]
) -> int:
    """Add the variables of a term to `terms`, with their factors; return its constant."""
    if z3.is_int_value(term):
        return sign * int(term.as_long())
    if z3.is_add(term):
        return sum(collect_summands(x, sign, terms) for x in children(term))
    if z3.is_sub(term):
        first, *rest = children(term)
        return collect_summands(first, sign, terms) + sum(
            collect_summands(x, -sign, terms) for x in rest
        )
    known = terms.get(term.get_id(), (term, 0))[1]
    terms[term.get_id()] = (term, known + sign)
    if known + sign == 0:
        del terms[term.get_id()]
    return 0


def list_choices(term: z3.ExprRef) -> list[z3.ExprRef]:
    """Return what a choice can come down to."""
    found: list[z3.ExprRef] = []
    seen: set[int] = set()
    work = [term]
    while work:
        x = work.pop()
        if x.get_id() in seen:
            continue
        seen.add(x.get_id())
        if x.decl().kind() == z3.Z3_OP_ITE:
            work += [x.arg(1), x.arg(2)]
        else:
            found += _taken_apart(x) or [x]
    return found


def _taken_apart(term: z3.ExprRef) -> list[z3.ExprRef]:
    """Return what a bit-vector made of choices can be; nothing if that is too much.

    A set of locks is such a one: each lock adds its bits if it is held. So is `x | 1` of a field
    of a vCPU, which is the tracked one or another.
    """
    parts = children(term)
    if not parts or not z3.is_bv(term) or not all(map(z3.is_bv, parts)):
        return []
    choices = [list_choices(x) for x in parts]
    if prod(map(len, choices)) > MOST_NUMBERS:
        return []
    whole = (term.decl()(*chosen) for chosen in product(*choices))
    known = all(z3.is_bv_value(x) for found in choices for x in found)
    return [z3.simplify(x) if known else x for x in whole]
