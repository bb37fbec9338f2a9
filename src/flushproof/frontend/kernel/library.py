"""The files that belong to one kernel file: what it includes, as far as found, and companions.

Headers are looked for beside the file, in the folder above it, in those of the tree it stands in,
and where the user says; what lies elsewhere is not read, whatever an include or a link says. A
companion is the `x.c` beside an included `x.h`. Texts are searched for words before any file is cut
up, so a tree of many headers costs little.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import cached_property, lru_cache
from pathlib import Path

from flushproof.frontend.c.item_splitter import Item, Sort, split_items
from flushproof.frontend.c.load import load_source
from flushproof.frontend.c.macros import Macro, Macros
from flushproof.frontend.c.outline import Outline, expand_macros, read_outline
from flushproof.frontend.c.tokens import Token, TokenKind
from flushproof.frontend.kernel.builtin_headers import builtin_headers
from flushproof.frontend.kernel.text_scan import (
    could_define,
    could_define_macro,
    included_names,
    word_occurrences,
)
from flushproof.frontend.spec.path_confinement import is_below
from flushproof.support.diagnostics import InputError
from flushproof.support.files import current_files
from flushproof.support.record import Record
from flushproof.support.source import Source

MOST_FILES = 400
MOST_TEXT = 32 * 1024 * 1024
"""So many characters of headers are read, several times what the largest file of a kernel has."""
DEEPEST = 6
_KEPT = 256
"""So many files stay cut up for the next reading, which has often changed one of them."""
_TREE = ("include", "arch/x86/include", "arch/x86/kvm")


class FilePiece(Record, frozen=True, dict=True):
    """One file cut up."""

    outline: Outline
    items: tuple[Item, ...]

    @property
    def name(self) -> str:
        """The path of the file as shown."""
        return self.outline.source.name

    @cached_property
    def table(self) -> dict[tuple[Sort, str], list[Item]]:
        """The items by what they declare; an enum without a tag is found by its enumerators."""
        found: dict[tuple[Sort, str], list[Item]] = {}
        for item in self.items:
            for name in (item.name, *item.others) if item.name else item.others:
                found.setdefault((item.sort, name), []).append(item)
        return found

    def find(self, sort: Sort, name: str) -> Item | None:
        """Return the last item of that sort and name."""
        found = self.table.get((sort, name))
        return found[-1] if found else None

    def raw(self, item: Item) -> tuple[Token, ...]:
        """Return the item's tokens with macros as written."""
        return self.outline.tokens[item.start : item.end]

    def expanded(self, item: Item, start: Macros) -> tuple[Token, ...]:
        """Return the item's tokens with macros replaced."""
        return expand_macros(self.raw(item), self.outline.macros_at(item.start, start))

    def words(self, item: Item) -> frozenset[str]:
        """Return the names in an item, and in the file's macros that it uses."""
        seen: set[str] = set()
        pending = list(self.raw(item))
        while pending:
            token = pending.pop()
            if token.kind is TokenKind.NAME and token.text not in seen:
                seen.add(token.text)
                macro = self.outline.macro(token.text)
                pending.extend(macro.body if macro else ())
        return frozenset(seen)


@lru_cache(maxsize=_KEPT)
def cut_file(source: Source) -> FilePiece:
    """Cut up a source text under the macros of the prelude.

    Raises:
        InputError: comments, conditions or brackets are not closed.
    """
    done = read_outline(source, builtin_headers().context.macros)
    return FilePiece(done, split_items(done.tokens))


@dataclass
class Surroundings:
    """What was read around a main file, and where: the same for every text that file may have.

    It is for one place, the folders that the user names, and files that stay as they are.
    """

    texts: dict[Path, str] = field(default_factory=dict)
    places: dict[tuple[str, str], Path | None] = field(default_factory=dict)
    real: dict[Path, str] = field(default_factory=dict)


