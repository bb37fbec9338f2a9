"""Invariants in C's terms."""

from __future__ import annotations

from collections.abc import Iterator

import z3

from flushproof.engines.unbounded.horn_clauses import Control
from flushproof.engines.unbounded.ic3 import Invariant
from flushproof.engines.unbounded.prove import ConfirmedInvariant
from flushproof.engines.unbounded.variable_names import VariableNames


def invariant_lines(part: ConfirmedInvariant) -> Iterator[str]:
    """Yield the invariant, a line a fact, under a heading for each place where threads can be."""
    names = VariableNames(part.space, part.frames, part.system)
    yield f"{names.cast()}:"
    if not any(part.invariant.lemmas.values()):
        yield "  nothing has to be known"
    for control, lemmas in _in_order(part.invariant):
        if lemmas:
            yield f"  {names.place(control)}:"
            yield from (f"    {fact}" for fact in _facts(names, lemmas))


def facts_between_calls(part: ConfirmedInvariant) -> Iterator[str]:
    """Yield what the invariant says of the states in which no thread is in a call."""
    names = VariableNames(part.space, part.frames, part.system)
    for control, lemmas in _in_order(part.invariant):
        if control.flusher is None and not any(control.loads):
            yield from _facts(names, lemmas)


def _facts(names: VariableNames, lemmas: tuple[z3.BoolRef, ...]) -> Iterator[str]:
    return (names.text(lemma, top=True) for lemma in lemmas)


def _in_order(invariant: Invariant) -> Iterator[tuple[Control, tuple[z3.BoolRef, ...]]]:
    yield from sorted(invariant.lemmas.items(), key=lambda item: _rank(item[0]))


def _rank(control: Control) -> tuple[int, str]:
    busy = [s for s in (control.flusher, *control.loads) if s is not None]
    return len(busy), control.name
