"""Known verdicts on disk, one file for each question about one input file.

In and out: `Entry`. A file appears whole or not at all, so several processes may write at once, and
the last one wins. It begins with a digest of the rest: one that is damaged, or not of the expected
shape, counts as not there and is written anew. Verdicts are JSON and never code.

A counterexample is stored after the interpreter has replayed it. Replaying it again for each hit
would only repeat what the digests state: the interpreter's text, the input and the counterexample
are the same bytes as then.
"""

from __future__ import annotations

import hashlib
import shutil
from contextlib import suppress
from pathlib import Path

import msgspec

from flushproof.results.verdict import ClaimResult
from flushproof.support.atomic_write import replace_file
from flushproof.support.files import FileLook
from flushproof.support.record import Record

KEPT = 4
"""Of so many versions of the program entries are kept."""


class Entry(Record, frozen=True):
    """What is known of one file under one set of options.

    `looks` are all questions about files that the verdicts rest on; `claims` names what is decided
    where no claim is asked for, None where that is not known.
    """

    key: str
    looks: tuple[FileLook, ...]
    path: str
    sha256: str
    spec: str
    function: str
    claims: tuple[str, ...] | None
    results: tuple[ClaimResult, ...]
    read_as: str = ""


class Store(Record, frozen=True):
    """The entries of one version of the program, below a folder that may not exist yet."""

    folder: Path
    engine: str

    @property
    def place(self) -> Path:
        """The folder of this version."""
        return self.folder / "verdicts" / self.engine[:32]

    def get(self, key: str) -> Entry | None:
        """Return the entry, None if there is none that is whole."""
        try:
            head, _, body = (self.place / key).read_bytes().partition(b"\n")
            if hashlib.sha256(body).hexdigest().encode() != head:
                return None
            entry = msgspec.json.decode(body, type=Entry)
        except (OSError, msgspec.MsgspecError, ValueError):
            return None
        return entry if entry.key == key else None

    def put(self, entry: Entry) -> None:
        """Write an entry; where that cannot be done it is only not known next time."""
        with suppress(OSError, UnicodeEncodeError):
            body = msgspec.json.encode(entry)
            if not self.place.is_dir():
                self.place.mkdir(mode=0o700, parents=True, exist_ok=True)
                self._forget_old_versions()
            digest = hashlib.sha256(body).hexdigest().encode()
            replace_file(self.place / entry.key, digest + b"\n" + body)

    def _forget_old_versions(self) -> None:
        versions = sorted(self.place.parent.iterdir(), key=lambda p: p.stat().st_mtime)
        for old in versions[:-KEPT]:
            if old != self.place:
                shutil.rmtree(old, ignore_errors=True)
