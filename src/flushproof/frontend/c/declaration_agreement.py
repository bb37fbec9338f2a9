"""Whether the declarations of one unit agree with each other (C11 6.7).

Types agree if they are represented alike: what a compiler warns of beyond that changes nothing.
"""

from __future__ import annotations

from collections.abc import Callable

from flushproof.frontend.c import syntax as c
from flushproof.frontend.c.type_errors import Mismatch, Redefined
from flushproof.frontend.c.types import Array, CType, FunctionType, Integer, Pointer, Struct, Void
from flushproof.support.diagnostics import InputError, Note
from flushproof.support.source import Span
from flushproof.support.wording import count_noun


class Agreement:
    """What was declared so far in one unit."""

    def __init__(self) -> None:
        self._defined: dict[tuple[str, str], Span] = {}
        self._kinds: dict[tuple[str, str], tuple[str, Span]] = {}
        self._types: dict[tuple[str, str], tuple[CType, Span]] = {}
        self._functions: dict[str, list[c.Function]] = {}

    def once(self, kind: str, name: str, span: Span) -> None:
        """Note a definition.

        Raises:
            InputError: there was one already.
        """
        first = self._defined.setdefault((kind, name), span)
        if first is not span and name:
            note = Note("first defined here", first)
            raise InputError(Redefined(span=span, kind=kind, name=name, notes=(note,)))

    def kind(self, space: str, name: str, kind: str, span: Span) -> None:
        """Note what a name stands for in a name space.

        Raises:
            InputError: it stands for something else.
        """
        first, where = self._kinds.setdefault((space, name), (kind, span))
        if first != kind and name:
            article = "an" if first[0] in "aeiou" else "a"
            _disagree(span, f"`{name}` is the name of {article} {first}", where)

    def type(self, kind: str, name: str, t: CType, span: Span) -> None:
        """Note the type that a name is declared with.

        Raises:
            InputError: it has another one.
        """
        first, where = self._types.setdefault((kind, name), (t, span))
        if not is_compatible(first, t):
            _disagree(span, f"{kind} `{name}` is of type `{first}`, not of type `{t}`", where)

    def function(self, f: c.Function) -> None:
        """Note the declaration of a function, to be compared once all types are known."""
        self._functions.setdefault(f.name, []).append(f)

    def check(
        self, result: Callable[[c.Function], CType], parameter: Callable[[c.Parameter], CType]
    ) -> None:
        """Compare the declarations of each function.

        Raises:
            InputError: two of them have other types.
        """
        for found in self._functions.values():
            first = found[0]
            for f in found[1:]:
                if not is_compatible(result(first), result(f)):
                    text = f"`{f.name}` returns `{result(first)}`, not `{result(f)}`"
                    _disagree(f.span, text, first.span)
                if _says_what_it_takes(first) and _says_what_it_takes(f):
                    _same_parameters(first, f, parameter)


def _says_what_it_takes(f: c.Function) -> bool:
    return bool(f.parameters) and not f.unprototyped


def _same_parameters(
    first: c.Function, f: c.Function, parameter: Callable[[c.Parameter], CType]
) -> None:
    if len(first.parameters) != len(f.parameters):
        wanted = count_noun(len(first.parameters), "argument")
        text = f"`{f.name}` takes {wanted}, not {len(f.parameters)}"
        _disagree(f.span, text, first.span)
    for p, q in zip(first.parameters, f.parameters, strict=True):
        if "..." in (p.type.name, q.type.name):
            if p.type.name != q.type.name:
                _disagree(q.span, f"`{f.name}` takes other arguments", p.span)
            continue
        if not is_compatible(parameter(p), parameter(q)):
            text = f"`{f.name}` takes a `{parameter(p)}` here, not a `{parameter(q)}`"
            _disagree(q.span, text, p.span)


def _disagree(span: Span, text: str, where: Span) -> None:
    notes = (Note("first declared here", where),)
    raise InputError(Mismatch(span=span, text=text, notes=notes))


def is_compatible(a: CType, b: CType) -> bool:
    """Tell whether two types are represented alike; an array may leave its size open."""
    match a, b:
        case Integer(_, x, p), Integer(_, y, q):
            return (x, p) == (y, q)
        case Pointer(x), Pointer(y):
            return is_compatible(x, y)
        case Array(x, n), Array(y, m):
            return is_compatible(x, y) and (n == m or None in (n, m))
        case Struct(x), Struct(y):
            return x == y
        case (Void(), Void()) | (FunctionType(), FunctionType()):
            return True
        case _:
            return False
