"""What is known already of a job: looked up without parsing anything.

The key of an entry is a digest of all that is asked: the program, the command, the options, the
current folder (file names in reports start there), the names and the texts of the files named. The
entry lists every further file that was looked at; each is looked at again before a verdict is used.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field
from pathlib import Path

from flushproof.frontend.c.load import LIMIT
from flushproof.results.verdict import ClaimResult, Report, Verdict
from flushproof.runner.fingerprint import program_fingerprint
from flushproof.runner.jobs import Task
from flushproof.runner.verdict_store import Entry, Store
from flushproof.support import files
from flushproof.support.files import FileLook, Recorded
from flushproof.support.record import Record, replace
from flushproof.verify.expectation import with_expected


class Hit(Record, frozen=True):
    """What is known of a job; `missing` are the claims that are still to be decided."""

    task: Task
    entry: Entry
    wanted: tuple[str, ...]

    @property
    def results(self) -> tuple[ClaimResult, ...]:
        """The known results that are asked for; a spec's expectations are kept with them."""
        known = {r.claim: r for r in self.entry.results}
        found = tuple(known[name] for name in self.wanted if name in known)
        command, options = self.task.command, self.task.options
        if command == "check":
            return found
        return tuple(with_expected(r, command, options) for r in found)

    @property
    def missing(self) -> tuple[str, ...]:
        """The claims without a result."""
        known = {r.claim for r in self.entry.results}
        return tuple(name for name in self.wanted if name not in known)

    @property
    def report(self) -> Report:
        """The report of what is known."""
        e = self.entry
        return Report(e.path, e.sha256, e.spec, e.function, self.results, e.read_as)


@dataclass
class VerdictLookup:
    """The store as one run sees it: each file is looked at once."""

    store: Store
    _keys: dict[Task, str | None] = field(default_factory=dict)
    _seen: Recorded = field(default_factory=lambda: Recorded(files.current_files()))

    def find(self, task: Task) -> Hit | None:
        """Return what is known of a job and still true."""
        entry = self._valid(self._key(task))
        if entry is None:
            return None
        wanted = tuple(dict.fromkeys(task.options.claims)) or entry.claims
        return None if wanted is None else Hit(task, entry, wanted)

    def add(self, task: Task, report: Report, looks: tuple[FileLook, ...]) -> None:
        """Keep what was decided; what is open may be decided with more memory, and is not kept."""
        key = self._key(task)
        if key is None:
            return
        old = self._valid(key)
        if old is not None and set(old.looks) != set(looks):
            old = None
        claims = tuple(r.claim for r in report.results)
        fresh = {r.claim: r for r in report.results if r.verdict is not Verdict.UNKNOWN}
        merged = {**({r.claim: r for r in old.results} if old else {}), **fresh}
        whole = claims if not task.options.claims else (old.claims if old else None)
        head = (report.path, report.sha256, report.spec, report.function)
        self.store.put(Entry(key, looks, *head, whole, tuple(merged.values()), report.read_as))

    def _valid(self, key: str | None) -> Entry | None:
        entry = None if key is None else self.store.get(key)
        if entry is None or not all(self._answer(x) == x.answer for x in entry.looks):
            return None
        return entry

    def _answer(self, look: FileLook) -> str:
        return self._seen.ask(look.kind, look.path, LIMIT + 1)

    def _key(self, task: Task) -> str | None:
        """Return the key; None where a file named cannot be read, or only once, as a pipe."""
        bare = replace(task, options=replace(task.options, claims=()))
        if bare not in self._keys:
            self._keys[bare] = self._made(bare)
        return self._keys[bare]

    def _made(self, task: Task) -> str | None:
        names = [task.path] if task.spec is None else [task.path, task.spec]
        if not all(files.current_files().is_file(name) for name in names):
            return None
        texts = [self._answer(FileLook("text", name, "")) for name in names]
        if not all(name in self._seen.texts for name in names):
            return None
        asked = (
            program_fingerprint(),
            task.command,
            str(files.current_files().cwd()),
            names,
            texts,
            task.options.deciding,
        )
        return hashlib.sha256(repr(asked).encode("utf-8", "surrogateescape")).hexdigest()


def open_store(folder: str | None) -> VerdictLookup | None:
    """Return the store in a folder, None for no folder."""
    return None if folder is None else VerdictLookup(Store(Path(folder), program_fingerprint()))
