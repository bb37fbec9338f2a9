"""The constructors of terms that are called most, straight on z3's C interface.

z3's Python operators coerce and check their arguments each time, which takes longer than making the
term. Here the arguments have the right sorts, and all terms are of z3's main context.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import TypeVar

import z3

Term = TypeVar("Term", bound=z3.ExprRef)


def is_same_term(a: z3.AstRef, b: z3.AstRef) -> bool:
    """Tell whether two terms are one; z3 makes no term twice."""
    return bool(a.ast.value == b.ast.value)


def make_conjunction(parts: Sequence[z3.BoolRef]) -> z3.BoolRef:
    """Return that all parts hold."""
    ctx = parts[0].ctx
    return z3.BoolRef(z3.Z3_mk_and(ctx.ref(), len(parts), _array(parts)), ctx)


def make_disjunction(parts: Sequence[z3.BoolRef]) -> z3.BoolRef:
    """Return that some part holds."""
    ctx = parts[0].ctx
    return z3.BoolRef(z3.Z3_mk_or(ctx.ref(), len(parts), _array(parts)), ctx)


def make_negation(a: z3.BoolRef) -> z3.BoolRef:
    """Return that `a` does not hold; of a negation, what it negates."""
    ctx = a.ctx.ref()
    if z3.Z3_get_ast_kind(ctx, a.ast) == z3.Z3_APP_AST:
        app = z3.Z3_to_app(ctx, a.ast)
        if z3.Z3_get_decl_kind(ctx, z3.Z3_get_app_decl(ctx, app)) == z3.Z3_OP_NOT:
            return z3.BoolRef(z3.Z3_get_app_arg(ctx, app, 0), a.ctx)
    return z3.BoolRef(z3.Z3_mk_not(ctx, a.ast), a.ctx)


def make_equality(a: z3.ExprRef, b: z3.ExprRef) -> z3.BoolRef:
    """Return that two terms of one sort are equal."""
    return z3.BoolRef(z3.Z3_mk_eq(a.ctx.ref(), a.ast, b.ast), a.ctx)


def make_choice(c: z3.BoolRef, a: Term, b: z3.ExprRef) -> z3.ExprRef:
    """Return `a` where `c` holds, else `b`, which has the same sort."""
    return _like(a, z3.Z3_mk_ite(c.ctx.ref(), c.ast, a.ast, b.ast))


def add_constraints(solver: z3.Solver, constraints: Iterable[z3.BoolRef]) -> None:
    """Tell a solver of constraints."""
    for c in constraints:
        z3.Z3_solver_assert(solver.ctx.ref(), solver.solver, c.ast)


def children(term: z3.ExprRef) -> list[z3.ExprRef]:
    """Return the arguments of an application without quantifiers."""
    ctx = term.ctx.ref()
    app = z3.Z3_to_app(ctx, term.ast)
    count = z3.Z3_get_app_num_args(ctx, app)
    return [_wrapped(z3.Z3_get_app_arg(ctx, app, k), term.ctx) for k in range(count)]


def _wrapped(ast: z3.Ast, ctx: z3.Context) -> z3.ExprRef:
    kind = z3.Z3_get_sort_kind(ctx.ref(), z3.Z3_get_sort(ctx.ref(), ast))
    numeral = z3.Z3_get_ast_kind(ctx.ref(), ast) == z3.Z3_NUMERAL_AST
    return (_NUMERALS if numeral else _SORTS).get(kind, z3.ExprRef)(ast, ctx)


_SORTS: dict[int, type[z3.ExprRef]] = {
    z3.Z3_BOOL_SORT: z3.BoolRef,
    z3.Z3_INT_SORT: z3.ArithRef,
    z3.Z3_BV_SORT: z3.BitVecRef,
    z3.Z3_ARRAY_SORT: z3.ArrayRef,
}
_NUMERALS: dict[int, type[z3.ExprRef]] = {
    z3.Z3_INT_SORT: z3.IntNumRef,
    z3.Z3_BV_SORT: z3.BitVecNumRef,
}


class Substitution:
    """Terms to be put in the place of others of the same sorts, all at once."""

    def __init__(self, pairs: Iterable[tuple[z3.ExprRef, z3.ExprRef]]) -> None:
        self.pairs = [(a, b) for a, b in pairs if not is_same_term(a, b)]
        self._old = _array([a for a, _ in self.pairs])
        self._new = _array([b for _, b in self.pairs])

    def __call__(self, term: z3.ExprRef) -> z3.ExprRef:
        """Return a term with the replacements made."""
        if not self.pairs:
            return term
        n = len(self.pairs)
        found = z3.Z3_substitute(term.ctx.ref(), term.ast, n, self._old, self._new)
        return term if found.value == term.ast.value else _like(term, found)


def _array(terms: Sequence[z3.ExprRef]) -> z3.Array:
    return (z3.Ast * len(terms))(*(t.ast for t in terms))


_CLASSES = (z3.BoolRef, z3.ArithRef, z3.BitVecRef, z3.ArrayRef, z3.ExprRef)


def _like(term: z3.ExprRef, ast: z3.Ast) -> z3.ExprRef:
    """Wrap a term of the same sort as another, a constant's class being for constants alone."""
    kind = next(c for c in _CLASSES if isinstance(term, c))
    return kind(ast, term.ctx)
