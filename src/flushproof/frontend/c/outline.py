"""The live tokens of a file that is not written for us: directives obeyed, macros kept for later.

Conditions that cannot be evaluated count as false, directives that cannot be read are skipped; both
are kept as doubts, for a file in which nothing may be skipped.
Macros are not replaced, since most of the file is never looked at; `Outline.macros_at` says which
hold at a token, so that a stretch of tokens can be expanded by itself.
"""

from __future__ import annotations

from flushproof.frontend.c.directive_conditions import ASKING
from flushproof.frontend.c.macro_shadowing import shadowed_names
from flushproof.frontend.c.macros import Expander, Macro, Macros
from flushproof.frontend.c.preprocess import (
    Include,
    Line,
    Preprocessor,
    check_pragma,
    read_definition,
    read_include,
    read_name,
    split_lines,
)
from flushproof.frontend.c.tokens import Token, TokenKind, tokenise
from flushproof.support.diagnostics import InputError
from flushproof.support.record import Record
from flushproof.support.source import Source


class MacroChange(Record, frozen=True):
    """A `#define` or, where `macro` is None, an `#undef`, before the token with index `at`."""

    at: int
    name: str
    macro: Macro | None


class LeftOut(Record, frozen=True):
    """A line that is not live, its words, and the names that conditions found to be no macros.

    Where it would define a macro, that is `defined`; `doubt` is why a condition before it could not
    be evaluated.
    """

    line: int
    words: frozenset[str]
    asked: frozenset[str]
    defined: str = ""
    doubt: InputError | None = None


class Outline(Record, frozen=True):
    """The live tokens of one file in order, how its macros change, and its live includes.

    `doubts` are what is wrong with lines that were skipped; `left_out` are lines that would be
    live, or might be, if names were macros that are none.
    """

    source: Source
    tokens: tuple[Token, ...]
    changes: tuple[MacroChange, ...]
    includes: tuple[Include, ...]
    doubts: tuple[InputError, ...] = ()
    left_out: tuple[LeftOut, ...] = ()

    def macros_at(self, index: int, start: Macros) -> dict[str, Macro]:
        """Return the macros in force at a token, given those at the start of the file."""
        table = dict(start.table)
        for change in self.changes:
            if change.at > index:
                break
            if change.macro is None:
                table.pop(change.name, None)
            else:
                table[change.name] = change.macro
        return table

    def macro(self, name: str) -> Macro | None:
        """Return the first definition of a macro in the file."""
        return next((c.macro for c in self.changes if c.name == name and c.macro), None)


def read_outline(source: Source, start: Macros) -> Outline:
    """Read a file's directives under the macros of `start`.

    Raises:
        InputError: a comment or a condition is never closed.
    """
    tokens = tokenise(source)
    state = _Outliner(dict(start.table))
    for name in sorted(shadowed_names(tokens, start.table)):
        state.forget(name)
    for line in split_lines(tokens):
        state.feed(line)
    return state.outline(source)


def expand_macros(tokens: tuple[Token, ...], table: dict[str, Macro]) -> tuple[Token, ...]:
    """Return the tokens with the macros of `table` replaced."""
    return tuple(Expander(table).expand(tokens))


class _Outliner(Preprocessor):
    """Collects live lines and changes of the macros."""

    def __init__(self, table: dict[str, Macro]) -> None:
        super().__init__(table)
        self._changes: list[MacroChange] = []
        self._doubts: list[InputError] = []
        self._asked: list[frozenset[str]] = []
        self._doubted: list[InputError | None] = []
        self._doubt: InputError | None = None
        self._left_out: list[LeftOut] = []

    def feed(self, line: Line) -> None:
        """Take one line of the file."""
        if line[0].is_punct("#"):
            self._directive(line)
        elif self._live:
            self._output.extend(line)
        else:
            self._leave_out(line)

    def _directive(self, line: Line) -> None:
        if len(line) > 2 and line[1].text == "define" and not self._live:
            self._leave_out(line[1:])
        super()._directive(line)

    def _leave_out(self, line: Line) -> None:
        asked = frozenset[str]().union(*self._asked)
        words = frozenset(t.text for t in line if t.kind is TokenKind.NAME)
        defined = line[1].text if line[0].text == "define" else ""
        if asked:
            doubt = next((d for d in self._doubted if d is not None), None)
            self._left_out.append(LeftOut(line[0].span.line, words, asked, defined, doubt))

    def _open(self, word: Token, rest: Line) -> None:
        unknown, self._doubt = self._unknown(rest), None
        super()._open(word, rest)
        self._asked.append(unknown)
        self._doubted.append(self._doubt)

    def _continue(self, word: Token, rest: Line) -> None:
        unknown, self._doubt = self._unknown(rest), None
        super()._continue(word, rest)
        before, doubted = self._asked.pop(), self._doubted.pop()
        if word.text != "endif":
            self._asked.append(before | unknown)
            self._doubted.append(doubted or self._doubt)

    def _unknown(self, condition: Line) -> frozenset[str]:
        """Return the names in a condition that are no macros."""
        names = {t.text for t in condition if t.kind is TokenKind.NAME}
        return frozenset(names - self._table.keys() - ASKING)

    def forget(self, name: str) -> None:
        """Take a macro away, as `#undef` does."""
        self._table.pop(name, None)
        self._changes.append(MacroChange(len(self._output), name, None))

    def outline(self, source: Source) -> Outline:
        """Return what was collected."""
        done = self.finish()
        doubts = tuple(self._doubts)
        changes, left_out = tuple(self._changes), tuple(self._left_out)
        return Outline(source, done.tokens, changes, done.includes, doubts, left_out)

    def _condition(self, word: Token, rest: Line) -> bool:
        try:
            return super()._condition(word, rest)
        except InputError as error:
            self._doubts.append(error)
            self._doubt = error
            return False

    def _act(self, word: Token, rest: Line) -> None:
        try:
            self._obey(word, rest)
        except InputError as error:
            self._doubts.append(error)

    def _obey(self, word: Token, rest: Line) -> None:
        at = len(self._output)
        match word.text:
            case "define":
                macro = read_definition(word, rest)
                self._define(macro)
                if macro.name in self._table:
                    self._changes.append(MacroChange(at, macro.name, macro))
            case "undef":
                self.forget(read_name(word, rest))
            case "include":
                self._includes.append(read_include(word, rest))
            case "pragma":
                check_pragma(word, rest)
            case _:
                pass
