"""A digest of all that creation and other writers depend on: every text but the bodies of some.

Two readings of a kernel file that differ in the flush or the load alone have the same one, so that
an edit of these does not make the rest of a tree be gone through again.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator

from flushproof.frontend.c.item_splitter import Sort
from flushproof.frontend.c.outline import Outline
from flushproof.frontend.kernel.files_at_hand import files_at_hand
from flushproof.frontend.kernel.library import FilePiece
from flushproof.frontend.kernel.name_resolution import Body, ResolvedNames


def digest_surroundings(known: ResolvedNames, apart: Iterable[Body], more: str) -> bytes:
    """Return a digest of all texts at hand but the bodies of some functions, and of `more`."""
    library = known.library
    total = hashlib.sha256(more.encode())
    edited = {b.where.name: b.where for b in apart} | {library.main.name: library.main}
    names = frozenset((b.where.name, b.function.name) for b in apart)
    for name, where in sorted(edited.items()):
        for word in _outside(where, names):
            total.update(f"{name}\0{word}\0".encode())
    for path in files_at_hand(library):
        if str(path) not in edited and path != library.path:
            total.update(f"{path}\0{library.text(path)}\0".encode())
    used = sorted((name, t.kind, t.name) for name, t in known.usage.items())
    total.update(repr((used, library.missing)).encode())
    return total.digest()


def _outside(where: FilePiece, names: frozenset[tuple[str, str]]) -> Iterator[str]:
    """Yield what a file says outside the bodies of functions, and what its macros are."""
    for item in where.items:
        raw = where.raw(item)
        if item.sort is Sort.FUNCTION and (where.name, item.name) in names:
            brace = next((i for i, t in enumerate(raw) if t.is_punct("{")), len(raw))
            raw = raw[:brace]
        yield " ".join(t.text for t in raw)
    yield from _macros(where.outline)


def _macros(outline: Outline) -> Iterator[str]:
    for change in outline.changes:
        m = change.macro
        body = () if m is None else (t.text for t in m.body)
        yield repr((change.name, m and (m.parameters, m.rest), *body))
    for include in outline.includes:
        yield include.name
