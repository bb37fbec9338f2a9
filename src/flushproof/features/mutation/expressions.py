"""Edits of expressions: comparisons, conditions, constants, masks, counters and roots.

In: a function in its text and an expression of it. Out: edits. They know C's words and the
kernel's (`VALID_PAGE`, `INVALID_PAGE`, `PAGE_MASK`), and nothing about types: what does not make
sense is no valid C, and found out where it is read.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Literal

from flushproof.features.mutation.edit import Edit, squeeze_text
from flushproof.features.mutation.edit_sites import EditSite, Spanned
from flushproof.frontend.c import syntax as c
from flushproof.support.record import Record

OTHER = {
    "==": ("!=",),
    "!=": ("==",),
    "<": ("<=", ">="),
    "<=": ("<", ">"),
    ">": (">=", "<="),
    ">=": (">", "<"),
    "+": ("-",),
    "-": ("+",),
    "|": ("&",),
    "&": ("|",),
    "&&": ("||",),
    "||": ("&&",),
}
"""What an infix operator is mistaken for."""
COMPARISONS = frozenset({"==", "!=", "<", "<=", ">", ">="})
TRUTH = {"true": "false", "false": "true"}
NO_ROOT = "INVALID_PAGE"
TEST = "VALID_PAGE"


class Expressions(Record, frozen=True, dict=True):
    """Edits of the expressions of one function; `siblings` are the other words of an enum."""

    place: EditSite
    siblings: Mapping[str, tuple[str, ...]]

    def of(self, node: c.Expr) -> Iterator[Edit]:  # noqa: C901 - a table of operators
        """Yield the edits of one expression, those of its parts not included."""
        match node:
            case c.BinaryExpr(op, left, right):
                yield from self._infix(node, op, left, right)
            case c.UnaryExpr("!", operand):
                yield from self.put(node, operand, "negate")
            case c.UnaryExpr("++" | "--" as op, operand) | c.Postfix("++" | "--" as op, operand):
                yield from self._step(node, op, operand)
            case c.CallExpr(c.Name(name), (argument, *_)) if name == TEST:
                yield from self.put(node, "1", "drop-valid")
                yield from self.put(node, argument, "drop-valid")
            case c.Conditional(condition):
                yield from self.condition(condition)
            case c.Name(name) if name in TRUTH:
                yield from self.put(node, TRUTH[name], "constant")
            case c.Name(name):
                for other in self.siblings.get(name, ()):
                    yield from self.put(node, other, "constant")
            case c.Number(value):
                yield from self.put(node, str(value + 1), "number")
                if value > 0:
                    yield from self.put(node, str(value - 1), "number")
            case c.AssignExpr(op, target, value):
                yield from self._assign(node, op, target, value)
            case _:
                return

    def condition(self, node: c.Expr) -> Iterator[Edit]:
        """Yield the edits of something that is tested: never true, always true, the opposite."""
        text = self.place.text(node)
        if text is None:
            return
        yield from self.put(node, "1", "drop-condition")
        yield from self.put(node, "0", "drop-condition")
        if not isinstance(node, c.UnaryExpr) or node.op != "!":
            yield from self.put(node, f"!({text})", "negate")

    def put(self, node: Spanned, new: c.Expr | str, operator: str) -> Iterator[Edit]:
        """Yield the edit that puts other text, or another node, where a node stands."""
        where = self.place.stretch(node)
        text = new if isinstance(new, str) else self.place.text(new)
        if where is None or text is None:
            return
        old = squeeze_text(self.place.source.text[slice(*where)])
        words = f"`{old}` becomes `{squeeze_text(text)}`"
        yield Edit(operator, self.place.source.name, *where, text, words)

    def _infix(self, node: c.Expr, op: str, left: c.Expr, right: c.Expr) -> Iterator[Edit]:
        for other in OTHER.get(op, ()):
            yield from self._operator(node, left, right, op, other)
        if op in {"&&", "||"}:
            yield from self.put(node, right, "drop-operand")
            yield from self.put(node, left, "drop-operand")
        elif op in {"&", "|"}:
            yield from self.put(node, left, "drop-mask")

    def _operator(
        self, node: c.Expr, left: c.Expr, right: c.Expr, op: str, other: str
    ) -> Iterator[Edit]:
        whole, a, b = (self.place.stretch(n) for n in (node, left, right))
        if whole is None or a is None or b is None:
            return
        text = self.place.source.text
        at = text.find(op, _past(text, a[1], b[0]), b[0])
        if at < 0:
            return
        new = text[whole[0] : at] + other + text[at + len(op) : whole[1]]
        kind = "compare" if op in COMPARISONS else "operator"
        yield from self.put(node, new, kind)

    def _step(self, node: c.Expr, op: str, operand: c.Expr) -> Iterator[Edit]:
        text = self.place.text(node)
        if text is None:
            return
        other = "--" if op == "++" else "++"
        yield from self.put(node, operand, "drop-step")
        yield from self.put(node, text.replace(op, other, 1), "operator")

    def _assign(self, node: c.Expr, op: str, target: c.Expr, value: c.Expr) -> Iterator[Edit]:
        if op == "|=":
            yield from self._assign_by(node, target, value, "=")
            yield from self._assign_by(node, target, value, "&=")
        if op == "=" and isinstance(value, c.CallExpr):
            yield from self._assign_by(node, target, value, "|=")
        match value:
            case c.Name(name) if name == NO_ROOT:
                yield from self._value(node, target, value, "0")
            case c.Name(name) if name not in TRUTH and not name.isupper():
                yield from self._value(node, target, value, NO_ROOT)
            case c.Member():
                yield from self._value(node, target, value, NO_ROOT)
            case _:
                return

    def _assign_by(
        self, node: c.Expr, target: c.Expr, value: c.Expr, op: Literal["=", "|=", "&="]
    ) -> Iterator[Edit]:
        before, after = self.place.text(target), self.place.text(value)
        if before is not None and after is not None:
            yield from self.put(node, f"{before} {op} {after}", "assign-by")

    def _value(self, node: c.Expr, target: c.Expr, value: c.Expr, new: str) -> Iterator[Edit]:
        before = self.place.text(target)
        if before is not None and self.place.text(value) is not None:
            yield from self.put(node, f"{before} = {new}", "root")


def _past(text: str, start: int, end: int) -> int:
    """Return where, from the end of an operand on, its closing parentheses are over."""
    at = start
    while at < end and text[at] in ") \t\n":
        at += 1
    return at
