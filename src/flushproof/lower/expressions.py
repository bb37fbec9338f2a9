"""Lowering of expressions: code for their effects, and the value they have."""

from __future__ import annotations

from typing import assert_never

from flushproof.diagnostics import InputError, closest
from flushproof.frontend import syntax as c
from flushproof.frontend.consteval import number_type
from flushproof.frontend.errors import Mismatch, UnknownFunction
from flushproof.frontend.types import CType, Integer, Pointer, Struct, Void, promote
from flushproof.ir.code import COMPARISONS, Assign, BinaryOp, Check, Const, Expr, Scope, Uninit, Var
from flushproof.ir.types import INT, NO_VCPU, VCPU, Int, VcpuRef
from flushproof.lower import convert
from flushproof.lower.context import Alias, Bound, Context, GhostArray, Named, Shorthand, unsupported
from flushproof.lower.context import same_place as same
from flushproof.lower.emitter import Label
from flushproof.lower.places import member, read, target, view, vcpu_view, write
from flushproof.lower.values import (
    FALSE,
    TRUE,
    FieldPlace,
    FunctionRef,
    LocalPlace,
    Nothing,
    Null,
    Place,
    PointerTo,
    Scalar,
    StructPlace,
    StructValue,
    Value,
    Vcpu,
    Vm,
)
from flushproof.source import Span


def lower(ctx: Context, e: c.Expr) -> Value:
    """Emit code for an expression and return its value.

    Raises:
        InputError: a name, type or construct is not accepted.
    """
    match e:
        case c.Number(value, suffix):
            t = number_type(value, suffix)
            return Scalar(Const(t.wrap(value), t), Integer("constant", t))
        case c.String():
            return Nothing()
        case c.Name(id, span):
            return _name(ctx, id, span)
        case c.Unary():
            return _unary(ctx, e)
        case c.Postfix(op, operand, span):
            return _increment(ctx, op, operand, span, after=False)
        case c.Binary():
            return _binary(ctx, e)
        case c.Assign():
            return _assign(ctx, e)
        case c.Conditional():
            return _conditional(ctx, e)
        case c.Call():
            return _call(ctx, e)
        case c.Member() | c.Index():
            return read(ctx, place(ctx, e), e.span)
        case c.Cast():
            return _cast(ctx, e)
        case c.ContainerOf(pointer, written, _, span):
            return as_pointer(ctx, lower(ctx, pointer), Struct(written.name), span)
        case c.SizeOf(_, _, _, span):
            raise unsupported("sizeof", span)
        case c.InitList(_, span):
            raise unsupported("a braced initialiser here", span)
        case c.StatementExpr(body):
            return ctx.block(ctx, body)
        case _:
            assert_never(e)


def _name(ctx: Context, name: str, span: Span) -> Value:
    match ctx.find(name):
        case Named(where):
            return read(ctx, where, span)
        case Bound(value):
            return value
        case Alias() as alias:
            return _alias(ctx, alias, span)
        case Shorthand(expression):
            return lower(ctx, expression)
        case GhostArray():
            raise InputError(Mismatch(span=span, text=f"`{name}` needs an index"))
        case None:
            return _global(ctx, name, span)


def _global(ctx: Context, name: str, span: Span) -> Value:
    d = ctx.env.declarations
    if name in d.constants:
        return Scalar(Const(d.constants[name], INT), Integer("int", INT))
    if name in d.globals:
        return read(ctx, global_place(ctx, name, span), span)
    if name in d.functions:
        return FunctionRef(name)
    raise ctx.unknown(name, span)


def global_place(ctx: Context, name: str, span: Span) -> Place:
    """Return the place of a file-level variable."""
    t = ctx.env.declarations.globals[name].type
    if isinstance(t, Struct) and t.name not in ctx.env.lock_types:
        return StructPlace(Vm(), (name,), t)
    return FieldPlace(ctx.shared(Scope.VM, (), name, t, span), None, t)


