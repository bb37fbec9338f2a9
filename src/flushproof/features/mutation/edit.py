"""An edit of a source text, and the text as it is after the edit.

In: a source and the stretch of it to be replaced. Out: the new source, and the edit in words and
as a diff.
"""

from __future__ import annotations

from flushproof.support.record import Record
from flushproof.support.source import Source


class Edit(Record, frozen=True):
    """Replace what stands from offset `start` up to `end` in the text of `file` by `text`.

    `operator` is the kind of edit, and `words` says what is done, such as "drop `continue;`".
    """

    operator: str
    file: str
    start: int
    end: int
    text: str
    words: str

    def apply(self, source: Source) -> Source:
        """Return the edited text under the same name."""
        before, after = source.text[: self.start], source.text[self.end :]
        return Source(source.name, before + self.text + after)

    def line(self, source: Source) -> int:
        """Return the number of the line where the edit begins."""
        return source.place(self.start)[0]

    def diff(self, source: Source) -> tuple[tuple[str, ...], tuple[str, ...]]:
        """Return the lines that the edit touches, as they were and as they are, both trimmed."""
        first = source.text.rfind("\n", 0, self.start) + 1
        last = source.text.find("\n", max(self.end, first))
        last = len(source.text) if last < 0 else last
        old = source.text[first:last]
        new = source.text[first : self.start] + self.text + source.text[self.end : last]
        return _trimmed(old), _trimmed(new)


def squeeze_text(text: str) -> str:
    """Return a text on one line."""
    return " ".join(text.split())


def _trimmed(text: str) -> tuple[str, ...]:
    lines = (line.strip() for line in text.split("\n"))
    return tuple(line for line in lines if line)
