"""Which function of a kernel file is which: candidates found, and one chosen for each role."""

from __future__ import annotations

from typing import ClassVar

from flushproof.frontend.c.item_splitter import Item, Sort
from flushproof.frontend.c.parser import parse_items
from flushproof.frontend.c.types import CType, Integer, Pointer, Struct
from flushproof.frontend.kernel.assigned_roles import (
    assigned_functions,
    common_callee,
    own_assigned,
)
from flushproof.frontend.kernel.builtin_headers import builtin_headers
from flushproof.frontend.kernel.library import FilePiece, Library
from flushproof.frontend.kernel.name_resolution import Body, ResolvedNames
from flushproof.frontend.kernel.profiles import candidate_functions
from flushproof.frontend.kernel.typenames import names_of_types
from flushproof.frontend.spec.syntax import OperationDecl, QuotedText
from flushproof.ir.types import Int
from flushproof.support.diagnostics import EXIT_USAGE, Diagnostic, InputError, Note, suggest_closest
from flushproof.support.source import Span

PURPOSE = {"flush": "flushes the remote TLBs", "load": "loads a vCPU's root"}


class NoSuchRole(Diagnostic, frozen=True, kw_only=True):
    """A file in which no function has a role."""

    CODE: ClassVar[str] = "FP0601"
    TITLE: ClassVar[str] = "`{path}` defines no function that {purpose}"
    HELP: ClassVar[str] = (
        "looked for {names}; name another with --{role}, or the folder of a header with -I"
    )
    path: str
    role: str
    purpose: str
    names: str


class Ambiguous(Diagnostic, frozen=True, kw_only=True):
    """Two functions of a file could have a role, and neither calls the other."""

    CODE: ClassVar[str] = "FP0602"
    TITLE: ClassVar[str] = "`{path}` defines several functions that could be the {role}: {names}"
    HELP: ClassVar[str] = "choose one with --{role}"
    path: str
    role: str
    names: str


class NotDefined(Diagnostic, frozen=True, kw_only=True):
    """A function named by the user that the file does not define."""

    CODE: ClassVar[str] = "FP0603"
    TITLE: ClassVar[str] = "`{path}` defines no function `{name}`{hint}"
    EXIT: ClassVar[int] = EXIT_USAGE
    path: str
    name: str
    hint: str


class NoParameter(Diagnostic, frozen=True, kw_only=True):
    """A function that lacks a parameter that its role needs."""

    CODE: ClassVar[str] = "FP0604"
    TITLE: ClassVar[str] = "`{name}` has no parameter for the {what}"
    name: str
    what: str


def pick_function(library: Library, role: str, wanted: str | None) -> tuple[FilePiece, Item]:
    """Return the function that has a role: by what the code assigns, else by its name.

    Raises:
        InputError: there is none, or more than one.
    """
    if wanted is not None:
        return _wanted(library, wanted)
    names = candidate_functions(role)
    places = own_assigned(library, role, names) or _named(library, names)
    if not places:
        around = {n: library.find(Sort.FUNCTION, n) for n in assigned_functions(library, role)}
        places = {n: place for n, place in around.items() if place}
    chosen = _outermost(places) if role == "load" else _innermost(places)
    if role == "flush" and len(chosen) > 1:
        name = common_callee({n: places[n] for n in chosen})
        item = name and places[chosen[0]][0].find(Sort.FUNCTION, name)
        if item:
            return places[chosen[0]][0], item
    if not chosen:
        raise InputError(_none(library, role))
    if len(chosen) > 1:
        raise InputError(_several(library, role, {n: places[n] for n in chosen}))
    return places[chosen[0]]


def _named(library: Library, names: tuple[str, ...]) -> dict[str, tuple[FilePiece, Item]]:
    """Return the functions of these names: of the main file, else of those around it."""
    found = {n: p for n in names if (p := library.main.find(Sort.FUNCTION, n))}
    if found:
        return {n: (library.main, p) for n, p in found.items()}
    around = ((n, library.find(Sort.FUNCTION, n)) for n in names)
    places = {n: place for n, place in around if place}
    # Beside one that others may call there can be one that only its own file calls.
    for where in [w for w, _ in places.values()]:
        places |= {n: (where, p) for n in names if (p := where.find(Sort.FUNCTION, n))}
    return places