def _alias(ctx: Context, alias: Alias, span: Span) -> Value:
    if alias.written is not None:
        ctx.emitter.emit(Uninit("pointer", Var(alias.written), span))
    if alias.place is None:
        raise unsupported("a pointer read before it is given a target", span)
    return PointerTo(alias.place, ctx.emitter.keep(Var(alias.nonnull), span))


def place(ctx: Context, e: c.Expr) -> Place:
    """Emit code for an lvalue and return its place.

    Raises:
        InputError: the expression is no lvalue of the subset.
    """
    match e:
        case c.Name(id, span):
            return _named_place(ctx, id, span)
        case c.Member(base, name, arrow, span):
            return _member(ctx, base, name, arrow, span)
        case c.Unary("*", operand, span):
            return target(ctx, lower(ctx, operand), Void(), span)
        case c.Index(c.Name(id), index, span):
            return _element(ctx, id, index, span)
        case c.Index(_, _, span):
            raise unsupported("an array", span)
        case _:
            raise InputError(Mismatch(span=e.span, text="this cannot be assigned or referred to"))


def _named_place(ctx: Context, name: str, span: Span) -> Place:
    match ctx.find(name):
        case Named(where):
            return where
        case None if name in ctx.env.declarations.globals:
            return global_place(ctx, name, span)
        case None:
            raise ctx.unknown(name, span)
        case _:
            raise InputError(Mismatch(span=span, text=f"`{name}` cannot be assigned or referred to"))


def _member(ctx: Context, base: c.Expr, name: str, arrow: bool, span: Span) -> Place:
    if arrow:
        value = lower(ctx, base)
        inner = target(ctx, value, _type_name(value), base.span)
    else:
        inner = place_or_value(ctx, base)
    if not isinstance(inner, StructPlace):
        raise InputError(Mismatch(span=base.span, text="this is not a struct"))
    return member(ctx, inner, name, span)


def place_or_value(ctx: Context, e: c.Expr) -> Place:
    """Return the struct place an expression denotes, also when it is a call's result."""
    if isinstance(e, c.Call):
        value = lower(ctx, e)
        if isinstance(value, StructValue):
            return value.place
    return place(ctx, e)


def _type_name(value: Value) -> CType:
    return value.type if isinstance(value, Scalar) else Void()


def _element(ctx: Context, name: str, index: c.Expr, span: Span) -> Place:
    binding = ctx.find(name)
    if not isinstance(binding, GhostArray):
        raise unsupported("an array", span)
    value = lower(ctx, index)
    if isinstance(value, Scalar) and isinstance(value.expr.type, VcpuRef):
        return FieldPlace(binding.field, value.expr, binding.type)
    raise InputError(Mismatch(span=span, text="the index is not a vCPU"))


def _unary(ctx: Context, e: c.Unary) -> Value:
    match e.op:
        case "!":
            return convert.boolean(convert.negate(truth(ctx, e.operand)))
        case "-" | "~" | "+":
            expr, t = convert.integer(lower(ctx, e.operand), e.span)
            t = promote(t)
            result = convert.cast(expr, t) if e.op == "+" else convert.negative(e.op, expr, t)
            return Scalar(result, Integer("integer", t))
        case "&":
            return _address(ctx, e)
        case "*":
            return read(ctx, place(ctx, e), e.span)
        case _:
            return _increment(ctx, e.op, e.operand, e.span, after=True)


def _address(ctx: Context, e: c.Unary) -> Value:
    if isinstance(e.operand, c.Name) and ctx.find(e.operand.id) is None:
        if e.operand.id in ctx.env.declarations.functions:
            return FunctionRef(e.operand.id)
    where = place(ctx, e.operand)
    if isinstance(where, StructPlace) and not isinstance(where.base, Vm):
        return struct_pointer(where)
    return PointerTo(where)


def struct_pointer(where: StructPlace) -> Value:
    """The address of a struct: a number for (a part of) a vCPU, else a known place."""
    if isinstance(where.base, Vcpu) and where.path == (where.struct.name,):
        return Scalar(where.base.index, Pointer(where.struct))
    return PointerTo(where)


