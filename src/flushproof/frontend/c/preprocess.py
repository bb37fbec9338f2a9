"""The preprocessor, over tokens: directives are obeyed, macros replaced, dead branches dropped.

Includes are recorded, and followed where a caller says what they stand for. What comes out holds no
line ends and no stray characters.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import ClassVar, Protocol

from flushproof.frontend.c.directive_conditions import evaluate_condition, is_defined
from flushproof.frontend.c.macro_shadowing import drop_shadowed_macros, shadowed_names
from flushproof.frontend.c.macros import Expander, Macro, Macros
from flushproof.frontend.c.tokens import Token, TokenKind, refuse_stray, tokenise
from flushproof.support.diagnostics import Diagnostic, InputError, Note, suggest_closest
from flushproof.support.record import Placed, Record, replace
from flushproof.support.source import Source, Span

Line = tuple[Token, ...]

_CONDITIONS = ("if", "ifdef", "ifndef")
_COMPOUND = frozenset({"elifdef", "elifndef"})
"""Directives that some compilers obey, and others pass over in a dead branch."""
_DIRECTIVES = frozenset(
    [
        "if",
        "ifdef",
        "ifndef",
        "elif",
        "else",
        "endif",
        "define",
        "undef",
        "include",
        "pragma",
        "error",
        "warning",
        "line",
        "ident",
    ]
)


PRAGMAS = {
    "": "it asks for nothing",
    "once": "a file is read once only in any case",
    "region": "editors fold it",
    "endregion": "editors fold it",
    "message": "it is only printed",
    "unroll": "it is a hint for speed",
    "GCC diagnostic": "it is about warnings",
    "GCC ivdep": "it is a hint for speed",
    "GCC poison": "it is about warnings",
    "GCC system_header": "it is about warnings",
    "GCC unroll": "it is a hint for speed",
    "GCC warning": "it is only printed",
    "clang diagnostic": "it is about warnings",
    "clang loop": "it is a hint for speed",
}
"""The pragmas that mean nothing here, and why."""


class Include(Placed, frozen=True):
    """One live `#include`: the name between the quotes or brackets."""

    name: str
    quoted: bool
    span: Span


class Inclusion(Protocol):
    """What answers includes."""

    def enter(self, include: Include) -> Source | None:
        """Return the text that an inclusion stands for, None where it stands for nothing."""

    def leave(self) -> None:
        """Note that the text entered last has ended."""


class Preprocessed(Record, frozen=True):
    """The live tokens of one file, the macros in force at its end, and its includes."""

    tokens: tuple[Token, ...]
    macros: Macros
    includes: tuple[Include, ...]


class OpenCondition(Diagnostic, frozen=True, kw_only=True):
    """An `#if` runs to the end of the file."""

    CODE: ClassVar[str] = "FP0304"
    TITLE: ClassVar[str] = "this `#{directive}` has no `#endif`"
    directive: str


class LooseDirective(Diagnostic, frozen=True, kw_only=True):
    """An `#else`, `#elif` or `#endif` stands where it belongs to no `#if`."""

    CODE: ClassVar[str] = "FP0305"
    TITLE: ClassVar[str] = "`#{directive}` {problem}"
    directive: str
    problem: str


class UnknownDirective(Diagnostic, frozen=True, kw_only=True):
    """A directive that is not known."""

    CODE: ClassVar[str] = "FP0306"
    TITLE: ClassVar[str] = "unknown directive `#{directive}`{hint}"
    directive: str
    hint: str


class BadDirective(Diagnostic, frozen=True, kw_only=True):
    """A directive that is not complete or not well formed."""

    CODE: ClassVar[str] = "FP0307"
    TITLE: ClassVar[str] = "`#{directive}` {problem}"
    directive: str
    problem: str


class UserError(Diagnostic, frozen=True, kw_only=True):
    """A live `#error`."""

    CODE: ClassVar[str] = "FP0308"
    TITLE: ClassVar[str] = "#error {message}"
    message: str


class _Branch(Record, frozen=True):
    """One open `#if`: whether this branch is live, some branch was, and `#else` was seen."""

    opening: Token
    outer: bool
    live: bool
    taken: bool
    last: bool = False


def preprocess(source: Source, macros: Macros, inclusion: Inclusion | None = None) -> Preprocessed:
    """Return the live tokens of `source` under `macros`; raise `InputError` if malformed."""
    tokens = tokenise(source)
    state = Preprocessor(drop_shadowed_macros(tokens, macros.table), inclusion)
    for line in split_lines(tokens):
        state.feed(line)
    return state.finish()


def split_lines(tokens: tuple[Token, ...]) -> Iterator[Line]:
    """Yield the lines that are not empty, without their ends."""
    start = 0
    for index, token in enumerate(tokens):
        if token.kind is TokenKind.NEWLINE:
            if index > start:
                yield tokens[start:index]
            start = index + 1
    if start < len(tokens):
        yield tokens[start:]


class Preprocessor:
    """The state between two lines: definitions, open conditions, and text not yet expanded."""

    def __init__(self, table: dict[str, Macro], inclusion: Inclusion | None = None) -> None:
        self._table = table
        self._inclusion = inclusion
        self._once: set[str] = set()
        self._expander = Expander(table)
        self._branches: list[_Branch] = []
        self._text: list[Token] = []
        self._output: list[Token] = []
        self._includes: list[Include] = []

    def feed(self, line: Line) -> None:
        """Take one line of the file."""
        if line[0].is_punct("#"):
            self._directive(line)
        elif self._live:
            self._text.extend(line)

    def finish(self) -> Preprocessed:
        """Return what was collected; raise `InputError` where a condition is open."""
        self._refuse_open()
        self._flush()
        return Preprocessed(tuple(self._output), Macros.of(self._table), tuple(self._includes))

    def _refuse_open(self) -> None:
        if self._branches:
            opening = self._branches[-1].opening
            raise InputError(OpenCondition(span=opening.span, directive=opening.text))

    @property
    def _live(self) -> bool:
        return not self._branches or self._branches[-1].live

    def _flush(self) -> None:
        """Expand the text so far; a macro call therefore does not run across a directive."""
        for token in self._expander.expand(self._text):
            refuse_stray(token)
            self._output.append(token)
        self._text.clear()

    def _change(self, word: Token) -> None:
        """Expand the text so far, before the macros change."""
        last = self._table.get(self._text[-1].text) if self._text else None
        if last is not None and last.parameters is not None:
            problem = f"stands between macro `{last.name}` and what it may be given"
            raise InputError(BadDirective(span=word.span, directive=word.text, problem=problem))
        self._flush()

    def _directive(self, line: Line) -> None:
        if len(line) == 1:
            return
        word, rest = line[1], line[2:]
        if word.text in _CONDITIONS:
            self._open(word, rest)
        elif word.text in {"elif", "else", "endif"}:
            self._continue(word, rest)
        elif self._live or word.text in _COMPOUND:
            self._act(word, rest)

    # Conditions ---------------------------------------------------------------------------------

    def _open(self, word: Token, rest: Line) -> None:
        outer = self._live
        live = outer and self._condition(word, rest)
        self._branches.append(_Branch(word, outer, live, live))

    def _continue(self, word: Token, rest: Line) -> None:
        if not self._branches:
            raise InputError(
                LooseDirective(span=word.span, directive=word.text, problem="without `#if`")
            )
        branch = self._branches.pop()
        if word.text == "endif":
            return
        if branch.last:
            raise InputError(_after_else(word, branch))
        open_to_this = branch.outer and not branch.taken
        live = open_to_this and (word.text == "else" or self._condition(word, rest))
        self._branches.append(
            replace(branch, live=live, taken=branch.taken or live, last=word.text == "else")
        )

    def _condition(self, word: Token, rest: Line) -> bool:
        if not rest:
            raise InputError(_malformed(word, "has no condition"))
        if word.text in {"ifdef", "ifndef"}:
            if len(rest) != 1 or rest[0].kind is not TokenKind.NAME:
                raise InputError(_malformed(word, "wants one name"))
            return is_defined(rest[0], self._table) == (word.text == "ifdef")
        return evaluate_condition(rest, self._table, word)

    # Other directives -----------------------------------------------------------------------------

    def _act(self, word: Token, rest: Line) -> None:
        match word.text:
            case "define":
                self._change(word)
                self._define(read_definition(word, rest))
            case "undef":
                self._change(word)
                self._table.pop(read_name(word, rest), None)
            case "include":
                self._include(word, read_include(word, rest))
            case "error":
                message = _spelled(rest)
                raise InputError(
                    UserError(span=word.span.to(line_end(rest, word)), message=message)
                )
            case "pragma":
                check_pragma(word, rest)
                if rest and rest[0].text == "once":
                    self._once.add(word.span.file)
            case _ if word.text not in _DIRECTIVES and word.kind is not TokenKind.NUMBER:
                hint = suggest_closest(word.text, _DIRECTIVES)
                raise InputError(UnknownDirective(span=word.span, directive=word.text, hint=hint))

    def _include(self, word: Token, include: Include) -> None:
        self._includes.append(include)
        found = None if self._inclusion is None else self._inclusion.enter(include)
        if self._inclusion is None or found is None:
            return
        if found.name not in self._once:
            self._change(word)
            self._read(word, found)
        self._inclusion.leave()

    def _read(self, word: Token, source: Source) -> None:
        """Take the lines of another file; conditions do not run across its ends."""
        tokens = tokenise(source)
        for name in shadowed_names(tokens, self._table):
            self._table.pop(name)
        outside, self._branches = self._branches, []
        for line in split_lines(tokens):
            self.feed(line)
        self._refuse_open()
        self._branches = outside
        self._change(word)

    def _define(self, macro: Macro) -> None:
        self._table[macro.name] = macro


def check_pragma(word: Token, rest: Line) -> None:
    """Pass over a pragma that changes nothing that code means.

    Raises:
        InputError: it is another one.
    """
    texts = [t.text for t in rest[:2]]
    if " ".join(texts[: 2 if texts[:1] in (["GCC"], ["clang"]) else 1]) not in PRAGMAS:
        shown = _spelled(rest[:2])
        raise InputError(_malformed(word, f"`{shown}` is not known to mean nothing here"))


def line_end(rest: Line, word: Token) -> Span:
    """Return the span of the last token of a directive."""
    return rest[-1].span if rest else word.span


def _after_else(word: Token, branch: _Branch) -> LooseDirective:
    notes = (Note("the conditional starts here", branch.opening.span),)
    problem = "after `#else`"
    return LooseDirective(span=word.span, notes=notes, directive=word.text, problem=problem)


def _malformed(word: Token, problem: str) -> BadDirective:
    return BadDirective(span=word.span, directive=word.text, problem=problem)


def read_name(word: Token, rest: Line) -> str:
    """Return the only name of a directive."""
    if len(rest) != 1 or rest[0].kind is not TokenKind.NAME:
        raise InputError(_malformed(word, "wants one name"))
    return rest[0].text


def _spelled(tokens: Line) -> str:
    text = ""
    for index, token in enumerate(tokens):
        apart = index > 0 and not tokens[index - 1].touches(token)
        text += " " + token.text if apart else token.text
    return text


def read_include(word: Token, rest: Line) -> Include:
    """Read what follows `#include`."""
    span = word.span.to(line_end(rest, word))
    if rest and rest[0].kind is TokenKind.STRING:
        return Include(rest[0].text[1:-1], quoted=True, span=span)
    if len(rest) > 2 and rest[0].is_punct("<") and rest[-1].is_punct(">"):
        return Include("".join(token.text for token in rest[1:-1]), quoted=False, span=span)
    raise InputError(_malformed(word, "wants a name in quotes or angle brackets"))


def read_definition(word: Token, rest: Line) -> Macro:
    """Read what follows `#define`."""
    if not rest or rest[0].kind is not TokenKind.NAME or rest[0].text == "defined":
        raise InputError(_malformed(word, "wants a name"))
    if any(t.text == "__VA_OPT__" for t in rest):
        raise InputError(_malformed(word, "uses `__VA_OPT__`, which is outside the subset"))
    name, rest = rest[0], rest[1:]
    if not rest or not rest[0].is_punct("(") or not name.touches(rest[0]):
        return Macro(name.text, None, "", _checked_body(word, rest), name.span)
    closing = next((i for i, token in enumerate(rest) if token.is_punct(")")), 0)
    if not closing:
        raise InputError(_malformed(word, "has parameters that are never closed"))
    names, variadic = _parameters(word, rest[1:closing])
    return Macro(name.text, names, variadic, _checked_body(word, rest[closing + 1 :]), name.span)


def _checked_body(word: Token, body: Line) -> Line:
    if body and (body[0].is_punct("##") or body[-1].is_punct("##")):
        raise InputError(_malformed(word, "has `##` at an end of the replacement"))
    return body


def _parameters(word: Token, tokens: Line) -> tuple[tuple[str, ...], str]:
    """Read `a, b`, `a, ...` or `a, rest...`; return the fixed names and the variadic one."""
    if not tokens:
        return (), ""
    variadic = ""
    if tokens[-1].is_punct("..."):
        tokens = tokens[:-1]
        named = bool(tokens) and tokens[-1].kind is TokenKind.NAME
        variadic = tokens[-1].text if named else "__VA_ARGS__"
        tokens = tokens[: -2 if named and len(tokens) > 1 else -1]
    names = tuple(token.text for token in tokens[::2])
    commas = all(token.is_punct(",") for token in tokens[1::2])
    words = all(token.kind is TokenKind.NAME for token in tokens[::2])
    if not (commas and words) or len(set(names)) != len(names) or len(tokens) % 2 != bool(tokens):
        raise InputError(_malformed(word, "wants parameter names between commas"))
    return names, variadic