@dataclass
class Library:
    """The main file, which stands at `path`, and, found when asked for, everything around it."""

    main: FilePiece
    folders: tuple[Path, ...]
    path: Path
    around: Surroundings
    _texts: dict[Path, str] = field(default_factory=dict)
    _pieces: dict[Path, FilePiece | None] = field(default_factory=dict)
    _around: dict[tuple[Sort, str], tuple[FilePiece, Item] | None] = field(default_factory=dict)

    @cached_property
    def root(self) -> Path | None:
        """The root of the tree that the file stands in."""
        above = (current_files().cwd() / self.path).parents
        return next((p for p in above if current_files().is_folder(str(p / "arch" / "x86"))), None)

    @property
    def headers(self) -> tuple[Path, ...]:
        """The included files that are found, nearest first."""
        return self._includes[0]

    @property
    def missing(self) -> tuple[str, ...]:
        """The included names for which no file is found."""
        return self._includes[1]

    @cached_property
    def _includes(self) -> tuple[tuple[Path, ...], tuple[str, ...]]:
        found: dict[Path, None] = {}
        missing: dict[str, None] = {}
        front = [(self.path, self.main.outline.source.text)]
        for _ in range(DEEPEST):
            level = list(dict.fromkeys(h for p, t in front for h in self._included(p, t, missing)))
            fresh = [h for h in level if h not in found][: MOST_FILES - len(found)]
            found.update(dict.fromkeys(fresh))
            front = [(h, self.text(h)) for h in fresh]
        return tuple(found), tuple(missing)

    @cached_property
    def companions(self) -> tuple[Path, ...]:
        """The `x.c` beside each included `x.h`."""
        sources = (h.with_suffix(".c") for h in self.headers)
        found = (p for p in sources if _is_file(p) and not _same(p, self.path))
        return tuple(p for p in found if is_below(str(p), self._allowed))

    def _included(self, path: Path, text: str, missing: dict[str, None]) -> Iterator[Path]:
        folder = str(path.parent)
        for mark, name in included_names(text):
            found = self._place(folder if mark == '"' else "", name)
            if found is None:
                missing.setdefault(name)
            elif not _same(found, self.path):
                yield found

    def _place(self, beside: str, name: str) -> Path | None:
        """Return where an included file is; one in quotes may stand beside the file or above."""
        places = self.around.places
        if (beside, name) not in places:
            near = (beside, os.path.join(beside, os.pardir)) if beside else ()  # noqa: PTH118
            found = (self._allowed_file(f, name) for f in (*near, *self._folders))
            places[beside, name] = next((p for p in found if p), None)
        return places[beside, name]

    def _allowed_file(self, folder: str, name: str) -> Path | None:
        path = os.path.normpath(os.path.join(folder, name))  # noqa: PTH118 - often, and faster
        allowed = current_files().is_file(path) and is_below(path, self._allowed)
        return _shown(Path(path)) if allowed else None

    @cached_property
    def _folders(self) -> tuple[str, ...]:
        """The folders in which every header is looked for."""
        tree = () if self.root is None else (self.root / part for part in _TREE)
        return tuple(map(str, (*self.folders, *tree)))

    @cached_property
    def _allowed(self) -> tuple[str, ...]:
        """The folders outside of which nothing is read, wherever an include or a link leads."""
        beside = (current_files().cwd() / self.path).parents[:2]
        folders = (*self.folders, *beside, *(() if self.root is None else (self.root,)))
        return tuple(current_files().real(str(f)) for f in folders)

    def real(self, path: Path) -> str:
        """Return the path of a file where no link is left to follow."""
        if path not in self.around.real:
            self.around.real[path] = current_files().real(str(path))
        return self.around.real[path]

    def text(self, path: Path) -> str:
        """Return the text of a file, empty where it cannot be read."""
        if path not in self._texts:
            self._texts[path] = self._read(path)
        return self._texts[path]

    def _read(self, path: Path) -> str:
        if sum(map(len, self._texts.values())) > MOST_TEXT:
            return ""
        if path not in self.around.texts:
            self.around.texts[path] = _load(path)
        return self.around.texts[path]

    def mentions(self, path: Path, word: str) -> bool:
        """Tell whether a file's text holds a word."""
        return next(word_occurrences(self.text(path), word), None) is not None

    def piece(self, path: Path) -> FilePiece | None:
        """Return a file cut up, None where that fails: then it is as if it were not there."""
        if path not in self._pieces:
            try:
                self._pieces[path] = cut_file(Source(str(path), self.text(path)))
            except InputError:
                self._pieces[path] = None
        return self._pieces[path]

    def find(
        self, sort: Sort, name: str, near: FilePiece | None = None
    ) -> tuple[FilePiece, Item] | None:
        """Return the definition of a name: in the file that asks, the main file, or around it."""
        for own in (near, self.main):
            found = own.find(sort, name) if own else None
            if own and found:
                return own, found
        if (sort, name) not in self._around:
            self._around[sort, name] = self._find_around(sort, name)
        return self._around[sort, name]

    def _find_around(self, sort: Sort, name: str) -> tuple[FilePiece, Item] | None:
        places = (self.find_in(p, sort, name) for p in (*self.headers, *self.companions))
        return next((place for place in places if place), None)

    def find_in(self, path: Path, sort: Sort, name: str) -> tuple[FilePiece, Item] | None:
        """Return what a file around the main one defines; what only it can see is left out."""
        text = self.text(path)
        if not could_define(text, sort, name):
            return None
        where = self.piece(path)
        found = where.find(sort, name) if where else None
        if where is None or found is None or (found.static and path not in self.headers):
            return None
        return where, found

    def macro(self, name: str) -> Macro | None:
        """Return a macro that some header defines."""
        for path in self.headers:
            if could_define_macro(self.text(path), name):
                where = self.piece(path)
                found = where.outline.macro(name) if where else None
                if found:
                    return found
        return None


def _load(path: Path) -> str:
    try:
        # One object for each text, so that what is remembered of it is found at once.
        return sys.intern(load_source(path).text)
    except InputError:
        return ""


def _is_file(path: Path) -> bool:
    return current_files().is_file(str(path))


def _same(a: Path, b: Path) -> bool:
    return a.name == b.name and current_files().real(str(a)) == current_files().real(str(b))


def _shown(path: Path) -> Path:
    """Return the path relative to the current folder where it lies below."""
    try:
        return path.relative_to(current_files().cwd())
    except ValueError:
        return path
