"""What a patch does to a variant, as frozen data; printing decides nothing."""

from __future__ import annotations

from enum import StrEnum
from typing import assert_never

from flushproof.results.comparison import Comparison, Relation
from flushproof.results.trace import Trace
from flushproof.results.verdict import (
    EXIT_OK,
    EXIT_OTHERWISE,
    EXIT_UNDECIDED,
    ClaimResult,
    Report,
    Verdict,
)
from flushproof.support.files import Files, Overlaid
from flushproof.support.record import Record
from flushproof.support.source import Source, Span


class ChangeEffect(StrEnum):
    """What a change did to one claim."""

    FIXED = "fixed"
    BROKE = "broke"
    CHANGED = "changed"
    SAME = "same"
    OPEN = "open"


class Truth(StrEnum):
    """What there is to the statement that nothing changes: `bounded` is true within the bounds."""

    TRUE = "true"
    BOUNDED = "bounded"
    FALSE = "false"
    OPEN = "unknown"


class PatchLine(Record, frozen=True):
    """A line of the patch: `number` is that of its file, or of the decoded text of the mail."""

    file: str
    number: int
    decoded: bool = False
    added: bool = False


class TextVersion(Record, frozen=True):
    """A text of the file `path`; `around` are other files that are otherwise than on disk."""

    source: Source
    path: str
    around: tuple[Source, ...] = ()

    def files(self, others: Files) -> Files:
        """Return the files as they are with this version."""
        if not self.around:
            return others
        return Overlaid(others, {others.real(s.name): s.text.encode() for s in self.around})


class Statement(Record, frozen=True):
    """A line of the message that says that nothing changes."""

    text: str
    line: PatchLine | None


class FileChange(Record, frozen=True):
    """One file before and after one patch.

    `path` is where it stands, `around` gives the files beside it before and after, as far as they
    are not as they stand there. `places` are the lines of the new file that stand in the patch, and
    where; `others` are files that the patch changes and that were not found; `notes` say where
    hunks were found.
    """

    before: Source
    after: Source
    subject: str
    statement: Statement | None
    places: tuple[tuple[int, PatchLine], ...]
    others: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()
    path: str = ""
    around: tuple[tuple[Source, ...], tuple[Source, ...]] = ((), ())

    @property
    def versions(self) -> tuple[TextVersion, TextVersion]:
        """The file before and after, with what is around it."""
        path = self.path or self.before.name
        texts = zip((self.before, self.after), self.around, strict=True)
        old, new = (TextVersion(text, path, around) for text, around in texts)
        return old, new

    def holds(self, span: Span) -> bool:
        """Tell whether a place is in the new file, and not in one beside it."""
        return span.file == self.after.name

    def place(self, trace: Trace) -> PatchLine | None:
        """Return the line of the patch on which a schedule of the new file rests most, if any.

        That is where it goes wrong, else the last line it shows that the patch adds, or only shows.
        """
        known = dict(self.places)
        steps = reversed([s.span for s in trace.steps if s.span is not None])
        spans = [*(b.span for b in trace.blame), *steps]
        lines = [known[s.line] for s in spans if self.holds(s) and s.line in known]
        added = [x for x in lines if x.added]
        return next(iter((*added, *lines)), None)


class ClaimRow(Record, frozen=True):
    """One claim before and after."""

    before: ClaimResult
    after: ClaimResult

    @property
    def effect(self) -> ChangeEffect:
        """Say what changed."""
        was, now = self.before, self.after
        if was.verdict is now.verdict is Verdict.NOT_ASKED:
            return ChangeEffect.SAME
        if not (was.verdict.decided and now.verdict.decided):
            return ChangeEffect.OPEN
        if was.verdict.holds is not now.verdict.holds:
            return ChangeEffect.FIXED if now.verdict.holds else ChangeEffect.BROKE
        return (
            ChangeEffect.SAME if was.smallest_vcpus == now.smallest_vcpus else ChangeEffect.CHANGED
        )

    @property
    def blame(self) -> Span | None:
        """Where it goes wrong after the change, if it does."""
        trace = self.after.trace
        return None if trace is None else trace.blame[0].span


class ChangeReview(Record, frozen=True):
    """All about one change.

    `later` is the comparison that begins once any vCPU has loaded, None where the one from boot
    found nothing.
    """

    change: FileChange
    before: Report
    after: Report
    rows: tuple[ClaimRow, ...]
    comparison: Comparison
    later: Comparison | None

    @property
    def broken(self) -> tuple[str, ...]:
        """Name the claims that held before and fail after the change."""
        return tuple(r.after.claim for r in self.rows if r.effect is ChangeEffect.BROKE)

    @property
    def truth(self) -> Truth:
        """What there is to a statement that nothing changes.

        Something does where a claim broke, be every call alike: claims see more than hypercalls.
        """
        if self.broken:
            return Truth.FALSE
        match self.comparison.relation:
            case Relation.EQUAL:
                return Truth.TRUE
            case Relation.BOUNDED:
                return Truth.BOUNDED
            case Relation.UNKNOWN:
                return Truth.OPEN
            case Relation.DIFFERS | Relation.REFINES:
                return Truth.FALSE
            case _:
                assert_never(self.comparison.relation)

    @property
    def exit_code(self) -> int:
        """1 where a claim broke or a statement is false, 3 where something is open, else 0."""
        effects = {r.effect for r in self.rows}
        stated = self.change.statement is not None
        if self.broken or (stated and self.truth is Truth.FALSE):
            return EXIT_OTHERWISE
        if ChangeEffect.OPEN in effects or self.truth is Truth.OPEN:
            return EXIT_UNDECIDED
        return EXIT_OK


class Review(Record, frozen=True):
    """Every change, in order; `patch` is how the user named it."""

    patch: str
    changes: tuple[ChangeReview, ...]

    @property
    def exit_code(self) -> int:
        """1 if any change asks for it, else 3 if any is open, else 0."""
        codes = {c.exit_code for c in self.changes}
        return next((c for c in (EXIT_OTHERWISE, EXIT_UNDECIDED) if c in codes), EXIT_OK)
