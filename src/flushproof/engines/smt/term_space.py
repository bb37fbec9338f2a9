"""Contexts that z3's terms are made in, so that one question does not depend on those before it.

Which model z3 finds, how it orders sums and so which invariant a search comes upon depend on the
order in which terms were made. In a space of its own a question has the same answer whatever the
process did before.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import z3
from z3 import z3 as library


class TermSpace:
    """A space of terms, which may be entered again; terms of one are not for use in another."""

    def __init__(self) -> None:
        self._context: z3.Context | None = None

    @contextmanager
    def entered(self) -> Iterator[None]:
        """Make terms in this space until the end; spaces may be nested."""
        # z3 makes terms in its main context where none is named. The bindings have no call that
        # changes it, and naming a context at every constructor would be forgotten somewhere.
        if self._context is None:
            self._context = z3.Context()
        before, library._main_ctx = library._main_ctx, self._context  # noqa: SLF001
        try:
            yield
        finally:
            library._main_ctx = before  # noqa: SLF001


def current_space() -> TermSpace:
    """Return the space that terms are made in."""
    space = TermSpace()
    space._context = z3.main_ctx()  # noqa: SLF001 - its own class
    return space


@contextmanager
def fresh_terms() -> Iterator[None]:
    """Make terms in a new space until the end."""
    with TermSpace().entered():
        yield
