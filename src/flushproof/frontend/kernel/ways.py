"""Ways through the code that creates a VM or a vCPU, and the values that it sets."""

from __future__ import annotations

from collections.abc import Iterable

from flushproof.frontend.c import syntax as c
from flushproof.frontend.c.consteval import Constants, evaluate_constant
from flushproof.frontend.c.walk import walk
from flushproof.frontend.kernel.builtin_headers import builtin_headers
from flushproof.support.diagnostics import InputError
from flushproof.support.record import Record, replace

Key = tuple[str, str]
ANYTHING = ""
"""A value of which nothing is known."""
ZERO = "0"
INVALID = "INVALID_PAGE"


class Way(Record, frozen=True):
    """One way through the code: what is set so far, and which local variables are (not) zero."""

    members: frozenset[tuple[Key, str]] = frozenset()
    zero: frozenset[tuple[str, bool]] = frozenset()

    def given(self, keys: Iterable[Key], value: str) -> Way:
        """Return the way after an assignment."""
        gone = set(keys)
        kept = {x for x in self.members if x[0] not in gone}
        return replace(self, members=frozenset(kept | {(k, value) for k in gone}))

    def known(self, name: str, zero: bool | None) -> Way:  # noqa: FBT001 - an answer
        """Return the way on which a variable is (not) zero, or may be either."""
        kept = {x for x in self.zero if x[0] != name}
        return replace(self, zero=frozenset(kept if zero is None else kept | {(name, zero)}))

    def is_zero(self, name: str) -> bool | None:
        """Tell whether a variable is zero, None where that is not known."""
        return next((z for n, z in self.zero if n == name), None)


Ways = frozenset[Way]


def changed_places(s: c.Stmt) -> list[c.Expr]:
    """Return the places that a statement changes, variables that it declares left out."""
    return [t for t in map(target_of, walk(s)) if t is not None]


def forget_variables(ways: Ways, names: set[str]) -> Ways:
    """Return the ways with nothing known of some variables."""
    return frozenset(
        replace(w, zero=frozenset(x for x in w.zero if x[0] not in names)) for w in ways
    )


def value_of(e: c.Expr) -> str:
    """Return a value as it is written in C, `ANYTHING` where it is not constant."""
    number = number_of(e)
    if number is not None:
        return INVALID if number % (1 << 64) == (1 << 64) - 1 else str(number)
    return e.id if isinstance(e, c.Name) and e.id.isupper() else ANYTHING


def number_of(e: c.Expr) -> int | None:
    """Return the number that an expression always is, None where that is not known."""
    try:
        return evaluate_constant(e, Constants({}, {}, {}, builtin_headers().prelude.resolve))
    except InputError:
        return None


def target_of(e: object) -> c.Expr | None:
    """Return what an expression itself changes, or takes the address of."""
    match e:
        case (
            c.AssignExpr(_, target) | c.Postfix(_, target) | c.UnaryExpr("++" | "--" | "&", target)
        ):
            return target
        case _:
            return None
