"""The files in which code is looked for that the flush and the load do not lead to.

In: what belongs to a kernel file. Out: paths, and files cut up.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from pathlib import Path

from flushproof.frontend.kernel.library import FilePiece, Library
from flushproof.support.files import current_files

_MOST = 200


def files_at_hand(library: Library) -> Iterator[Path]:
    """Yield the files in which code is looked for: those that belong together, and those beside."""
    near = (library.path, *library.companions)
    beside = [p for f in near for p in _sources(f.parent)]
    above = library.path.parent.parent / "x86.c"
    seen: set[str] = set()
    for path in (*near, *library.headers, *beside, above):
        key = library.real(path)
        if key not in seen:
            seen.add(key)
            yield path


def _sources(folder: Path) -> list[Path]:
    """Return the C files in a folder, in the order of their names."""
    return [folder / name for name in current_files().names(str(folder)) if name.endswith(".c")][
        :_MOST
    ]


def piece_of(library: Library, path: Path) -> FilePiece | None:
    """Return a file cut up; the one that is read is known as it is."""
    return library.main if path == library.path else library.piece(path)


def pieces_with(library: Library, words: Iterable[str]) -> tuple[FilePiece, ...]:
    """Return the files at hand that hold one of some words."""
    wanted = sorted(words)
    paths = (p for p in files_at_hand(library) if any(library.mentions(p, w) for w in wanted))
    return tuple(x for p in paths if (x := piece_of(library, p)) is not None)
