"""Expressions over locals as bit-vectors, whatever represents them elsewhere.

Here every integer has the width of its type, and what is not a local's own doing is any value: what
is read of shared state, what locks say, and free choices.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping

import z3

from flushproof.ir.analysis.def_use import defined_local
from flushproof.ir.code import (
    Assign,
    Binary,
    Branch,
    Cast,
    Const,
    Expr,
    Instr,
    Ite,
    Local,
    NumVcpus,
    Unary,
    Var,
)
from flushproof.ir.types import Int, Type, VcpuRef

VCPU_WIDTH = 64
"""vCPUs are numbers, -1 for none."""

Operator = Callable[[z3.BitVecRef, z3.BitVecRef], z3.ExprRef]
EITHER: Mapping[str, Operator] = {
    "+": lambda a, b: a + b,
    "-": lambda a, b: a - b,
    "*": lambda a, b: a * b,
    "&": lambda a, b: a & b,
    "|": lambda a, b: a | b,
    "^": lambda a, b: a ^ b,
    "<<": lambda a, b: a << b,
    "==": lambda a, b: a == b,
    "!=": lambda a, b: a != b,
}
SIGNED: Mapping[str, Operator] = {
    "/": lambda a, b: a / b,
    "%": z3.SRem,
    ">>": lambda a, b: a >> b,
    "<": lambda a, b: a < b,
    "<=": lambda a, b: a <= b,
    ">": lambda a, b: a > b,
    ">=": lambda a, b: a >= b,
}
UNSIGNED: Mapping[str, Operator] = {
    "/": z3.UDiv,
    "%": z3.URem,
    ">>": z3.LShR,
    "<": z3.ULT,
    "<=": z3.ULE,
    ">": z3.UGT,
    ">=": z3.UGE,
}


def bit_width(t: Type) -> int:
    """Return how many bits a value of a type has here, 0 where it has none."""
    match t:
        case Int(bits):
            return bits
        case VcpuRef():
            return VCPU_WIDTH
        case _:
            return 0


class Words:
    """Evaluates expressions, and makes up the values that are not known."""

    def __init__(self) -> None:
        self._made = 0

    def fresh(self, bits: int) -> z3.BitVecRef:
        """Return any value."""
        self._made += 1
        return z3.BitVec(f"any!{self._made}", max(1, bits))

    def value(self, e: Expr, env: WordEnvironment) -> z3.BitVecRef:
        """Return the value of an expression."""
        match e:
            case Const(number, t):
                return z3.BitVecVal(number, max(1, bit_width(t)))
            case Var(local):
                return env.of(local)
            case NumVcpus(t):
                return env.vcpus(bit_width(t))
            case Unary(op, a):
                return self._unary(op, self.value(a, env))
            case Binary():
                return self._binary(e, env)
            case Cast(a, t):
                return _converted(self.value(a, env), a.type, bit_width(t))
            case Ite(condition, a, b):
                return z3.If(self.truth(condition, env), self.value(a, env), self.value(b, env))
            case _:
                return self.fresh(bit_width(e.type))

    def truth(self, e: Expr, env: WordEnvironment) -> z3.BoolRef:
        """Return the condition that an expression is not zero."""
        return self.value(e, env) != 0

    def _unary(self, op: str, a: z3.BitVecRef) -> z3.BitVecRef:
        match op:
            case "-":
                return -a
            case "~":
                return ~a
            case _:
                return _bit(a == 0)

    def _binary(self, e: Binary, env: WordEnvironment) -> z3.BitVecRef:
        a, b = self.value(e.left, env), self.value(e.right, env)
        t = e.left.type
        own = UNSIGNED if isinstance(t, Int) and not t.signed else SIGNED
        result = (EITHER[e.op] if e.op in EITHER else own[e.op])(a, b)
        return _bit(result) if isinstance(result, z3.BoolRef) else result

    # Instructions ----------------------------------------------------------------------------

    def executed(self, instr: Instr, env: WordEnvironment) -> WordEnvironment:
        """Return the locals after an instruction."""
        target = defined_local(instr)
        if target is None:
            return env
        if isinstance(instr, Assign):
            return env.setting(target, self.value(instr.value, env))
        return env.forgetting((target,))

    def taken(self, instr: Instr, to: int, env: WordEnvironment) -> z3.BoolRef:
        """Return the condition under which control goes from an instruction to a position."""
        match instr:
            case Branch(condition, then, otherwise) if then != otherwise:
                holds = self.truth(condition, env)
                return holds if to == then else z3.Not(holds)
            case _:
                return z3.BoolVal(val=True)

    def merge(
        self, arrivals: Iterable[tuple[z3.BoolRef, WordEnvironment]]
    ) -> tuple[z3.BoolRef, WordEnvironment]:
        """Return the paths that meet as one; their conditions exclude each other."""
        first, *rest = arrivals
        guard, env = first
        for other, values in rest:
            changed = {
                x: z3.If(other, values.of(x), env.of(x))
                for x in {**env.known, **values.known}
                if values.of(x) is not env.of(x)
            }
            env = WordEnvironment({**env.known, **changed}, self)
            guard = z3.Or(guard, other)
        return guard, env


class WordEnvironment:
    """The values of locals; those that are not `known` are as at the start."""

    def __init__(self, known: Mapping[Local, z3.BitVecRef], words: Words) -> None:
        self.known = known
        self._words = words

    def of(self, x: Local) -> z3.BitVecRef:
        """Return the value of a local."""
        found = self.known.get(x)
        return z3.BitVec(f"{x.name}@", max(1, bit_width(x.type))) if found is None else found

    def vcpus(self, bits: int) -> z3.BitVecRef:
        """Return the number of vCPUs, which is always the same."""
        return z3.BitVec(f"vcpus@{bits}", bits)

    def setting(self, x: Local, value: z3.BitVecRef) -> WordEnvironment:
        """Return the locals with one set."""
        return WordEnvironment({**self.known, x: value}, self._words)

    def forgetting(self, given: Iterable[Local]) -> WordEnvironment:
        """Return the locals with some that may have any value."""
        new = {x: self._words.fresh(bit_width(x.type)) for x in given}
        return WordEnvironment({**self.known, **new}, self._words)


def _bit(condition: z3.BoolRef) -> z3.BitVecRef:
    return z3.If(condition, z3.BitVecVal(1, 1), z3.BitVecVal(0, 1))


def _converted(a: z3.BitVecRef, of: Type, bits: int) -> z3.BitVecRef:
    """Return a value in so many bits."""
    bits = max(1, bits)
    if bits <= a.size():
        return z3.Extract(bits - 1, 0, a)
    signed = not isinstance(of, Int) or of.signed
    extend = z3.SignExt if signed else z3.ZeroExt
    return extend(bits - a.size(), a)
