"""The variant's own functions as they stand in its text, macros as written.

In: a `Setup`. Out: for each function that an operation can reach, its tree and where in the text
each node of the tree stands. Only code that is left in the set-up counts: what was reduced away of
a kernel file has no part in any answer.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Iterator
from functools import cached_property
from typing import Protocol

from flushproof.frontend.c import syntax as c
from flushproof.frontend.c.item_splitter import Sort, split_items
from flushproof.frontend.c.outline import Outline, expand_macros, read_outline
from flushproof.frontend.c.parser import parse_items
from flushproof.frontend.c.tokens import Token, TokenKind
from flushproof.frontend.c.walk import walk
from flushproof.frontend.kernel.slicing import called_by
from flushproof.frontend.setup import Setup
from flushproof.frontend.spec.builtin import load_builtin
from flushproof.support.diagnostics import InputError
from flushproof.support.record import Record
from flushproof.support.source import Source, Span


class Spanned(Protocol):
    """A node of the syntax tree."""

    @property
    def span(self) -> Span:
        """Where it stands."""


class EditSite(Record, frozen=True, dict=True):
    """One function in its text: `tokens` are what it is made of, `lines` those that count."""

    source: Source
    function: c.Function
    tokens: tuple[Token, ...]
    lines: frozenset[int]

    @property
    def name(self) -> str:
        """The name of the function."""
        return self.function.name

    @property
    def tree(self) -> c.Block:
        """The body of the function."""
        assert self.function.body is not None
        return self.function.body

    @property
    def ranges(self) -> tuple[str, ...]:
        """The parameters that are a range of pages to flush."""
        pages = (p for p in self.function.parameters if p.type.name == "kvm_tlb_range")
        return tuple(p.declarator.name for p in pages if p.declarator.pointers == 1)

    @cached_property
    def _starts(self) -> list[int]:
        return [self.source.stretch(t.span)[0] for t in self.tokens]

    @cached_property
    def _ends(self) -> list[int]:
        return [self.source.stretch(t.span)[1] for t in self.tokens]

    def stretch(self, node: Spanned) -> tuple[int, int] | None:
        """Return from where to where a node stands, parentheses balanced.

        None where a macro has a part in it, so that the text there is not the node's.
        """
        start, end = self.source.stretch(node.span)
        first, last = bisect_left(self._starts, start), bisect_right(self._ends, end) - 1
        if first > last or self._starts[first] != start or self._ends[last] != end:
            return None
        missing, spare = _unbalanced(self.tokens[first : last + 1])
        first, last = first - missing, last + spare
        if first < 0 or last >= len(self.tokens) or any(_unbalanced(self.tokens[first : last + 1])):
            return None
        if any(t.hidden for t in self.tokens[first : last + 1]):
            return None
        return self._starts[first], self._ends[last]

    def text(self, node: Spanned) -> str | None:
        """Return the text of a node, None where a macro has a part in it."""
        found = self.stretch(node)
        return None if found is None else self.source.text[found[0] : found[1]]


def list_edit_sites(setup: Setup) -> tuple[EditSite, ...]:
    """Return the functions of the variant that its operations can reach, in the order of the text.

    One that cannot be read by itself is left out.
    """
    found: list[EditSite] = []
    for source in own_sources(setup):
        reached = _reached(setup, source.name)
        try:
            lines = read_outline(source, load_builtin().context.macros)
            found += _in_file(setup, lines, reached)
        except InputError:
            continue
    return tuple(found)


def own_sources(setup: Setup) -> tuple[Source, ...]:
    """Return the variant, and the C files that belong to it."""
    others = (s for s in setup.sources if s.name.endswith(".c") and s.name != setup.variant.name)
    return (setup.variant, *others)


def _reached(setup: Setup, file: str) -> dict[str, c.Function]:
    """Return the functions with a body in a file that the operations call, themselves included."""
    functions = setup.declarations.functions
    pending = [o.function for o in setup.operations]
    seen: dict[str, c.Function] = {}
    while pending:
        f = functions.get(pending.pop())
        if f is None or f.body is None or f.name in seen:
            continue
        seen[f.name] = f
        pending += called_by(f)
    return {n: f for n, f in seen.items() if f.span.file == file}


def _in_file(setup: Setup, lines: Outline, reached: dict[str, c.Function]) -> Iterator[EditSite]:
    for item in split_items(lines.tokens):
        if item.sort is not Sort.FUNCTION or item.name not in reached:
            continue
        raw = lines.tokens[item.start : item.end]
        types = frozenset(setup.declarations.typedefs) | _type_words(raw)
        function = _parsed(raw, types)
        if function is None:
            raw = expand_macros(raw, lines.macros_at(item.end - 1, load_builtin().context.macros))
            function = _parsed(raw, types)
        if function is not None:
            yield EditSite(lines.source, function, raw, _lines(reached[item.name]))


def _lines(function: c.Function) -> frozenset[int]:
    """Return the lines on which something of a function begins or ends."""
    nodes = walk(function.body) if function.body else ()
    return frozenset(x for n in nodes for x in (n.span.line, n.span.end_line))


def _type_words(tokens: tuple[Token, ...]) -> frozenset[str]:
    return frozenset(t.text for t in tokens if t.kind is TokenKind.NAME and t.text.endswith("_t"))


def _parsed(tokens: tuple[Token, ...], types: frozenset[str]) -> c.Function | None:
    try:
        items = parse_items(tokens, types)
    except InputError:
        return None
    return next((f for f in items if isinstance(f, c.Function) and f.body), None)


def _unbalanced(tokens: tuple[Token, ...]) -> tuple[int, int]:
    """Return how many parentheses are closed but not opened, and opened but not closed."""
    depth = lowest = 0
    for token in tokens:
        depth += token.is_punct("(") - token.is_punct(")")
        lowest = min(lowest, depth)
    return -lowest, depth - lowest
