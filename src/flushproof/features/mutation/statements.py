"""Edits of statements: what is dropped, what changes places, where a walk over the vCPUs ends.

In: a function in its text. Out: edits of all its statements and expressions, in the order of the
text and of the operators.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from itertools import pairwise

from flushproof.features.mutation.edit import Edit, squeeze_text
from flushproof.features.mutation.edit_sites import EditSite
from flushproof.features.mutation.expressions import Expressions
from flushproof.frontend.c import syntax as c
from flushproof.frontend.c.walk import walk
from flushproof.support.record import Record

_LOCK = re.compile(r"lock|mutex|down_|up_")
_UNLOCK = re.compile(r"unlock|up_read|up_write")
LONG = 40
"""So many characters of a statement are shown in words."""


class Statements(Record, frozen=True, dict=True):
    """Edits of one function."""

    place: EditSite
    siblings: Mapping[str, tuple[str, ...]]

    def all(self) -> Iterator[Edit]:
        """Yield every edit of the function."""
        inner = Expressions(self.place, self.siblings)
        yield from self._range()
        last = self.place.tree.statements[-1:]
        for node in walk(self.place.tree):
            if isinstance(node, c.Expr):
                yield from inner.of(node)
            else:
                yield from self._statement(inner, node, final=node in last)

    def _statement(  # noqa: C901, PLR0912 - a table of operators
        self, inner: Expressions, node: c.Stmt, *, final: bool
    ) -> Iterator[Edit]:
        match node:
            case c.If(condition) | c.While(condition) | c.DoWhile(_, condition):
                yield from inner.condition(condition)
            case c.For(_, condition) if condition is not None:
                yield from inner.condition(condition)
            case c.ExprStatement(expression):
                yield from self._drop(node, _dropped(expression))
            case c.Break():
                yield from self._drop(node, "drop-break")
                yield from self._instead(node, "continue;", "break-continue")
            case c.Continue():
                yield from self._drop(node, "drop-continue")
                yield from self._instead(node, "break;", "break-continue")
            case c.Goto():
                yield from self._drop(node, "drop-goto")
            case c.ReturnStatement(value):
                if not final:
                    yield from self._drop(node, "drop-return")
                yield from self._returned(inner, value)
            case c.ForEachVcpu(index, _, _, body):
                yield from self._walk(index, body)
            case c.Block(statements):
                for pair in pairwise(statements):
                    yield from self._swap(*pair)
            case c.Declaration(_, _, declarators):
                for d in declarators:
                    yield from self._start(d)
            case _:
                return

    def _drop(self, node: c.Stmt, operator: str) -> Iterator[Edit]:
        where = self.place.stretch(node)
        if where is not None:
            words = f"drop `{self._short(where)}`"
            yield Edit(operator, self.place.source.name, *where, ";", words)

    def _instead(self, node: c.Stmt, text: str, operator: str) -> Iterator[Edit]:
        where = self.place.stretch(node)
        if where is not None:
            words = f"`{self._short(where)}` becomes `{text}`"
            yield Edit(operator, self.place.source.name, *where, text, words)

    def _returned(self, inner: Expressions, value: c.Expr | None) -> Iterator[Edit]:
        if value is None:
            return
        for constant in ("0", "1"):
            if self.place.text(value) != constant:
                yield from inner.put(value, constant, "return")

    def _walk(self, index: c.Expr, body: c.Stmt) -> Iterator[Edit]:
        """Yield walks over the vCPUs that end after the first one, or leave it out."""
        where, text = self.place.stretch(body), self.place.text(index)
        if where is None or text is None or not isinstance(body, c.Block):
            return
        name, (start, end) = self.place.source.name, where
        words = "end the walk after the first vCPU"
        yield Edit("first-only", name, end - 1, end, "break; }", words)
        skip = f"{{ if (!{text}) continue;"
        yield Edit("skip-first", name, start, start + 1, skip, "leave the first vCPU out")

    def _range(self) -> Iterator[Edit]:
        """Yield the edit that lets a function go on with one page of the range it was given."""
        body = (s for s in self.place.tree.statements if not isinstance(s, c.Declaration))
        where = next((self.place.stretch(s) for s in body), None)
        for name in self.place.ranges if where is not None else ():
            assert where is not None
            text = f"if ({name}) {name}->pages = 1; "
            words = f"go on with one page of `{name}` only"
            yield Edit("range", self.place.source.name, where[0], where[0], text, words)

    def _swap(self, first: c.Stmt, second: c.Stmt) -> Iterator[Edit]:
        if isinstance(first, c.Declaration) or isinstance(second, c.Declaration):
            return
        a, b = self.place.stretch(first), self.place.stretch(second)
        if a is None or b is None:
            return
        text = self.place.source.text
        new = text[b[0] : b[1]] + text[a[1] : b[0]] + text[a[0] : a[1]]
        words = f"swap `{self._short(a)}` and `{self._short(b)}`"
        yield Edit("swap", self.place.source.name, a[0], b[1], new, words)

    def _start(self, declared: c.InitDeclarator) -> Iterator[Edit]:
        value = declared.initialiser
        if value is None or declared.declarator.pointers:
            return
        where, kept = self.place.stretch(declared), self.place.stretch(declared.declarator)
        if where is not None and kept is not None:
            text = self.place.source.text[slice(*kept)]
            words = f"`{self._short(where)}` becomes `{text}`"
            yield Edit("drop-start", self.place.source.name, *where, text, words)

    def _short(self, where: tuple[int, int]) -> str:
        text = squeeze_text(self.place.source.text[slice(*where)])
        return text if len(text) <= LONG else text[: LONG - 4] + " ..."


def _dropped(expression: c.Expr) -> str:
    """Return the name of the operator that drops a statement of this expression."""
    match expression:
        case c.AssignExpr():
            return "drop-assignment"
        case c.CallExpr(c.Name(name)) if _UNLOCK.search(name):
            return "drop-unlock"
        case c.CallExpr(c.Name(name)) if _LOCK.search(name):
            return "drop-lock"
        case _:
            return "drop-call"