def _wanted(library: Library, name: str) -> tuple[FilePiece, Item]:
    place = library.find(Sort.FUNCTION, name)
    if place is None:
        names = [i.name for i in library.main.items if i.sort is Sort.FUNCTION]
        hint = suggest_closest(name, names)
        raise InputError(NotDefined(span=None, path=library.main.name, name=name, hint=hint))
    return place


def _innermost(places: dict[str, tuple[FilePiece, Item]]) -> list[str]:
    return [
        n for n, (where, item) in places.items() if not where.words(item) & (places.keys() - {n})
    ]


def _outermost(places: dict[str, tuple[FilePiece, Item]]) -> list[str]:
    called = {w for n, (where, item) in places.items() for w in where.words(item) - {n}}
    return [n for n in places if n not in called]


class NotC(Diagnostic, frozen=True, kw_only=True):
    """A text in which nothing can be read as C."""

    CODE: ClassVar[str] = "FP0608"
    TITLE: ClassVar[str] = "`{path}` does not look like C: it declares nothing"
    LABEL: ClassVar[str] = "no declaration begins like this"
    path: str


def _none(library: Library, role: str) -> Diagnostic:
    main = library.main
    tokens = main.outline.tokens
    if tokens and not any(_declares(main, item) for item in main.items):
        return NotC(span=tokens[0].span, path=main.name)
    around = [p.name for p in library.companions]
    text = ", ".join(f"`{n}`" for n in candidate_functions(role))
    places = f" (also in {', '.join(around)})" if around else ""
    return NoSuchRole(
        span=None,
        path=library.main.name,
        role=role,
        purpose=PURPOSE[role],
        names=text + places,
    )


def _declares(main: FilePiece, item: Item) -> bool:
    """Tell whether an item can be read as C, or has the shape of something only C has."""
    if item.sort in {Sort.FUNCTION, Sort.STRUCT, Sort.ENUM, Sort.TYPEDEF}:
        return True
    if item.sort is Sort.OTHER:
        return False
    raw = main.raw(item)
    try:
        return bool(parse_items(raw, builtin_headers().context.typedefs | names_of_types(raw)))
    except InputError:
        return False


def _several(library: Library, role: str, places: dict[str, tuple[FilePiece, Item]]) -> Ambiguous:
    notes = tuple(Note(f"`{n}`", span_in(*place)) for n, place in places.items())
    names = ", ".join(f"`{n}`" for n in places)
    return Ambiguous(span=None, notes=notes, path=library.main.name, role=role, names=names)


def span_in(where: FilePiece, item: Item) -> Span:
    """Return the place of an item's name."""
    raw = where.raw(item)
    return next((t.span for t in raw if t.text == item.name), raw[0].span)


def declare_operation(known: ResolvedNames, role: str, body: Body) -> OperationDecl:
    """Say what each parameter of an operation means, by its type.

    Raises:
        InputError: a load without a vCPU or without a root.
    """
    f = body.function
    words: list[str] = []
    for p in f.parameters:
        words.append(_role(known.declared(p.type, p.declarator), role, words))
    for what in ("vcpu", "root") if role == "load" else ("kvm",):
        if what not in words:
            raise InputError(NoParameter(span=f.span, name=f.name, what=what))
    texts = tuple(QuotedText(w, p.span) for w, p in zip(words, f.parameters, strict=True))
    return OperationDecl(role, f.name, texts, f.span)


def _role(t: CType, role: str, before: list[str]) -> str:
    match t:
        case Pointer(Struct("kvm")):
            return "kvm"
        case Pointer(Struct("kvm_vcpu")) if role == "load":
            return "vcpu"
        case Pointer(Struct()) if role == "flush":
            return "range"
        case Integer(_, Int(width=64)) if role == "load" and "root" not in before:
            return "root"
        case Integer(_, Int(width=64)) if role == "flush" and "start" not in before:
            return "start"
        case Integer(_, Int(width=64)) if role == "flush" and "pages" not in before:
            return "pages"
        case _:
            return "free"
