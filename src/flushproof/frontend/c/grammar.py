"""The lark objects made from `grammars/`: one lexer and one parser per process, made when needed.

The parser reads C files and spec files with one table; the files differ in their start symbol and
in whether the words of `SPEC_WORDS` are reserved.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

import lark
from lark import Lark, Token
from lark.lexer import Lexer, PatternStr

from flushproof.frontend.c.parse_table_cache import cached_parser
from flushproof.support.disk_cache import read_disk_cache
from flushproof.support.record import Record

if TYPE_CHECKING:
    from lark.common import LexerConf

GRAMMARS = Path(__file__).parents[2] / "grammars"
TOKENS = GRAMMARS / "tokens.lark"
STARTS = ("spec_file", "translation_unit", "item")
SPEC_WORDS = frozenset(
    [
        "spec",
        "variant",
        "operations",
        "boot",
        "cache",
        "when",
        "is",
        "bounds",
        "assume",
        "no",
        "exempt",
        "memory",
        "invariant",
        "expect",
        "claim",
        "override",
        "any",
        "on",
        "in",
        "headline",
        "because",
        "at",
    ]
)


class ReadyTokens(Lexer):
    """A lexer that hands on tokens which were cut and named beforehand."""

    def __init__(self, lexer_conf: LexerConf) -> None:
        """Take lark's configuration, of which nothing is needed."""

    def lex(self, data: Iterable[Token]) -> Iterator[Token]:  # type: ignore[override]
        """Yield the tokens of `data`, which is what `Lark.parse` was given."""
        yield from data


class TerminalTable(Record, frozen=True, dict=True):
    """Which terminal each text is: exact texts first, then the patterns of word classes."""

    exact: dict[str, str]
    patterns: tuple[tuple[re.Pattern[str], str], ...]

    def terminal(self, text: str) -> str:
        """Return the terminal that `text` belongs to, or an empty string."""
        if text in self.exact:
            return self.exact[text]
        return next((name for pattern, name in self.patterns if pattern.fullmatch(text)), "")


@cache
def preprocessing_lexer() -> Lark:
    """Return the lexer of `tokens.lark`."""
    return Lark.open(str(TOKENS), parser=None, lexer="basic")


@cache
def preprocessing_pattern() -> re.Pattern[str]:
    """Return one expression for all terminals of that lexer, each a group of its name.

    They are tried in the lexer's order, and one of them fits everywhere; matching them this way
    takes a tenth of the lexer's time over a long file. What is ignored is skipped in front of a
    token, without ever going back on it; at the end of the text no group matches.
    """
    depends = (lark.__version__, *(p.read_text("utf-8") for p in (TOKENS, Path(__file__))))
    return re.compile(
        read_disk_cache("tokens", depends, _preprocessing_text, str.encode, bytes.decode)
    )


def _preprocessing_text() -> str:
    lexer = preprocessing_lexer()
    found = sorted(
        lexer.terminals,
        key=lambda t: (-t.priority, -t.pattern.max_width, -len(t.pattern.value), t.name),
    )
    skipped = "|".join(t.pattern.to_regexp() for t in found if t.name in lexer.ignore_tokens)
    wanted = (t for t in found if t.name not in lexer.ignore_tokens)
    tokens = "|".join(f"(?P<{t.name}>{t.pattern.to_regexp()})" for t in wanted)
    return f"(?:{skipped})*+(?:{tokens}|\\Z)"


@cache
def lalr_parser() -> Lark:
    """Return the LALR parser of `spec.lark`, which includes `c.lark`."""
    grammars = (GRAMMARS / name for name in ("spec.lark", "c.lark"))
    return cached_parser(build_parser, (__name__, *(g.read_text("utf-8") for g in grammars)))


def build_parser() -> Lark:
    """Compute the table of that parser."""
    return Lark.open(
        str(GRAMMARS / "spec.lark"),
        parser="lalr",
        lexer=ReadyTokens,
        start=list(STARTS),
        propagate_positions=True,
    )


@cache
def grammar_vocabulary(*, spec: bool) -> TerminalTable:
    """Return the words of C files, or of spec files where `spec` is set."""
    exact: dict[str, str] = {}
    patterns = []
    for terminal in lalr_parser().terminals:
        if isinstance(terminal.pattern, PatternStr):
            exact[terminal.pattern.value] = terminal.name
        else:
            patterns.append((re.compile(terminal.pattern.to_regexp()), terminal.name))
    # NAME fits every word, so the classes that name single words are tried before it.
    patterns.sort(key=lambda entry: entry[1] == "NAME")
    words = {t: n for t, n in exact.items() if spec or t not in SPEC_WORDS}
    return TerminalTable(words, tuple(patterns))