def _increment(ctx: Context, op: str, operand: c.Expr, span: Span, *, after: bool) -> Value:
    where = place(ctx, operand)
    old = read(ctx, where, span)
    one = Scalar(Const(1, INT), Integer("int", INT))
    left, right, _ = convert.balance(old, one, span)
    total = convert.arithmetic("+" if op == "++" else "-", left, right)
    new = store(ctx, where, Scalar(total, Integer("integer", promote(total_type(total)))), span)
    return new if after else old


def total_type(expr: Expr) -> Int:
    """The integer type of an arithmetic result."""
    assert isinstance(expr.type, Int)
    return expr.type


def store(ctx: Context, where: Place, value: Value, span: Span) -> Value:
    """Convert a value, write it to a place, and return what was written."""
    if isinstance(where, StructPlace):
        return _copy_struct(ctx, where, value, span)
    if isinstance(value, PointerTo) and isinstance(where, FieldPlace):
        return _store_pointer(ctx, where, value, span)
    expr = convert.as_type(value, where.type, span)
    if not isinstance(expr, Const):
        expr = ctx.emitter.keep(expr, span)
    write(ctx, where, expr, span)
    return Scalar(expr, where.type)


def _store_pointer(ctx: Context, where: FieldPlace, value: PointerTo, span: Span) -> Value:
    write(ctx, where, Const(0, where.field.type), span)
    raise_unless = isinstance(value.place, StructPlace) and isinstance(value.place.base, Vm)
    if not raise_unless:
        raise unsupported("storing the address of a local variable", span)
    return value


def _copy_struct(ctx: Context, where: StructPlace, value: Value, span: Span) -> Value:
    if not isinstance(value, StructValue) or value.place.struct != where.struct:
        raise InputError(Mismatch(span=span, text=f"this is no `{where.struct}`"))
    for name in ctx.env.declarations.structs[where.struct.name].members:
        source = read(ctx, member(ctx, value.place, name, span), span)
        store(ctx, member(ctx, where, name, span), source, span)
    return value


def _assign(ctx: Context, e: c.Assign) -> Value:
    if isinstance(e.target, c.Name) and isinstance(alias := ctx.find(e.target.id), Alias):
        return assign_alias(ctx, alias, lower(ctx, e.value), e.span)
    if e.op == "=":
        value = lower(ctx, e.value)
        return store(ctx, place(ctx, e.target), value, e.span)
    where = place(ctx, e.target)
    value = lower(ctx, e.value)
    old = read(ctx, where, e.span)
    return store(ctx, where, operate(ctx, e.op[:-1], old, value, e.span), e.span)


def assign_alias(ctx: Context, alias: Alias, value: Value, span: Span) -> Value:
    """Assign a pointer variable whose target must stay the same object."""
    value = as_pointer(ctx, value, alias.type.target, span)
    match value:
        case PointerTo(where, nonnull):
            if alias.place is not None and not same(alias.place, where):
                raise unsupported("a pointer with more than one target", span)
            alias.place = where
        case Null():
            nonnull = FALSE
        case _:
            raise InputError(Mismatch(span=span, text=f"this value does not fit in `{alias.type}`"))
    ctx.emitter.emit(Assign(alias.nonnull, nonnull, span))
    if alias.written is not None:
        ctx.emitter.emit(Assign(alias.written, TRUE, span))
    return value


def as_pointer(ctx: Context, value: Value, t: CType, span: Span) -> Value:
    """Look at a pointer value as a pointer to `t`.

    Raises:
        InputError: it points to something else.
    """
    match value, t:
        case PointerTo(), Struct():
            return view(ctx, value, t, span)
        case Scalar(expr, _), Struct() if expr.type == VCPU:
            vcpu_view(ctx, expr, t, span)
            return Scalar(expr, Pointer(t))
        case Scalar(Const(0)), _:
            return Null()
        case _:
            return value


