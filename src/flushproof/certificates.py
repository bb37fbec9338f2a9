"""Certificates: files with questions in SMT-LIB 2 that prove claims, and what may stand in them.

In: results with a script each. Out: one text. And back: a text, looked at before any solver sees
it, so that a file from elsewhere can do nothing but ask.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from typing import ClassVar

from flushproof.diagnostics import EXIT_INPUT, Diagnostic, InputError
from flushproof.source import Source, Span
from flushproof.verdict import ClaimResult

BEGINS = "; flushproof certificate"
"""How every certificate begins."""

LOGIC = "(set-logic ALL)"

ALLOWED = frozenset(
    (
        "assert",
        "check-sat",
        "declare-const",
        "declare-fun",
        "declare-sort",
        "define-fun",
        "pop",
        "push",
        "set-info",
        "set-logic",
    )
)
"""Commands that ask, declare or define; what others do is not needed."""

_TOKEN = re.compile(r';[^\n]*|"(?:[^"]|"")*"|\|[^|]*\||[()]|[^\s()";|]+')


class NotAsked(Diagnostic, frozen=True, kw_only=True):
    """A command that has no place in a certificate."""

    CODE: ClassVar[str] = "FP0907"
    TITLE: ClassVar[str] = "`{command}` cannot stand in a certificate"
    HELP: ClassVar[str] = "`flushproof prove FILE --certificate OUT` writes one"
    EXIT: ClassVar[int] = EXIT_INPUT

    command: str


class NothingAsked(Diagnostic, frozen=True, kw_only=True):
    """A file without questions."""

    CODE: ClassVar[str] = "FP0908"
    TITLE: ClassVar[str] = "`{path}` asks nothing: it is no certificate"
    HELP: ClassVar[str] = "`flushproof prove FILE --certificate OUT` writes one"
    EXIT: ClassVar[int] = EXIT_INPUT

    path: str


class Unbalanced(Diagnostic, frozen=True, kw_only=True):
    """A bracket too many or too few."""

    CODE: ClassVar[str] = "FP0909"
    TITLE: ClassVar[str] = "`{bracket}` has no counterpart"
    EXIT: ClassVar[int] = EXIT_INPUT

    bracket: str


def certificate(path: str, results: Iterable[ClaimResult]) -> str:
    """Return the certificate of those results that are proved for every number of vCPUs."""
    lines = [BEGINS, "; every answer is to be unsat", LOGIC]
    for result in results:
        if result.script:
            lines.append(f"; claim {result.claim} of {' '.join(path.split())}")
            lines.append(result.script.removeprefix(LOGIC).strip())
    return "\n".join(lines) + "\n"


def questions(source: Source) -> int:
    """Return the number of questions in a certificate, having looked at each of its commands.

    Raises:
        InputError: it holds anything but questions, or none.
    """
    found = 0
    for command, at in _commands(source):
        if command not in ALLOWED:
            raise InputError(NotAsked(span=_span(source, at, command), command=command))
        found += command == "check-sat"
    if not found:
        raise InputError(NothingAsked(span=None, path=source.name))
    return found


def _commands(source: Source) -> Iterator[tuple[str, int]]:
    """Yield the first word of each command and where it stands."""
    depth, opened, first = 0, 0, False
    for token in _TOKEN.finditer(source.text):
        word, at = token.group(), token.start()
        if word.startswith(";"):
            continue
        if word == "(":
            opened = opened if depth else at
            depth += 1
            first = True
        elif word == ")":
            depth -= 1
            if depth < 0:
                raise InputError(Unbalanced(span=_span(source, at, word), bracket=word))
            first = False
        else:
            if depth == 0:
                raise InputError(NotAsked(span=_span(source, at, word), command=word))
            if depth == 1 and first:
                yield word, at
            first = False
    if depth:
        raise InputError(Unbalanced(span=_span(source, opened, "("), bracket="("))


def _span(source: Source, at: int, word: str) -> Span:
    line, column = source.place(at)
    return Span(source.name, line, column, line, column + min(len(word), 40))
