"""What is assumed about a kernel file, and values of which nothing is known."""

from __future__ import annotations

from dataclasses import dataclass, field

from flushproof.frontend.c import syntax as c
from flushproof.frontend.kernel.assembly import ANY
from flushproof.support.source import Span

STATE = "__any_state"
"""A call after which all of the state has any value; what it is replaced by is in `havoc.py`."""


def unconstrained_value(span: Span) -> c.Expr:
    """Return an expression of any value."""
    return c.CallExpr(c.Name(ANY, span), (), span)


@dataclass
class Notes:
    """What is assumed, in words, and which functions are needed, in order.

    `unknown` are the calls that may write all of the state.
    """

    assumed: dict[str, None] = field(default_factory=dict)
    called: dict[str, None] = field(default_factory=dict)
    unknown: dict[str, None] = field(default_factory=dict)

    def assume(self, text: str) -> None:
        """Note an assumption once."""
        self.assumed.setdefault(text)
