"""A typed face for z3: terms that fold while they are built.

A boolean is a Python bool or a z3 term, a number a Python int or a z3 integer term, so that what is
known stays known and unrolled loops end by themselves.
"""

from __future__ import annotations

from typing import TypeAlias

import z3

from flushproof.engines.smt import term_constructors

Bool: TypeAlias = bool | z3.BoolRef
Number: TypeAlias = int | z3.ArithRef


def z3_bool(b: Bool) -> z3.BoolRef:
    """Return a z3 term for a boolean."""
    return z3.BoolVal(b) if isinstance(b, bool) else b


def z3_number(n: Number) -> z3.ArithRef:
    """Return a z3 term for a number."""
    return z3.IntVal(n) if isinstance(n, int) else n


def not_(a: Bool) -> Bool:
    """Negation."""
    if isinstance(a, bool):
        return not a
    return term_constructors.make_negation(a)


def and_(*parts: Bool) -> Bool:
    """Conjunction."""
    left: dict[int, z3.BoolRef] = {}
    for p in parts:
        if isinstance(p, bool):
            if not p:
                return False
        else:
            left.setdefault(p.ast.value, p)
    if not left:
        return True
    terms = list(left.values())
    return terms[0] if len(terms) == 1 else term_constructors.make_conjunction(terms)


def or_(*parts: Bool) -> Bool:
    """Disjunction."""
    left: dict[int, z3.BoolRef] = {}
    for p in parts:
        if isinstance(p, bool):
            if p:
                return True
        else:
            left.setdefault(p.ast.value, p)
    if not left:
        return False
    terms = list(left.values())
    return terms[0] if len(terms) == 1 else term_constructors.make_disjunction(terms)


def is_same_number(a: Number, b: Number) -> bool:
    """Tell whether two numbers are one as they are written."""
    if isinstance(a, int) or isinstance(b, int):
        return isinstance(a, int) and isinstance(b, int) and a == b
    return term_constructors.is_same_term(a, b)


def implies(a: Bool, b: Bool) -> Bool:
    """Implication."""
    return or_(not_(a), b)


def ite_bool(c: Bool, a: Bool, b: Bool) -> Bool:
    """Choice between booleans."""
    if isinstance(c, bool):
        return a if c else b
    if isinstance(a, bool) and isinstance(b, bool):
        return a if a == b else (c if a else not_(c))
    if isinstance(a, bool):
        return or_(c, b) if a else and_(not_(c), b)
    if isinstance(b, bool):
        return or_(not_(c), a) if b else and_(c, a)
    return a if term_constructors.is_same_term(a, b) else term_constructors.make_choice(c, a, b)


def equal_bool(a: Bool, b: Bool) -> Bool:
    """Equivalence."""
    if isinstance(a, bool):
        return b if a else not_(b)
    if isinstance(b, bool):
        return a if b else not_(a)
    return True if term_constructors.is_same_term(a, b) else term_constructors.make_equality(a, b)


def ite_number(c: Bool, a: Number, b: Number) -> Number:
    """Choice between numbers."""
    if isinstance(c, bool):
        return a if c else b
    if isinstance(a, int) and isinstance(b, int):
        if a == b:
            return a
    elif not isinstance(a, int) and not isinstance(b, int) and term_constructors.is_same_term(a, b):
        return a
    return term_constructors.make_choice(c, z3_number(a), z3_number(b))


def compare_numbers(op: str, a: Number, b: Number) -> Bool:
    """One of == != < <= > >= on numbers."""
    if op == "!=":
        return not_(compare_numbers("==", a, b))
    if op in (">", ">="):
        return compare_numbers(op.replace(">", "<"), b, a)
    if isinstance(a, int) and isinstance(b, int):
        return a == b if op == "==" else (a < b if op == "<" else a <= b)
    if op == "==":
        return (
            True
            if is_same_number(a, b)
            else term_constructors.make_equality(z3_number(a), z3_number(b))
        )
    return z3_number(a) < z3_number(b) if op == "<" else z3_number(a) <= z3_number(b)
