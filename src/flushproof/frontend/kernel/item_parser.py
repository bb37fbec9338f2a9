"""Single items of kernel files parsed: functions, struct members, enums, typedefs, variables.

Macros that only headers define are taken from there. Assembly is replaced, and a loop macro that is
not known becomes a loop of any length. What is parsed keeps its place in its own file.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise

from flushproof.frontend.c import syntax as c
from flushproof.frontend.c.directive_conditions import replace_is_enabled
from flushproof.frontend.c.item_splitter import Item, Sort
from flushproof.frontend.c.macros import Macro
from flushproof.frontend.c.outline import expand_macros
from flushproof.frontend.c.parser import ParseContext, parse_items
from flushproof.frontend.c.terminals import OUTSIDE
from flushproof.frontend.c.tokens import Token, TokenKind
from flushproof.frontend.c.type_errors import Redefined, UnsupportedConstruct
from flushproof.frontend.c.vcpu_counts import replace_vcpu_counts
from flushproof.frontend.kernel.assembly import without_assembly
from flushproof.frontend.kernel.devirtualise import devirtualise_calls
from flushproof.frontend.kernel.library import FilePiece, Library
from flushproof.frontend.kernel.loops import loop_macro_names, plain_head, replace_loop_macros
from flushproof.frontend.kernel.typenames import is_plain_name, names_of_types
from flushproof.support.diagnostics import InputError, Note
from flushproof.support.record import replace
from flushproof.support.source import Span


@dataclass
class ItemParser:
    """Parses items of a library; `context` is what the prelude gives."""

    library: Library
    context: ParseContext

    def function(self, where: FilePiece, item: Item) -> c.Function:
        """Parse a function.

        Raises:
            InputError: it is outside the subset.
        """
        twice = where.table[item.sort, item.name]
        if item.sort is Sort.FUNCTION and len(twice) > 1:
            first, second = (_name_in(where, i) for i in twice[:2])
            notes = (Note("first defined here", first),)
            raise InputError(Redefined(span=second, kind="function", name=item.name, notes=notes))
        tokens = replace_loop_macros(without_assembly(self._expanded(where, item)))
        found = [f for f in self._parse(tokens) if isinstance(f, c.Function)]
        return devirtualise_calls(replace_vcpu_counts(replace(found[-1], annotations=())))

    def typedef(self, where: FilePiece, item: Item) -> tuple[c.TopLevel, ...]:
        """Parse a typedef and what it defines on the spot."""
        return self._parse(self._expanded(where, item))

    enumeration = typedef

    def variable(self, where: FilePiece, item: Item) -> c.Declaration | None:
        """Parse a variable at file level; None where its type or value is outside the subset."""
        try:
            found = self._parse(self._expanded(where, item))
        except InputError:
            return None
        return next((d for d in found if isinstance(d, c.Declaration)), None)

    def field(self, where: FilePiece, item: Item, name: str) -> c.FieldDecl | None:
        """Parse one member of a struct; one within a nameless struct counts as its own.

        Raises:
            InputError: the member is outside the subset.
        """
        raw = self._expanded(where, item)
        brace = next(i for i, t in enumerate(raw) if t.is_punct("{"))
        chunk = _member(raw, brace + 1, name)
        if chunk is None:
            return None
        at = raw[brace]
        frame = [Token(TokenKind.NAME, "struct", at.span), Token(TokenKind.NAME, "x", at.span), at]
        close = [Token(TokenKind.PUNCT, t, at.span) for t in ("}", ";")]
        built = self._parse((*frame, *chunk, *close))
        defined = next(d for d in built if isinstance(d, c.StructDef))
        return defined.fields[0]

    def _parse(self, tokens: tuple[Token, ...]) -> tuple[c.TopLevel, ...]:
        return parse_items(tokens, self.context.typedefs | self._types(tokens))

    def _types(self, tokens: tuple[Token, ...]) -> frozenset[str]:
        """Return the words that can only be names of types."""
        found = {t.text for t in tokens if t.kind is TokenKind.NAME and t.text.endswith("_t")}
        found |= names_of_types(tokens)
        for this, following in pairwise(tokens):
            known = this.text in found or this.text in self.context.typedefs
            declares = is_plain_name(this) and is_plain_name(following) and not known
            if declares and self.library.find(Sort.TYPEDEF, this.text):
                found.add(this.text)
        return frozenset(found)

    def _expanded(self, where: FilePiece, item: Item) -> tuple[Token, ...]:
        """Return the tokens with macros replaced, each stretch by those that hold there."""
        _refuse_inclusion(where, item)
        changes = (c.at for c in where.outline.changes if item.start < c.at < item.end)
        ends = sorted({item.start, *changes, item.end})
        parts = (self._replaced(where, a, b) for a, b in pairwise(ends))
        return tuple(t for part in parts for t in part)

    def _replaced(self, where: FilePiece, start: int, end: int) -> tuple[Token, ...]:
        table = where.outline.macros_at(start, self.context.macros)
        raw = replace_is_enabled(where.outline.tokens[start:end], table)
        for name in {t.text for t in raw if t.kind is TokenKind.NAME and _constant(t.text)} - set(
            table
        ):
            macro = self.library.macro(name)
            if macro is not None and _harmless(macro):
                table[name] = macro
        for name in loop_macro_names(raw) - set(table):
            macro = self.library.macro(name)
            if macro is not None and plain_head(macro):
                table[name] = macro
        return expand_macros(raw, table)


def _refuse_inclusion(where: FilePiece, item: Item) -> None:
    """Refuse a function with a file included in its body, which nobody looks into.

    Raises:
        InputError: there is one.
    """
    raw = where.raw(item)
    first, last = raw[0].span.line, raw[-1].span.line
    inside = (i for i in where.outline.includes if first < i.span.line < last)
    for include in inside if item.sort is Sort.FUNCTION else ():
        text = "a file that is included within a function"
        raise InputError(UnsupportedConstruct(span=include.span, construct=text))


def _name_in(where: FilePiece, item: Item) -> Span:
    raw = where.raw(item)
    return next((t.span for t in raw if t.text == item.name), raw[0].span)


def _constant(name: str) -> bool:
    return name.isupper() or (len(name) > 3 and name[:3].isupper())


def _harmless(macro: Macro) -> bool:
    words = {t.text for t in macro.body}
    hidden = any(w.startswith("__") for w in words)
    return bool(macro.body) and not hidden and not words & ({"{", "#", "##"} | OUTSIDE.keys())


def _member(tokens: tuple[Token, ...], start: int, name: str) -> tuple[Token, ...] | None:
    """Return the declaration among the members from `start` on that declares `name`."""
    begin, depth, index = start, 0, start
    while index < len(tokens):
        text = tokens[index].text
        depth += (text in {"{", "(", "["}) - (text in {"}", ")", "]"})
        if depth < 0:
            return None
        if depth == 0 and text == ";":
            chunk = tokens[begin : index + 1]
            found = chunk if _declares(chunk, name) else _nested(chunk, name)
            if found is not None:
                return found
            begin = index + 1
        index += 1
    return None


def _nested(chunk: tuple[Token, ...], name: str) -> tuple[Token, ...] | None:
    """Look into a struct without a name: `struct { ... };`."""
    if len(chunk) < 4 or chunk[0].text != "struct" or not chunk[1].is_punct("{"):
        return None
    return _member(chunk, 2, name) if chunk[-2].is_punct("}") else None


def _declares(chunk: tuple[Token, ...], name: str) -> bool:
    depth = 0
    for at, token in enumerate(chunk):
        depth -= token.text in {"}", ")", "]"}
        pointed = depth == 1 and chunk[at - 1].is_punct("*") and chunk[at - 2].is_punct("(")
        following = chunk[at + 1].text if at + 1 < len(chunk) else ""
        if (
            token.text == name
            and (depth == 0 or pointed)
            and following in {";", ",", "[", ":", ")"}
        ):
            return True
        # An attribute may stand behind the name.
        if token.text == name and depth == 0 and following.startswith("__"):
            return True
        depth += token.text in {"{", "(", "["}
    return False