def operate(ctx: Context, op: str, left: Value, right: Value, span: Span) -> Value:
    """Apply a binary operator other than && || and the comma to two values."""
    if op in ("==", "!=") and (pointers := _pointer_equality(op, left, right)):
        return pointers
    if op in ("<<", ">>"):
        a, t = convert.integer(left, span)
        t = promote(t)
        b = convert.cast(convert.integer(right, span)[0], t)
        _check_shift(ctx, b, t, span)
        return Scalar(convert.arithmetic(_op(op), convert.cast(a, t), b), Integer("integer", t))
    a, b, common = convert.balance(left, right, span)
    if op in ("/", "%"):
        _check(ctx, convert.nonzero(b), "division by zero", span)
    result = convert.arithmetic(_op(op), a, b)
    return convert.boolean(result) if op in COMPARISONS else Scalar(result, common)


def _check_shift(ctx: Context, count: Expr, t: Int, span: Span) -> None:
    low = convert.arithmetic(">=", count, Const(0, t))
    high = convert.arithmetic("<", count, Const(t.width, t))
    _check(ctx, convert.both(low, high), "a shift by more than the width of the type", span)


def _check(ctx: Context, condition: Expr, text: str, span: Span) -> None:
    if not (isinstance(condition, Const) and condition.value):
        ctx.emitter.emit(Check(condition, text, span))


def _op(op: str) -> BinaryOp:
    return op  # type: ignore[return-value]


def _pointer_equality(op: str, left: Value, right: Value) -> Value | None:
    equal: Expr
    match left, right:
        case (Scalar(a), Scalar(b)) if VCPU in (a.type, b.type):
            pair = [x if x.type == VCPU else Const(NO_VCPU, VCPU) for x in (a, b)]
            equal = convert.arithmetic("==", pair[0], pair[1])
        case (Scalar(a), Null()) | (Null(), Scalar(a)) if a.type == VCPU:
            equal = convert.arithmetic("==", a, Const(NO_VCPU, VCPU))
        case (PointerTo(_, nonnull), Null() | Scalar(Const(0))) | (
            Null() | Scalar(Const(0)),
            PointerTo(_, nonnull),
        ):
            equal = convert.negate(nonnull)
        case (PointerTo(a_place, x), PointerTo(b_place, y)) if same(a_place, b_place):
            equal = convert.arithmetic("==", x, y)
        case (FunctionRef(f), FunctionRef(g)):
            equal = TRUE if f == g else FALSE
        case _:
            return None
    return convert.boolean(equal if op == "==" else convert.negate(equal))


def _binary(ctx: Context, e: c.Binary) -> Value:
    if e.op == ",":
        lower(ctx, e.left)
        return lower(ctx, e.right)
    if e.op in ("&&", "||"):
        return convert.boolean(truth(ctx, e))
    left = lower(ctx, e.left)
    return operate(ctx, e.op, left, lower(ctx, e.right), e.span)


def truth(ctx: Context, e: c.Expr) -> Expr:
    """Emit code for an expression used as a truth value, and return the condition."""
    if not (isinstance(e, c.Binary) and e.op in ("&&", "||")):
        return convert.condition_of(lower(ctx, e), e.span)
    result = ctx.emitter.temp(TRUE.type)
    yes, no, end = ctx.emitter.label(), ctx.emitter.label(), ctx.emitter.label()
    condition(ctx, e, yes, no)
    for label, value in ((yes, TRUE), (no, FALSE)):
        ctx.emitter.place(label)
        ctx.emitter.assign(result, value, e.span)
        ctx.emitter.jump(end, e.span)
    ctx.emitter.place(end)
    return Var(result)


def condition(ctx: Context, e: c.Expr, yes: Label, no: Label) -> None:
    """Emit code that jumps to `yes` or `no`, short-circuiting."""
    match e:
        case c.Unary("!", operand):
            condition(ctx, operand, no, yes)
        case c.Binary("&&" | "||" as op, left, right):
            middle = ctx.emitter.label()
            condition(ctx, left, *((middle, no) if op == "&&" else (yes, middle)))
            ctx.emitter.place(middle)
            condition(ctx, right, yes, no)
        case _:
            value = convert.condition_of(lower(ctx, e), e.span)
            ctx.emitter.branch(value, yes, no, e.span)


