"""What each change of a patch does: every claim before and after, and how the two compare.

In: changes, and how to decide claims of a text and to compare two texts. Out: a `Review`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator

from flushproof.results.comparison import Comparison, Relation, Since
from flushproof.results.review import ChangeReview, ClaimRow, FileChange, Review, TextVersion
from flushproof.results.verdict import Report
from flushproof.support.diagnostics import InputError
from flushproof.support.record import Record


class Means(Record, frozen=True):
    """How to decide claims about a text, and how to compare two from some point on."""

    decide: Callable[[TextVersion], Report]
    compare: Callable[[TextVersion, TextVersion, Since], Comparison]


def review(patch: str, changes: tuple[FileChange, ...], means: Means) -> Review:
    """Review changes that follow each other; a text that two of them share is decided once.

    Raises:
        InputError: some version of the file is not accepted; it carries the texts.
    """
    known: dict[str, Report] = {}
    try:
        return Review(patch, tuple(_reviews(changes, means, known)))
    except InputError as error:
        error.sources = tuple(s for c in changes for s in (c.before, c.after))
        raise


def _reviews(
    changes: tuple[FileChange, ...], means: Means, known: dict[str, Report]
) -> Iterator[ChangeReview]:
    for change in changes:
        for version in change.versions:
            if version.source.name not in known:
                known[version.source.name] = means.decide(version)
        yield _review(change, means, known)


def _review(change: FileChange, means: Means, known: dict[str, Report]) -> ChangeReview:
    before, after = known[change.before.name], known[change.after.name]
    comparison = means.compare(*change.versions, Since.BOOT)
    found = comparison.relation in (Relation.DIFFERS, Relation.REFINES)
    later = means.compare(*change.versions, Since.LOAD) if found else None
    results = {r.claim: r for r in after.results}
    rows = tuple(ClaimRow(r, results[r.claim]) for r in before.results if r.claim in results)
    return ChangeReview(change, before, after, rows, comparison, later)
