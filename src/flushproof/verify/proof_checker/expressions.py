"""The meaning of expressions of the IR as bit-vectors, with what has to hold for it.

Every sum wraps around at its C width. What C leaves undefined, and conversions to a vCPU, come with
a condition under which all is well.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import assert_never

from flushproof.ir import code as ir
from flushproof.ir.code import Expr, Local
from flushproof.ir.types import BOOL, INT, NO_VCPU, Int, Type, VcpuRef
from flushproof.verify.proof_checker import terms as t

UNSIGNED = {"/": "bvudiv", "%": "bvurem", ">>": "bvlshr"}
UNSIGNED |= {"<": "bvult", "<=": "bvule", ">": "bvugt", ">=": "bvuge"}
SIGNED = {"/": "bvsdiv", "%": "bvsrem", ">>": "bvashr"}
SIGNED |= {"<": "bvslt", "<=": "bvsle", ">": "bvsgt", ">=": "bvsge"}
PLAIN = {"+": "bvadd", "-": "bvsub", "*": "bvmul", "<<": "bvshl"}
PLAIN |= {"&": "bvand", "|": "bvor", "^": "bvxor"}
LOGIC = {"&": "and", "|": "or", "^": "xor", "*": "and", "+": "xor", "-": "xor"}


class Evaluation:
    """Evaluates expressions in one place, given its locals, the thread and what it asks of locks.

    `defined` collects what has to hold for the values to be defined, `exact` what holds where no
    sum wraps around and what is taken for a vCPU is one or NULL.
    """

    def __init__(
        self,
        local: Callable[[Local], str],
        thread: str,
        locks: Callable[[ir.HeldLocks | ir.AllFree], str],
    ) -> None:
        self.local = local
        self.thread = thread
        self.locks = locks
        self.defined: list[str] = []
        self.exact: list[str] = []

    def value(self, e: Expr) -> str:
        """Return the term of an expression."""
        match e:
            case ir.Const(value, type_):
                return t.make_constant(value, type_)
            case ir.Var(local):
                return self.local(local)
            case ir.NumVcpus():
                return t.convert_value(t.COUNT, t.THREAD, e.type)
            case ir.Self():
                next_one = f"(bvadd {self.thread} {t.make_number(1)})"
                return t.convert_value(next_one, t.THREAD, e.type)
            case ir.HeldLocks() | ir.AllFree():
                return self.locks(e)
            case ir.Unary():
                return self._unary(e)
            case ir.Binary():
                return self._binary(e)
            case ir.Cast(operand, type_):
                return self._cast(self.value(operand), operand, type_)
            case ir.Ite():
                return self._ite(e)
            case _:
                assert_never(e)

    def _unary(self, e: ir.Unary) -> str:
        a = self.value(e.operand)
        if e.op == "!":
            zero = t.make_constant(0, e.operand.type)
            return t.negate_term(a) if e.operand.type == BOOL else t.make_equality(a, zero)
        if e.type == BOOL:
            return t.negate_term(a) if e.op == "~" else a
        if e.op == "-":
            self._exactly("-", t.make_constant(0, e.type), a, t.word_of(e.type))
        return f"(bvneg {a})" if e.op == "-" else f"(bvnot {a})"

    def _cast(self, a: str, operand: Expr, target: Type) -> str:
        source = operand.type
        if isinstance(target, VcpuRef) and source not in (INT, BOOL, target):
            # The number of a vCPU is an `int` here; a wider number that is none has no counterpart.
            self.defined.append(_is_kept(a, source, INT))
        if isinstance(target, VcpuRef) and not isinstance(source, VcpuRef):
            number = t.convert_value(a, source, target)
            none = t.make_equality(number, t.make_constant(NO_VCPU, target))
            self.exact.append(t.any_of((none, t.is_vcpu(number))))
        if isinstance(target, Int) and target != BOOL and not _fits(t.word_of(source), target):
            self.exact.append(_is_kept(a, source, target))
        return t.convert_value(a, source, target)

    def _ite(self, e: ir.Ite) -> str:
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

    def _binary(self, e: ir.Binary) -> str:
        a, b = self.value(e.left), self.value(e.right)
        type_ = e.left.type
        if e.op in ("==", "!="):
            return t.make_equality(a, b) if e.op == "==" else t.make_difference(a, b)
        if type_ == BOOL and e.op in LOGIC:
            return f"({LOGIC[e.op]} {a} {b})"
        if type_ == BOOL:
            a, b, type_ = t.convert_value(a, BOOL, INT), t.convert_value(b, BOOL, INT), INT
        word = t.word_of(type_)
        if e.op in ("/", "%"):
            self.defined.append(t.make_difference(b, t.make_constant(0, word)))
        if e.op in ("<<", ">>"):
            self.defined.append(f"(bvult {b} {t.make_constant(word.width, word)})")
        if e.op in ("+", "-", "*"):
            self._exactly(e.op, a, b, word)
        found = f"({_operator(e.op, word)} {a} {b})"
        return found if e.op in ir.COMPARISONS else t.convert_value(found, word, e.type)

    def _exactly(self, op: str, a: str, b: str, type_: Int) -> None:
        """Note that a sum does not leave its type."""
        wide = Int(2 * type_.width + 1, signed=True)
        sums = (t.convert_value(x, type_, wide) for x in (a, b))
        total = f"({PLAIN[op]} {' '.join(sums)})"
        wrapped = t.convert_value(f"({PLAIN[op]} {a} {b})", type_, wide)
        self.exact.append(t.make_equality(total, wrapped))


def _operator(op: str, word: Int) -> str:
    return PLAIN.get(op) or (SIGNED if word.signed else UNSIGNED)[op]


def _is_kept(a: str, source: Type, target: Type) -> str:
    """Return that a conversion does not change a value."""
    back = t.convert_value(t.convert_value(a, source, target), target, t.EXACT)
    return t.make_equality(t.convert_value(a, source, t.EXACT), back)


def _fits(source: Int, target: Int) -> bool:
    return target.low <= source.low and source.high <= target.high
