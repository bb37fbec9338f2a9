"""The questions of a certificate, in SMT-LIB 2, and what may stand among them.

In: a text, looked at before any solver sees it, so that a file from elsewhere can do nothing but
ask. Out: how many questions each claim has.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from typing import ClassVar

from flushproof.support.diagnostics import EXIT_INPUT, Diagnostic, InputError
from flushproof.support.source import Source, Span

LOGIC = "(set-logic ALL)"
CLAIM = "; claim: "
"""What begins the questions of a claim; its name follows."""

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

_TOKEN = re.compile(
    r"""
      ;[^\n]*
    | "(?:[ !\#-\[\]-~]|"")*"
    | \|[ -\[\]-{}~]*\|
    | [()]
    | [!\#-'*-:<-\[\]-{}~]+
    | (?P<stray>[^ \t\n])
    """,
    re.VERBOSE,
)
"""Printable ASCII, and no backslash: z3 refuses one in `|...|` and goes on with what follows it, so
that a command could hide in what is a name elsewhere."""


class NotAsked(Diagnostic, frozen=True, kw_only=True):
    """A command that has no place in a certificate."""

    CODE: ClassVar[str] = "FP0907"
    TITLE: ClassVar[str] = "`{command}` cannot stand in a certificate"
    HELP: ClassVar[str] = "`flushproof prove FILE --certificate OUT` writes one"
    EXIT: ClassVar[int] = EXIT_INPUT

    command: str


class NoQuestions(Diagnostic, frozen=True, kw_only=True):
    """A file without questions."""

    CODE: ClassVar[str] = "FP0908"
    TITLE: ClassVar[str] = "`{path}` asks nothing: it proves no claim"
    HELP: ClassVar[str] = "`flushproof prove FILE --certificate OUT` writes what it proves"
    EXIT: ClassVar[int] = EXIT_INPUT

    path: str


class Unbalanced(Diagnostic, frozen=True, kw_only=True):
    """A bracket or a quote too many or too few."""

    CODE: ClassVar[str] = "FP0909"
    TITLE: ClassVar[str] = "`{bracket}` has no counterpart"
    EXIT: ClassVar[int] = EXIT_INPUT

    bracket: str


def question_title(claim: str) -> str:
    """Return the line that begins the questions of a claim."""
    return f"{CLAIM}{json.dumps(claim)}"


def list_questions(source: Source) -> tuple[tuple[str, int], ...]:
    """Return the title of each claim and the number of its questions, in order.

    Each command is looked at. What is asked before any claim has the title "".

    Raises:
        InputError: it holds anything but questions, or none.
    """
    found: list[tuple[str, int]] = []
    for word, at in _commands(source):
        if word.startswith(CLAIM):
            found.append((word, 0))
        elif word.startswith(";"):
            continue
        elif word not in ALLOWED:
            raise InputError(NotAsked(span=_span(source, at, word), command=word))
        elif word == "check-sat":
            name, asked = found.pop() if found else ("", 0)
            found.append((name, asked + 1))
    if not any(asked for _, asked in found):
        raise InputError(NoQuestions(span=None, path=source.name))
    return tuple(found)


def _commands(source: Source) -> Iterator[tuple[str, int]]:
    """Yield the first word of each command, each comment, and where they stand."""
    depth, opened, first = 0, 0, False
    for token in _TOKEN.finditer(source.text):
        word, at = token.group(), token.start()
        if token.lastgroup == "stray":
            raise InputError(Unbalanced(span=_span(source, at, word), bracket=word))
        if word.startswith(";"):
            yield word, at
        elif word == "(":
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
