"""The meaning of expressions of the IR as bit-vectors, with what has to hold for it.

Every sum wraps around at its C width. What C leaves undefined, and conversions to a vCPU, come with
a condition under which all is well.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import assert_never

from flushproof.ir.code import (
    COMPARISONS,
    AllFree,
    Binary,
    Cast,
    Const,
    Expr,
    HeldLocks,
    Ite,
    Local,
    NumVcpus,
    Self,
    Unary,
    Var,
)
from flushproof.ir.types import BOOL, INT, NO_VCPU, Int, VcpuRef
from flushproof.support.record import Record
from flushproof.verify.proof_checker import terms as t

UNSIGNED = {"/": "bvudiv", "%": "bvurem", ">>": "bvlshr"} | {
    "<": "bvult",
    "<=": "bvule",
    ">": "bvugt",
    ">=": "bvuge",
}
SIGNED = {"/": "bvsdiv", "%": "bvsrem", ">>": "bvashr"} | {
    "<": "bvslt",
    "<=": "bvsle",
    ">": "bvsgt",
    ">=": "bvsge",
}
PLAIN = {"+": "bvadd", "-": "bvsub", "*": "bvmul", "&": "bvand", "|": "bvor", "^": "bvxor"}
LOGIC = {"&": "and", "|": "or", "^": "xor", "*": "and", "+": "xor", "-": "xor"}


class Surroundings(Record, frozen=True):
    """What expressions range over: locals, the number of vCPUs, the thread and its locks."""

    local: Callable[[Local], str]
    count: str
    thread: str
    held: Callable[[], str]
    all_free: Callable[[], str]


class Evaluation:
    """Evaluates expressions in one place.

    `defined` collects what has to hold for the values to be defined, `exact` what holds where no
    sum wraps around and what is taken for a vCPU is one or NULL.
    """

    def __init__(self, around: Surroundings) -> None:
        self.around = around
        self.defined: list[str] = []
        self.exact: list[str] = []

    def value(self, e: Expr) -> str:  # noqa: C901 - a table of all expressions
        """Return the term of an expression."""
        match e:
            case Const(value, type_):
                return t.make_constant(value, type_)
            case Var(local):
                return self.around.local(local)
            case NumVcpus():
                return t.convert_value(self.around.count, t.THREAD, e.type)
            case Self():
                one = t.make_constant(1, INT)
                return t.convert_value(f"(bvadd {self.around.thread} {one})", INT, e.type)
            case HeldLocks():
                return self.around.held()
            case AllFree():
                return self.around.all_free()
            case Unary():
                return self._unary(e)
            case Binary():
                return self._binary(e)
            case Cast(operand, type_):
                return self._cast(self.value(operand), operand, type_)
            case Ite():
                return self._ite(e)
            case _:
                assert_never(e)

    def _unary(self, e: Unary) -> str:
        a = self.value(e.operand)
        if e.op == "!":
            zero = t.make_constant(0, e.operand.type)
            return t.negate_term(a) if e.operand.type == BOOL else t.make_equality(a, zero)
        if e.type == BOOL:
            return t.negate_term(a) if e.op == "~" else a
        if e.op == "-":
            self._exactly("-", t.make_constant(0, e.type), a, e.type)
        return f"(bvneg {a})" if e.op == "-" else f"(bvnot {a})"

    def _cast(self, a: str, operand: Expr, target: object) -> str:
        assert isinstance(target, (Int, VcpuRef))
        source = operand.type
        if isinstance(target, VcpuRef) and source not in (INT, BOOL, target):
            # The number of a vCPU is an `int` here; a wider number that is none has no counterpart.
            wide = t.convert_value(a, source, t.EXACT)
            back = t.convert_value(t.convert_value(a, source, INT), INT, t.EXACT)
            self.defined.append(t.make_equality(wide, back))
        if isinstance(target, VcpuRef) and not isinstance(source, VcpuRef):
            number = t.convert_value(a, source, target)
            none = t.make_equality(number, t.make_constant(NO_VCPU, target))
            self.exact.append(t.any_of((none, t.in_range(number, self.around.count))))
        if isinstance(target, Int) and target != BOOL:
            wide = t.convert_value(a, source, t.EXACT)
            back = t.convert_value(t.convert_value(a, source, target), target, t.EXACT)
            if not _fits(t.word_of(source), target):
                self.exact.append(t.make_equality(wide, back))
        return t.convert_value(a, source, target)

    def _ite(self, e: Ite) -> str:
        c = self.value(e.condition)
        parts = [self._branch(c, e.then), self._branch(t.negate_term(c), e.otherwise)]
        return t.make_choice(c, *parts)

    def _branch(self, c: str, e: Expr) -> str:
        """Evaluate what is evaluated under a condition only."""
        marks = len(self.defined), len(self.exact)
        value = self.value(e)
        for found, mark in zip((self.defined, self.exact), marks, strict=True):
            found[mark:] = [t.make_implication(c, x) for x in found[mark:]]
        return value

    def _binary(self, e: Binary) -> str:
        a, b = self.value(e.left), self.value(e.right)
        type_ = e.left.type
        if e.op in ("==", "!="):
            same = t.make_equality(a, b)
            return same if e.op == "==" else t.negate_term(same)
        if type_ == BOOL and e.op in LOGIC:
            return f"({LOGIC[e.op]} {a} {b})"
        if type_ == BOOL:
            a, b, type_ = t.convert_value(a, BOOL, INT), t.convert_value(b, BOOL, INT), INT
        word = t.word_of(type_)
        if e.op in ("/", "%"):
            self.defined.append(t.negate_term(t.make_equality(b, t.make_constant(0, word))))
        if e.op in ("<<", ">>"):
            self.defined.append(self._shifts(b, word))
        if e.op in ("+", "-", "*"):
            self._exactly(e.op, a, b, word)
        found = f"({self._operator(e.op, word)} {a} {b})"
        if e.op in COMPARISONS or e.type != BOOL:
            return found
        return t.convert_value(found, word, BOOL)

    def _operator(self, op: str, word: Int) -> str:
        table = SIGNED if word.signed else UNSIGNED
        return "bvshl" if op == "<<" else PLAIN.get(op) or table[op]

    def _shifts(self, b: str, word: Int) -> str:
        return f"(bvult {b} {t.make_constant(word.width, word)})"

    def _exactly(self, op: str, a: str, b: str, type_: object) -> None:
        """Note that a sum does not leave its type."""
        assert isinstance(type_, Int)
        wide = Int(2 * type_.width + 1, signed=True)
        sums = (t.convert_value(x, type_, wide) for x in (a, b))
        total = f"({PLAIN[op]} {' '.join(sums)})"
        wrapped = t.convert_value(f"({PLAIN[op]} {a} {b})", type_, wide)
        self.exact.append(t.make_equality(total, wrapped))


def _fits(source: Int, target: Int) -> bool:
    return target.low <= source.low and source.high <= target.high
