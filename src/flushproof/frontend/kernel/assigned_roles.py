"""Which functions the code itself makes the flush and the load: what it puts into KVM's table.

In: a file and what is around it. Out: names of functions, in order. A value that is no plain name
of a function, such as a choice or a macro, tells nothing here.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping

from flushproof.frontend.c.item_splitter import Item, Sort
from flushproof.frontend.c.tokens import TokenKind
from flushproof.frontend.kernel.library import FilePiece, Library

ENTRIES = {
    "flush": (
        "flush_remote_tlbs",
        "flush_remote_tlbs_range",
        "tlb_remote_flush",
        "tlb_remote_flush_with_range",
    ),
    "load": ("load_mmu_pgd", "set_cr3"),
}
"""The members of `kvm_x86_ops` for each role, in any version."""

_ASSIGNED = {
    role: re.compile(rf"[.>]\s*(?:{'|'.join(entries)})\s*=(?!=)")
    for role, entries in ENTRIES.items()
}

Places = dict[str, tuple[FilePiece, Item]]


def assigned_functions(library: Library, role: str) -> tuple[str, ...]:
    """Return the functions that files at hand put into a role's members."""
    found: dict[str, None] = {}
    for piece in _assigning(library, role):
        found |= dict.fromkeys(_assigned_in(piece, role))
    return tuple(found)


def _assigning(library: Library, role: str) -> Iterator[FilePiece]:
    pattern = _ASSIGNED[role]
    if pattern.search(library.main.outline.source.text):
        yield library.main
    for path in (*library.headers, *library.companions):
        if pattern.search(library.text(path)) and (piece := library.piece(path)):
            yield piece


def _assigned_in(piece: FilePiece, role: str) -> Iterator[str]:
    tokens = piece.outline.tokens
    texts = [t.text for t in tokens]
    for at, text in enumerate(texts):
        if text not in ENTRIES[role] or at == 0 or texts[at - 1] not in {".", "->"}:
            continue
        after = texts[at + 1 : at + 5]
        skipped = 2 if after[:2] == ["=", "&"] else 1
        ends = {*after[skipped + 1 : skipped + 2]} & {",", ";", "}"}
        if after[:1] == ["="] and ends and tokens[at + 1 + skipped].kind is TokenKind.NAME:
            yield after[skipped]


def own_assigned(library: Library, role: str, names: tuple[str, ...]) -> Places:
    """Return those that the main file defines, and those of `names` there that they call."""
    main = library.main
    functions = {i.name: i for i in main.items if i.sort is Sort.FUNCTION}
    found = [n for n in assigned_functions(library, role) if n in functions]
    reached = _reached(main, functions, found)
    kept = (*found, *(n for n in names if n in reached))
    return {n: (main, functions[n]) for n in kept}


def _reached(main: FilePiece, functions: Mapping[str, Item], start: list[str]) -> frozenset[str]:
    seen: set[str] = set()
    pending = list(start)
    while pending:
        name = pending.pop()
        if name not in seen:
            seen.add(name)
            pending.extend(main.words(functions[name]) & functions.keys())
    return frozenset(seen)


def common_callee(places: Places) -> str | None:
    """Return the one function of their file that all of these call, if there is just one."""
    pieces = {id(where): where for where, _ in places.values()}
    if len(pieces) != 1:
        return None
    (piece,) = pieces.values()
    functions = {i.name for i in piece.items if i.sort is Sort.FUNCTION}
    called = [piece.words(item) & (functions - places.keys()) for _, item in places.values()]
    common = frozenset.intersection(*called)
    return next(iter(common)) if len(common) == 1 else None
