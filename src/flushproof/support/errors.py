"""Errors that are the program's own fault, never the input's."""

from __future__ import annotations


class InternalError(Exception):
    """Two parts of the program disagree, so that no verdict may be printed.

    Raised for a counterexample that does not replay and for two engines with different verdicts.
    """
