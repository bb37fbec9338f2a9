"""What is said about spec and claim files beyond their grammar."""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar

from flushproof.support.diagnostics import Diagnostic, InputError, Note, suggest_closest
from flushproof.support.source import Span


class UnknownWord(Diagnostic, frozen=True, kw_only=True):
    """A word that names nothing of the kind that is wanted."""

    CODE: ClassVar[str] = "FP0501"
    TITLE: ClassVar[str] = "`{word}` is no {kind}{hint}"
    HELP: ClassVar[str] = "{advice}"
    word: str
    kind: str
    hint: str
    advice: str


class Repeated(Diagnostic, frozen=True, kw_only=True):
    """Something that may stand once stands twice."""

    CODE: ClassVar[str] = "FP0502"
    TITLE: ClassVar[str] = "{kind} `{name}` stands twice"
    LABEL: ClassVar[str] = "again here"
    kind: str
    name: str


class BadBounds(Diagnostic, frozen=True, kw_only=True):
    """A bound that nothing fits into."""

    CODE: ClassVar[str] = "FP0503"
    TITLE: ClassVar[str] = "{problem}"
    HELP: ClassVar[str] = "write a count such as `2` or a range such as `1..4`"
    problem: str


class NoCount(Diagnostic, frozen=True, kw_only=True):
    """A count of vCPUs behind a verdict that does not come with one."""

    CODE: ClassVar[str] = "FP0519"
    TITLE: ClassVar[str] = "`{verdict}` takes no count"
    LABEL: ClassVar[str] = "only a counterexample has a smallest number of vCPUs"
    verdict: str


class NotForEvery(Diagnostic, frozen=True, kw_only=True):
    """Every number of vCPUs is asked for beside another verdict than a proof."""

    CODE: ClassVar[str] = "FP0520"
    TITLE: ClassVar[str] = "`{verdict}` cannot be expected for every number of vCPUs"
    HELP: ClassVar[str] = "write `proved for every`"
    verdict: str


class SubjectWanted(Diagnostic, frozen=True, kw_only=True):
    """`on enter` and `on return` name an operation or a call; other events do not."""

    CODE: ClassVar[str] = "FP0504"
    TITLE: ClassVar[str] = "`on {event}` {problem}"
    event: str
    problem: str


def check_known(kind: str, word: str, known: Sequence[str], span: Span) -> None:
    """Refuse `word` unless it is one of `known`."""
    if word not in known:
        listed = ", ".join(f"`{name}`" for name in known)
        advice = f"known: {listed}" if known else "none is declared here"
        hint = suggest_closest(word, known)
        raise InputError(UnknownWord(span=span, word=word, kind=kind, hint=hint, advice=advice))


def check_once(kind: str, named: Sequence[tuple[str, Span]]) -> None:
    """Refuse the second of two things with one name, pointing at the first."""
    first: dict[str, Span] = {}
    for name, span in named:
        if name in first:
            notes = (Note("first here", first[name]),)
            raise InputError(Repeated(span=span, notes=notes, kind=kind, name=name))
        first[name] = span


def misplaced_subject(span: Span, event: str) -> SubjectWanted:
    """Return the diagnostic for a handler whose event has no subject, or one too many."""
    wants = event in {"enter", "return"}
    problem = "wants an operation or a call" if wants else "takes no operation or call"
    return SubjectWanted(span=span, event=event, problem=problem)
