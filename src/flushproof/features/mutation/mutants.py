"""All mutants of a variant, in a fixed order.

In: a `Setup`. Out: mutants, each with the text that it is. Edits that give the same text are one.
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import cached_property

from flushproof.features.mutation.edit import Edit
from flushproof.features.mutation.edit_sites import EditSite, list_edit_sites
from flushproof.features.mutation.statements import Statements
from flushproof.frontend.setup import Setup
from flushproof.support.record import Record
from flushproof.support.source import Source


class Mutant(Record, frozen=True, dict=True):
    """One edit of the text `original`; `number` counts from 1."""

    number: int
    function: str
    edit: Edit
    original: Source

    @cached_property
    def source(self) -> Source:
        """The text with the edit."""
        return self.edit.apply(self.original)

    @property
    def line(self) -> int:
        """The line where the edit begins."""
        return self.edit.line(self.original)


def make_mutants(setup: Setup) -> tuple[Mutant, ...]:
    """Return every mutant of a set-up, those of one function together."""
    siblings = _siblings(setup)
    found: dict[tuple[str, str], tuple[str, Edit, Source]] = {}
    for place in list_edit_sites(setup):
        for edit in _edits(place, siblings):
            text = edit.apply(place.source).text
            if text != place.source.text:
                found.setdefault((edit.file, text), (place.name, edit, place.source))
    numbered = enumerate(found.values(), start=1)
    return tuple(Mutant(n, name, edit, source) for n, (name, edit, source) in numbered)


def _edits(place: EditSite, siblings: dict[str, tuple[str, ...]]) -> Iterator[Edit]:
    found = Statements(place, siblings).all()
    live = [e for e in found if e.line(place.source) in place.lines]
    yield from sorted(live, key=lambda e: e.start)


def _siblings(setup: Setup) -> dict[str, tuple[str, ...]]:
    """Return for each word of an enum that has a name the other words of it."""
    out: dict[str, tuple[str, ...]] = {}
    for name, words in setup.declarations.enums.items():
        if name:
            for word in words.values():
                out[word] = tuple(w for w in words.values() if w != word)
    return out
