"""Functions outside the flush, the load and creation that write what these keep.

They may run at any time, so what they write may hold anything. A function that names some of the
state and cannot be read is taken to write it. One that writes the VM or a vCPU as a whole is looked
for in the files that name some of the state.

Lemma L28 of docs/soundness.md.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from flushproof.frontend.c import syntax as c
from flushproof.frontend.c.item_splitter import Item, Sort
from flushproof.frontend.c.tokens import TokenKind
from flushproof.frontend.c.walk import walk
from flushproof.frontend.kernel.files_at_hand import files_at_hand, piece_of, pieces_with
from flushproof.frontend.kernel.hidden_bodies import find_means, hidden_bodies
from flushproof.frontend.kernel.library import FilePiece, Library
from flushproof.frontend.kernel.name_resolution import Body, ResolvedNames
from flushproof.frontend.kernel.objects import Places, could_set_whole
from flushproof.frontend.kernel.state import read_through
from flushproof.frontend.kernel.text_scan import included_names
from flushproof.frontend.kernel.type_inference import root_of, scope_of
from flushproof.frontend.kernel.ways import Key, target_of
from flushproof.support.diagnostics import InputError
from flushproof.support.record import Record


class Writer(Record, frozen=True):
    """A function that may write members of the state, and variables of the file."""

    name: str
    members: frozenset[Key]
    variables: frozenset[str]


def find_writers(
    known: ResolvedNames,
    members: frozenset[Key],
    variables: frozenset[str],
    known_of: frozenset[tuple[str, str]],
    homes: frozenset[str],
) -> tuple[Writer, ...]:
    """Return the functions that may write state, but for those known of, as (file, name).

    `homes` are the files whose own variables are meant.
    """
    means = find_means(known.library, frozenset(m for _, m in members))
    names = means.names
    hidden = _hidden(known.library, variables, homes)
    inner = _included(known.library) if variables else frozenset()
    found: list[Writer] = []
    for where in pieces_with(known.library, names | variables):
        own = variables if where.name in homes else _meant(where, variables, hidden, inner)
        found += [Writer(x, members, frozenset()) for x in hidden_bodies(where, means)]
        for item in where.items:
            if item.sort is Sort.OTHER and (given := _given(where, item, own)):
                found.append(Writer(where.raw(item)[0].text, frozenset(), given))
            if item.sort is not Sort.FUNCTION or (where.name, item.name) in known_of:
                continue
            words = frozenset(t.text for t in where.raw(item) if t.kind is TokenKind.NAME)
            words |= _through_macros(where, words)
            meant = words & (names | own)
            if meant or could_set_whole(where.raw(item)):
                writer = _writer(known, where, item, members, own, meant)
                found += [writer] if writer.members or writer.variables else []
    return tuple(found)


def _given(where: FilePiece, item: Item, variables: frozenset[str]) -> frozenset[str]:
    """Return the variables that a macro at file level is given, as `module_param()` is."""
    return variables & {t.text for t in where.raw(item) if t.kind is TokenKind.NAME}


def _through_macros(where: FilePiece, words: frozenset[str]) -> frozenset[str]:
    macros = (where.outline.macro(w) for w in words)
    return frozenset(t.text for m in macros if m is not None for t in m.body)


def _hidden(library: Library, variables: frozenset[str], homes: frozenset[str]) -> frozenset[str]:
    """Return the variables that are declared nowhere at hand but as a file's own."""
    files = (p for p in files_at_hand(library) if str(p) in homes or p in library.headers)
    pieces = (library.main, *(x for p in files if (x := piece_of(library, p)) is not None))
    items = {v: [i for x in pieces for i in x.table.get((Sort.GLOBAL, v), ())] for v in variables}
    return frozenset(v for v, found in items.items() if found and all(i.static for i in found))


def _included(library: Library) -> frozenset[str]:
    """Return the names of the files that some file at hand includes."""
    texts = (library.main.outline.source.text, *map(library.text, files_at_hand(library)))
    return frozenset(Path(name).name for text in texts for _, name in included_names(text))


def _meant(
    where: FilePiece, variables: frozenset[str], hidden: frozenset[str], inner: frozenset[str]
) -> frozenset[str]:
    """Return the variables that another file may mean by the same names.

    A C file that is compiled on its own sees none of the `hidden` and has others of its own; what
    stands in one of the `inner`, which are included, sees all.
    """
    path = Path(where.name)
    if path.suffix != ".c" or path.name in inner:
        return variables
    own = {v for v in variables if (item := where.find(Sort.GLOBAL, v)) and item.static}
    return variables - own - hidden


def _writer(
    known: ResolvedNames,
    where: FilePiece,
    item: Item,
    members: frozenset[Key],
    variables: frozenset[str],
    meant: frozenset[str],
) -> Writer:
    try:
        body = Body(known.reader.function(where, item), where)
        places = Places(known, members)
        found = _written(places, body)
    except InputError:
        keys = frozenset(k for k in members if k[1] in meant)
        by_macro = meant - variables and not keys
        return Writer(item.name, members if by_macro else keys, variables & meant)
    found |= places.whole(body)
    f = body.function
    scope = scope_of(known, f)
    roots = (root_of(t) for n in _nodes(f) if (t := target_of(n)) is not None)
    changed = frozenset(r.id for r in roots if r is not None and r.id not in scope)
    return Writer(item.name, found, variables & changed)


def _nodes(f: c.Function) -> Iterator[object]:
    """Yield what is in a function, but for addresses that are only read through."""
    nodes = tuple(walk(f.body)) if f.body else ()
    only_read = {id(r) for n in nodes if (r := read_through(n)) is not None}
    yield from (n for n in nodes if id(n) not in only_read)


def _written(places: Places, body: Body) -> frozenset[Key]:
    found: set[Key] = set()
    for node in _nodes(body.function):
        target = target_of(node)
        while isinstance(target, c.Index):
            target = target.base
        if isinstance(target, c.Member):
            found |= places.member(body, target)
    return frozenset(found)
