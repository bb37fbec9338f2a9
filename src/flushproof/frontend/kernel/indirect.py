"""Which functions calls through tables of operations, static calls and pointers may reach.

A table's entry is known by the name of its member: every function that some file at hand puts into
a member of that name is one that may be called.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from flushproof.frontend.c import printer
from flushproof.frontend.c import syntax as c
from flushproof.frontend.c.item_splitter import Sort
from flushproof.frontend.kernel.name_resolution import ResolvedNames
from flushproof.frontend.kernel.text_scan import word_occurrences
from flushproof.frontend.kernel.type_inference import Scope

_GIVEN = re.compile(r"\s*=(?!=)\s*([^;,}]*)")
_PLAIN = re.compile(r"&?\s*(\w+)\s*$")
_STATIC = frozenset({"static_call", "static_call_cond", "static_call_mod"})
_OPERATION = frozenset({"kvm_x86_call", "kvm_pmu_call"})
_UPDATES = ("static_call_update", "DEFINE_STATIC_CALL", "DEFINE_STATIC_CALL_NULL")


def callee_text(e: c.Expr) -> str:
    """Return what is called, as written."""
    return printer.print_expression(e)


def possible_callees(known: ResolvedNames, e: c.CallExpr, scope: Scope) -> tuple[str, ...]:
    """Return the functions that a call may reach, none where that cannot be told."""
    match e.function:
        case c.Name(name) if name in scope:
            return ()
        case c.Name(name):
            pointer = known.modelled(name) is None and not _defined(known, name)
            held = entry_functions(known, name) if pointer and _variable(known, name) else (name,)
            return held or ()
        case c.UnaryExpr("*", c.Name(name)) if name not in scope:
            return entry_functions(known, name) if _variable(known, name) else (name,)
        case c.CallExpr(c.Name(word), (c.Name(name), *_)) if word in _STATIC:
            return _static(known, name)
        case c.CallExpr(c.Name(word), (c.Name(name),)) if word in _OPERATION:
            return entry_functions(known, name)
        case c.Member(_, name) | c.UnaryExpr("*", c.Member(_, name)):
            return entry_functions(known, name)
        case _:
            return ()


def entry_functions(known: ResolvedNames, entry: str) -> tuple[str, ...]:
    """Return the functions that are put into an entry, none where one of them cannot be told."""
    found: dict[str, None] = {}
    for text in library_texts(known):
        for at in word_occurrences(text, entry):
            given = _GIVEN.match(text, at + len(entry))
            if given is None:
                continue
            plain = _PLAIN.fullmatch(given[1].strip())
            if plain is None:
                return ()
            if plain[1] not in {"NULL", "0"}:
                found[plain[1]] = None
    return tuple(sorted(found))


def library_texts(known: ResolvedNames) -> Iterator[str]:
    """Yield the texts of the files at hand."""
    library = known.library
    yield library.main.outline.source.text
    for path in (*library.companions, *library.headers):
        yield library.text(path)


def _static(known: ResolvedNames, name: str) -> tuple[str, ...]:
    found: dict[str, None] = {}
    words = "|".join(_UPDATES)
    pattern = rf"\b(?:{words})\s*\(\s*{re.escape(name)}\s*,\s*&?\s*(\w+)\s*\)"
    for text in library_texts(known):
        if name in text:
            found |= dict.fromkeys(re.findall(pattern, text))
    direct = tuple(sorted(found))
    table = name.removeprefix("kvm_x86_")
    return direct or (entry_functions(known, table) if table != name else ())


def _defined(known: ResolvedNames, name: str) -> bool:
    sorts = (Sort.FUNCTION, Sort.PROTOTYPE)
    return any(known.library.find(s, name) for s in sorts)


def _variable(known: ResolvedNames, name: str) -> bool:
    return known.library.find(Sort.GLOBAL, name) is not None


def choose_callee(e: c.CallExpr, names: tuple[str, ...], choice: c.Expr) -> c.Expr:
    """Return the calls that an indirect one may be: one of them, by a choice made each time."""
    first, *rest = names
    call: c.Expr = c.CallExpr(c.Name(first, e.function.span), e.arguments, e.span)
    for name in rest:
        other = c.CallExpr(c.Name(name, e.function.span), e.arguments, e.span)
        call = c.Conditional(choice, other, call, e.span)
    return call
