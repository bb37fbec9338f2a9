"""The meaning of expressions of the IR as terms, with what has to hold for it.

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
from flushproof.verify.proof_checker.machine_integers import (
    apply_arithmetic,
    apply_bitwise,
    apply_shift,
    convert_value,
    exact_result,
)

ARITHMETIC, SHIFTS = frozenset("+-*/%"), frozenset({"<<", ">>"})
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
                return convert_value(t.COUNT, t.THREAD, e.type)
            case ir.Self():
                return convert_value(f"(+ {self.thread} 1)", t.THREAD, e.type)
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
        word = t.word_of(e.type)
        if e.op == "~":
            return f"(- {t.make_integer(-1 if word.signed else word.high)} {a})"
        self._exactly("-", "0", a, word)
        return apply_arithmetic("-", "0", a, word)

    def _cast(self, a: str, operand: Expr, target: Type) -> str:
        source = operand.type
        if isinstance(target, VcpuRef) and source not in (INT, BOOL, target):
            # The number of a vCPU is an `int` here; a wider number that is none has no counterpart.
            self.defined.append(_is_kept(a, source, INT))
        if isinstance(target, VcpuRef) and not isinstance(source, VcpuRef):
            number = convert_value(a, source, target)
            none = t.make_equality(number, t.make_constant(NO_VCPU, target))
            self.exact.append(t.any_of((none, t.is_vcpu(number))))
        if isinstance(target, Int) and target != BOOL and not target.includes(t.word_of(source)):
            self.exact.append(_is_kept(a, source, target))
        return convert_value(a, source, target)

    def _ite(self, e: ir.Ite) -> str:
        require_type(e.otherwise.type, e.then.type)
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
            require_type(e.right.type, type_)
            return t.make_equality(a, b) if e.op == "==" else t.make_difference(a, b)
        if type_ == BOOL and e.op in LOGIC:
            require_type(e.right.type, BOOL)
            return f"({LOGIC[e.op]} {a} {b})"
        if type_ == BOOL:
            a, b, type_ = convert_value(a, BOOL, INT), convert_value(b, BOOL, INT), INT
        word = t.word_of(type_)
        if e.op in SHIFTS:
            self.defined.append(t.in_range("0", b, t.make_integer(word.width - 1)))
            return convert_value(apply_shift(e.op, a, b, word), word, e.type)
        require_type(e.right.type, type_)
        if e.op in ir.COMPARISONS:
            return f"({e.op} {a} {b})"
        if e.op not in ARITHMETIC:
            return convert_value(apply_bitwise(e.op, a, b, word), word, e.type)
        if e.op in ("/", "%"):
            self.defined.append(t.make_difference(b, "0"))
        else:
            self._exactly(e.op, a, b, word)
        return convert_value(apply_arithmetic(e.op, a, b, word), word, e.type)

    def _exactly(self, op: str, a: str, b: str, type_: Int) -> None:
        """Note that a sum does not leave its type."""
        self.exact.append(t.is_of_type(exact_result(op, a, b), type_))


def _is_kept(a: str, source: Type, target: Type) -> str:
    """Return that a conversion does not change a value."""
    return t.TRUE if source == BOOL else t.is_of_type(a, target)


def require_type(found: Type, wanted: Type) -> None:
    """See to it that a value is one of a type: a term alone does not tell.

    Raises:
        NotUnderstood: it is of another.
    """
    if t.sort_of(found) != t.sort_of(wanted) or t.word_of(found) != t.word_of(wanted):
        raise t.NotUnderstood(f"a value of {found} where one of {wanted} is wanted")
