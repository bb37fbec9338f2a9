"""Macros: their definitions as frozen values, and the expansion of tokens by them.

Expansion follows Prosser's algorithm (the hide sets of the C standard's committee): a token that
came out of macro M is never expanded by M again. Tokens of a replacement carry the span of the use;
arguments keep their own.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from itertools import pairwise
from types import MappingProxyType
from typing import ClassVar

from flushproof.frontend.c.tokens import Token, TokenKind, tokenise
from flushproof.support.diagnostics import Diagnostic, InputError, Note
from flushproof.support.record import Placed, Record, field, replace
from flushproof.support.source import Source, Span

TOKEN_LIMIT = 500_000
CALL_DEPTH = 100


class Macro(Placed, frozen=True):
    """One definition; no `parameters` (None) for an object-like one, `rest` is the variadic one."""

    name: str
    parameters: tuple[str, ...] | None
    rest: str
    body: tuple[Token, ...]
    span: Span


class Macros(Record, frozen=True):
    """The definitions in force, by name."""

    table: Mapping[str, Macro] = field(default_factory=lambda: MappingProxyType({}))

    def __reduce__(self) -> tuple[object, ...]:
        return Macros.of, (dict(self.table),)

    def __contains__(self, name: str) -> bool:
        return name in self.table

    @classmethod
    def of(cls, table: Mapping[str, Macro]) -> Macros:
        """Freeze a copy of `table`."""
        return cls(MappingProxyType(dict(table)))

    @classmethod
    def flags(cls, names: Iterable[str], origin: str = "<options>") -> Macros:
        """Define each of `names` as 1, as a kernel configuration does."""
        span = Span(origin, 1, 1, 1, 1)
        one = (Token(TokenKind.NUMBER, "1", span),)
        return cls.of({name: Macro(name, None, "", one, span) for name in names})


class UnbalancedCall(Diagnostic, frozen=True, kw_only=True):
    """The arguments of a macro never end."""

    CODE: ClassVar[str] = "FP0310"
    TITLE: ClassVar[str] = "the arguments of macro `{name}` are never closed"
    HELP: ClassVar[str] = "add the missing `)`"
    name: str


class ArgumentCount(Diagnostic, frozen=True, kw_only=True):
    """A macro is used with the wrong number of arguments."""

    CODE: ClassVar[str] = "FP0311"
    TITLE: ClassVar[str] = "macro `{name}` wants {wanted}, {found} given"
    name: str
    wanted: str
    found: int


class MacroBomb(Diagnostic, frozen=True, kw_only=True):
    """Expansion produces more tokens than any honest file."""

    CODE: ClassVar[str] = "FP0312"
    TITLE: ClassVar[str] = "macros expand to more than {limit} tokens"
    limit: int = TOKEN_LIMIT


class DeepCalls(Diagnostic, frozen=True, kw_only=True):
    """Macro calls stand inside the arguments of macro calls beyond reason."""

    CODE: ClassVar[str] = "FP0313"
    TITLE: ClassVar[str] = "macro calls nest deeper than {limit} levels"
    limit: int = CALL_DEPTH


class BadPaste(Diagnostic, frozen=True, kw_only=True):
    """The two sides of `##` do not form one token."""

    CODE: ClassVar[str] = "FP0314"
    TITLE: ClassVar[str] = "`##` does not make one token of `{left}` and `{right}`"
    left: str
    right: str


Argument = tuple[Token, ...]


class Expander:
    """Expands runs of tokens by one table, counting what it produces across all of them."""

    def __init__(self, table: Mapping[str, Macro]) -> None:
        self._table = table
        self._produced = 0

    def expand(self, tokens: Iterable[Token], depth: int = 0) -> list[Token]:
        """Return the tokens with every macro replaced; raise `InputError` for misuse."""
        pending = list(tokens)
        if depth > CALL_DEPTH:
            raise InputError(DeepCalls(span=pending[0].span if pending else None))
        pending.reverse()
        done: list[Token] = []
        while pending:
            token = pending.pop()
            macro = self._table.get(token.text) if token.kind is TokenKind.NAME else None
            if macro is None or macro.name in token.hidden or not _is_use(macro, pending):
                done.append(token)
                continue
            replacement = self._replace(token, macro, pending, depth)
            self._count(len(replacement), token.span)
            pending.extend(reversed(replacement))
        return done

    def _count(self, produced: int, span: Span) -> None:
        self._produced += produced + 1
        if self._produced > TOKEN_LIMIT:
            raise InputError(MacroBomb(span=span))

    def _replace(self, use: Token, macro: Macro, pending: list[Token], depth: int) -> list[Token]:
        if macro.parameters is None:
            hidden = use.hidden | {macro.name}
            return _paste(_at(list(macro.body), use.span), hidden)
        arguments, close = _collect(use, macro, pending)
        bound = _bind(use, macro, arguments)
        body = self._substitute(macro, bound, use.span.to(close.span), depth)
        return _paste(body, (use.hidden & close.hidden) | {macro.name})

    def _substitute(
        self, macro: Macro, bound: dict[str, Argument], span: Span, depth: int
    ) -> list[Token]:
        result: list[Token] = []
        expanded: dict[str, list[Token]] = {}
        body = macro.body
        for index, token in enumerate(body):
            before = body[index - 1].text if index else ""
            after = body[index + 1].text if index + 1 < len(body) else ""
            if token.is_punct("#") and after in bound:
                continue
            if token.kind is not TokenKind.NAME or token.text not in bound:
                result.append(replace(token, span=span))
            elif before == "#":
                result.append(_stringify(bound[token.text], span))
            elif before == "##" and token.text == macro.rest and index > 1:
                result[:] = _after_comma(result, bound[token.text])
            elif "##" in (before, after):
                result.extend(bound[token.text] or (_placemarker(span),))
            else:
                if token.text not in expanded:
                    expanded[token.text] = self.expand(bound[token.text], depth + 1)
                self._count(len(expanded[token.text]), span)
                result.extend(expanded[token.text])
        return result


def _is_use(macro: Macro, pending: list[Token]) -> bool:
    return macro.parameters is None or bool(pending and pending[-1].is_punct("("))


def _at(tokens: list[Token], span: Span) -> list[Token]:
    return [replace(token, span=span) for token in tokens]


def _collect(use: Token, macro: Macro, pending: list[Token]) -> tuple[list[Argument], Token]:
    """Take `( a, b )` off `pending`; return the arguments and the closing parenthesis."""
    pending.pop()
    arguments: list[list[Token]] = [[]]
    depth = 0
    while pending:
        token = pending.pop()
        if token.is_punct(")") and depth == 0:
            return [tuple(argument) for argument in arguments], token
        if token.is_punct(",") and depth == 0:
            arguments.append([])
            continue
        depth += token.is_punct("(") - token.is_punct(")")
        arguments[-1].append(token)
    raise InputError(UnbalancedCall(span=use.span, name=macro.name))


def _bind(use: Token, macro: Macro, arguments: list[Argument]) -> dict[str, Argument]:
    parameters = macro.parameters or ()
    if not parameters and arguments == [()]:
        arguments = []
    fixed, rest = arguments[: len(parameters)], arguments[len(parameters) :]
    if len(fixed) < len(parameters) or (rest and not macro.rest):
        raise InputError(_miscounted(use, macro, len(arguments)))
    bound = dict(zip(parameters, fixed, strict=True))
    if macro.rest:
        bound[macro.rest] = _with_commas(rest, use.span)
    return bound


def _miscounted(use: Token, macro: Macro, found: int) -> ArgumentCount:
    count = len(macro.parameters or ())
    wanted = f"{'at least ' if macro.rest else ''}{count} argument{'' if count == 1 else 's'}"
    notes = (Note(f"`{macro.name}` is defined here", macro.span),)
    return ArgumentCount(span=use.span, notes=notes, name=macro.name, wanted=wanted, found=found)


def _with_commas(arguments: list[Argument], span: Span) -> Argument:
    comma = Token(TokenKind.PUNCT, ",", span)
    joined: list[Token] = []
    for argument in arguments:
        joined.extend((comma, *argument) if joined else argument)
    return tuple(joined)


def _stringify(argument: Argument, span: Span) -> Token:
    text = argument[0].text if argument else ""
    for left, right in pairwise(argument):
        text += right.text if left.touches(right) else " " + right.text
    escaped = text.replace("\\", "\\\\").replace('"', '\\"')
    return Token(TokenKind.STRING, f'"{escaped}"', span)


def _placemarker(span: Span) -> Token:
    return Token(TokenKind.PUNCT, "", span)


def _after_comma(result: list[Token], rest: Argument) -> list[Token]:
    """Apply the GNU form `, ## __VA_ARGS__`: the comma goes away with the arguments."""
    kept = result[:-1]
    if kept and kept[-1].is_punct(","):
        return [*kept, *rest] if rest else kept[:-1]
    return [*result, *(rest or (_placemarker(result[-1].span),))]


def _paste(tokens: list[Token], hidden: frozenset[str]) -> list[Token]:
    """Join the sides of each `##`, drop placemarkers, and hide the macro in all that is left."""
    joined: list[Token] = []
    index = 0
    while index < len(tokens):
        if tokens[index].is_punct("##") and joined and index + 1 < len(tokens):
            joined[-1] = _join(joined[-1], tokens[index + 1])
            index += 1
        else:
            joined.append(tokens[index])
        index += 1
    return [replace(t, hidden=t.hidden | hidden) for t in joined if t.text]


def _join(left: Token, right: Token) -> Token:
    text = left.text + right.text
    made = tokenise(Source(left.span.file, text)) if text else ()
    if len(made) > 1 or any(token.text != text for token in made):
        raise InputError(BadPaste(span=left.span, left=left.text, right=right.text))
    return replace(made[0], span=left.span) if made else left