def _conditional(ctx: Context, e: c.Conditional) -> Value:
    yes, no, end = ctx.emitter.label(), ctx.emitter.label(), ctx.emitter.label()
    first: Value | None = None
    if e.then is None:
        first = lower(ctx, e.condition)
        ctx.emitter.branch(convert.condition_of(first, e.span), yes, no, e.span)
    else:
        condition(ctx, e.condition, yes, no)
    merge = _Merge(ctx, end, e.span)
    ctx.emitter.place(yes)
    merge.arm(first if e.then is None or first else lower(ctx, e.then))
    ctx.emitter.place(no)
    merge.arm(lower(ctx, e.otherwise))
    ctx.emitter.place(end)
    return merge.value()


class _Merge:
    """Joins the values of the two arms of a conditional expression."""

    def __init__(self, ctx: Context, end: Label, span: Span) -> None:
        self.ctx, self.end, self.span = ctx, end, span
        self.arms: list[tuple[int, Value]] = []

    def arm(self, value: Value | None) -> None:
        """End one arm; room is left for the assignment of its value."""
        assert value is not None
        self.arms.append((len(self.ctx.emitter.code), value))
        self.ctx.emitter.emit(Assign(self.ctx.emitter.temp(TRUE.type), FALSE, self.span))
        self.ctx.emitter.jump(self.end, self.span)

    def value(self) -> Value:
        """Fill in the assignments and return the joined value."""
        (_, left), (_, right) = self.arms
        if isinstance(left, Nothing) or isinstance(right, Nothing):
            return Nothing()
        if isinstance(left, PointerTo) or isinstance(right, PointerTo):
            return self._pointers(left, right)
        a, b, t = self._scalars(left, right)
        return Scalar(self._join(a, b), t)

    def _scalars(self, left: Value, right: Value) -> tuple[Expr, Expr, CType]:
        for one in (left, right):
            if isinstance(one, Scalar) and isinstance(one.expr.type, VcpuRef):
                a, b = (convert.as_type(v, one.type, self.span) for v in (left, right))
                return a, b, one.type
        return convert.balance(left, right, self.span)

    def _pointers(self, left: Value, right: Value) -> Value:
        places = [v.place for v in (left, right) if isinstance(v, PointerTo)]
        if len(places) == 2 and not same(places[0], places[1]):
            raise unsupported("a pointer with more than one target", self.span)
        a, b = (convert.condition_of(v, self.span) for v in (left, right))
        return PointerTo(places[0], self._join(a, b))

    def _join(self, a: Expr, b: Expr) -> Expr:
        result = self.ctx.emitter.temp(a.type)
        for (at, _), expr in zip(self.arms, (a, b), strict=True):
            self.ctx.emitter.code[at] = Assign(result, expr, self.span)
        return Var(result)


def _cast(ctx: Context, e: c.Cast) -> Value:
    t = ctx.env.declarations.resolve(e.type, e.declarator)
    value = lower(ctx, e.operand)
    match t:
        case Void():
            return Nothing()
        case Integer(_, ir):
            if isinstance(value, PointerTo):
                raise unsupported("a pointer converted to an integer", e.span)
            return Scalar(convert.as_type(value, t, e.span), t)
        case Pointer(inner):
            return as_pointer(ctx, value, inner, e.span)
        case _:
            raise unsupported(f"a conversion to `{t}`", e.span)


def _call(ctx: Context, e: c.Call) -> Value:
    if not isinstance(e.function, c.Name):
        raise unsupported("a call through a pointer", e.span)
    name = e.function.id
    if ctx.find(name) is not None and name not in ctx.env.declarations.functions:
        raise unsupported("a call through a pointer", e.span)
    function = ctx.env.declarations.functions.get(name)
    if special := ctx.env.specials.get(name):
        return special(ctx, e)
    if function is None:
        hint = closest(name, ctx.env.declarations.functions)
        raise InputError(UnknownFunction(span=e.function.span, name=name, hint=hint))
    if any(a.name == "__ignored" for a in function.annotations):
        return Nothing()
    arguments = tuple(lower(ctx, a) for a in e.arguments)
    return ctx.inline(ctx, function, arguments, e.span)
