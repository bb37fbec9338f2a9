"""What every setup starts from: the prelude and the claims that come with the program."""

from __future__ import annotations

import hashlib
import pickle
from functools import cache
from pathlib import Path
from typing import ClassVar

from flushproof.frontend.c import syntax as c
from flushproof.frontend.c.declarations import Declarations, resolve_declarations
from flushproof.frontend.c.parser import ParseContext, parse_c
from flushproof.frontend.spec import syntax as s
from flushproof.frontend.spec.parser import parse_spec
from flushproof.support.diagnostics import Diagnostic, InputError, Note
from flushproof.support.disk_cache import read_disk_cache
from flushproof.support.record import Record
from flushproof.support.resources import CLAIMS, HERE, PRELUDE
from flushproof.support.source import Source


class ClaimFunction(Diagnostic, frozen=True, kw_only=True):
    """A function by the name of one that the program's claims call."""

    CODE: ClassVar[str] = "FP0518"
    TITLE: ClassVar[str] = "`{name}` is a function of the program's own claims"
    LABEL: ClassVar[str] = "what they say would change"
    HELP: ClassVar[str] = "give it another name"
    name: str


class Given(Record, frozen=True):
    """What every setup starts from."""

    context: ParseContext
    units: tuple[c.TranslationUnit, ...]
    claims: tuple[s.ClaimSpec, ...]
    sources: tuple[Source, ...]

    def declared(self, *units: c.TranslationUnit, partial: bool = False) -> Declarations:
        """Resolve the declarations of a variant, and of its spec, after those of the program.

        Raises:
            InputError: something is declared wrongly, or defined as the claims' own functions are.
        """
        helpers = {f.name: f for f in self.units[-1].items if isinstance(f, c.Function)}
        for item in (i for unit in units for i in unit.items):
            if isinstance(item, c.Function) and item.name in helpers:
                note = Note("defined here", helpers[item.name].span)
                raise InputError(ClaimFunction(span=item.span, name=item.name, notes=(note,)))
        return resolve_declarations((*self.units, *units), partial=partial)


@cache
def load_builtin() -> Given:
    """Return the prelude and the claims that come with the program; once read they are kept."""
    prelude, claims = read_shipped(PRELUDE), read_shipped(CLAIMS)
    depends = (prelude.text, claims.text, _reader())
    return read_disk_cache("given", depends, lambda: _read(prelude, claims), _pickled, _unpickled)


def _reader() -> str:
    """Return a digest of the program's own text that decides what is read."""
    total = hashlib.sha256()
    folders = ("frontend/c", "frontend/spec", "grammars", "support")
    for path in sorted(p for name in folders for p in (HERE / name).iterdir() if p.is_file()):
        total.update(path.name.encode() + path.read_bytes())
    return total.hexdigest()


def _pickled(found: Given) -> bytes:
    return pickle.dumps(found)


def _unpickled(data: bytes) -> Given:
    found = pickle.loads(data)  # noqa: S301 - the user's own file, with its digest
    assert isinstance(found, Given)
    return found


def _read(prelude: Source, claims: Source) -> Given:
    unit, context = parse_c(prelude, ParseContext())
    file = parse_spec(claims, context)
    helpers = c.TranslationUnit(file.functions)
    return Given(context, (unit, helpers), file.claims, (prelude, claims))


def read_shipped(path: Path) -> Source:
    """Read a file that comes with the program; its folder is not shown."""
    return Source(path.name, path.read_text(encoding="utf-8"))
