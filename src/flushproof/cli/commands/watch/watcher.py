"""A file checked again whenever something that it rests on changes.

In: a way to check it, and a way to wait. Nothing comes out but calls of the first. A change is one
of contents: what an editor only touches, or takes away and puts back, is not checked again. While
the file itself is gone it is waited for.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import dataclass, field

from flushproof.frontend.c.load import LIMIT
from flushproof.support.files import DISK, Recorded, use_files

Stamp = tuple[int, int, int] | None


@dataclass
class FileWatcher:
    """Checks `file` by `check`, and waits between two looks at the disk by `wait`."""

    file: str
    check: Callable[[int], None]
    wait: Callable[[], None]
    _seen: Recorded = field(default_factory=lambda: Recorded(DISK))
    _stamps: dict[str, Stamp] = field(default_factory=dict)

    def run(self) -> None:
        """Check for ever; `check` is told how many times that was done before.

        Raises:
            KeyboardInterrupt: the user has enough.
        """
        count = 0
        while True:
            self._seen = Recorded(DISK)
            with use_files(self._seen):
                self.check(count)
            count += 1
            self._stamps = self._stamps_now()
            while not self._changed():
                self._await_save()

    @property
    def paths(self) -> tuple[str, ...]:
        """Everything that was looked at."""
        return tuple(dict.fromkeys((self.file, *(look.path for look in self._seen.looks))))

    def _await_save(self) -> None:
        """Wait until something is written, then until the file is there and all is quiet."""
        now = self._stamps
        while now == self._stamps:
            self.wait()
            now = self._stamps_now()
        before = None
        while now != before or now[self.file] is None:
            self.wait()
            before, now = now, self._stamps_now()
        self._stamps = now

    def _changed(self) -> bool:
        now = Recorded(DISK)
        seen = self._seen.answers.items()
        return any(now.ask(*question, LIMIT + 1) != answer for question, answer in seen)

    def _stamps_now(self) -> dict[str, Stamp]:
        return {path: _stamp(path) for path in self.paths}


def _stamp(path: str) -> Stamp:
    try:
        found = os.stat(path)  # noqa: PTH116 - any name, also one that `Path` refuses
    except (OSError, ValueError):
        return None
    return found.st_mtime_ns, found.st_size, found.st_ino
