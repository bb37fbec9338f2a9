"""One operation of a spec lowered to IR: parameters by their roles, then the function's body."""

from __future__ import annotations

from typing import ClassVar

from flushproof.frontend.c import syntax as c
from flushproof.frontend.c.type_errors import UnknownFunction, WrongArity
from flushproof.frontend.c.types import CType, Integer, Pointer, Struct
from flushproof.frontend.spec.operation_names import NAMED_ROLES, SEVERAL, SINGLE
from flushproof.frontend.spec.spec_errors import check_known, check_once
from flushproof.frontend.spec.syntax import OperationDecl, QuotedText
from flushproof.ir.analysis.control_flow import insert_code
from flushproof.ir.code import (
    Assign,
    Enter,
    Field,
    FieldScope,
    Havoc,
    Instr,
    Local,
    LocalOrigin,
    Return,
    Unary,
    Var,
)
from flushproof.ir.passes.cleanup import clean_code, live_locals
from flushproof.ir.passes.spin_wait import recognise_waits
from flushproof.ir.program import Operation, Parameters, Role
from flushproof.ir.types import BOOL, U64, VCPU
from flushproof.lower.calls import inline_call
from flushproof.lower.context import Context, ProgramContext
from flushproof.lower.places import check_struct, member_place
from flushproof.lower.values import (
    FALSE,
    Frame,
    LocalPlace,
    Nothing,
    PointerTo,
    Scalar,
    StructPlace,
    Value,
    Vm,
)
from flushproof.machine.environment import make_context
from flushproof.support.diagnostics import Diagnostic, InputError, suggest_closest
from flushproof.support.record import Record
from flushproof.support.source import Span

THREADS = {"load": Role.LOAD, "cpu": Role.LOAD, "flush": Role.FLUSH, "thread": Role.FLUSH}
"""On which threads operations of each declared role run."""


class BadRole(Diagnostic, frozen=True, kw_only=True):
    """A parameter role that does not fit the parameter or the operation."""

    CODE: ClassVar[str] = "FP0512"
    TITLE: ClassVar[str] = "{text}"
    HELP: ClassVar[str] = "{advice}"
    text: str
    advice: str = ""


class _Roles(Record):
    """The parameters bound so far."""

    ctx: Context
    given: tuple[Local, ...] = ()
    vcpu: Local | None = None
    root: Local | None = None
    whole: Local | None = None
    start: Local | None = None
    pages: Local | None = None
    others: tuple[Local, ...] = ()
    free: tuple[Local, ...] = ()

    def frozen(self) -> Parameters:
        return Parameters(
            vcpu=self.vcpu,
            root=self.root,
            whole=self.whole,
            start=self.start,
            pages=self.pages,
            others=self.others,
            free=self.free,
        )


def lower_operation(
    env: ProgramContext, decl: OperationDecl, fields: dict[str, Field]
) -> Operation:
    """Lower one operation; the shared fields it uses are added to `fields`.

    Raises:
        InputError: the function is missing, a role does not fit, or the code is not accepted.
    """
    function = env.declarations.functions.get(decl.function)
    if function is None or function.body is None:
        hint = suggest_closest(decl.function, env.declarations.functions)
        raise InputError(UnknownFunction(span=decl.span, name=decl.function, hint=hint))
    ctx = make_context(env, function.name, function.span, fields)
    ctx.emitter.emit(Enter(function.span))
    roles, arguments = _arguments(ctx, decl, function)
    _require(decl, roles)
    result = inline_call(ctx, function, arguments, function.span)
    value = result.expr if isinstance(result, Scalar) else None
    ctx.emitter.emit(Return(value, _end(function)))
    parameters = roles.frozen()
    code = _defined(recognise_waits(clean_code(ctx.emitter.finish())), parameters)
    return Operation(
        name=function.name,
        role=THREADS[decl.role],
        parameters=parameters,
        code=code,
        span=function.span,
        named=decl.role in NAMED_ROLES,
        given=roles.given,
    )


def _defined(code: tuple[Instr, ...], parameters: Parameters) -> tuple[Instr, ...]:
    """Give a value to what a jump over its declaration leaves without one."""
    missing = live_locals(code)[0] - set(parameters.all)
    start = tuple(
        Assign(x, FALSE, None) if x.origin is LocalOrigin.WRITTEN_FLAG else Havoc(x, None)
        for x in sorted(missing, key=lambda x: x.name)
    )
    return insert_code(code, 1, start) if start else code


def _end(function: c.Function) -> Span:
    body = function.body
    if body is None:
        return function.span
    s = body.span
    return Span(s.file, s.end_line, max(1, s.end_column - 1), s.end_line, s.end_column)


def _require(decl: OperationDecl, roles: _Roles) -> None:
    if decl.role == "load" and (roles.vcpu is None or roles.root is None):
        text = "a load needs a parameter with role `vcpu` and one with role `root`"
        raise InputError(BadRole(span=decl.span, text=text))
    if decl.role == "cpu" and roles.vcpu is None:
        text = f"`{decl.function}` runs on a CPU, so it needs a parameter with role `vcpu`"
        advice = "an operation that is not for one vCPU is a `thread`"
        raise InputError(BadRole(span=decl.span, text=text, advice=advice))


def _arguments(
    ctx: Context, decl: OperationDecl, function: c.Function
) -> tuple[_Roles, tuple[Value, ...]]:
    parameters = [p for p in function.parameters if p.declarator.name]
    if len(parameters) != len(decl.roles):
        raise InputError(
            WrongArity(
                span=decl.span,
                name=function.name,
                wanted=len(parameters),
                given=len(decl.roles),
            )
        )
    roles = _Roles(ctx)
    pairs = list(zip(parameters, decl.roles, strict=True))
    for p, role in pairs:
        _check_role(decl, p.declarator.name, role)
    check_once("role", [(r.value, r.span) for r in decl.roles if r.value in SINGLE])
    return roles, tuple(_argument(roles, p, role) for p, role in pairs)


def _check_role(decl: OperationDecl, own: str, role: QuotedText) -> None:
    """Refuse a word that is no role, or a vCPU of its own for what runs on no vCPU."""
    known = (*SINGLE, *SEVERAL, own)
    check_known("role of a parameter", role.value, tuple(dict.fromkeys(known)), role.span)
    if decl.role == "thread" and role.value == "vcpu":
        text = f"`{decl.function}` runs on no vCPU, so none is its own"
        advice = "write `any vcpu` for one that exists"
        raise InputError(BadRole(span=role.span, text=text, advice=advice))


def _argument(roles: _Roles, p: c.Parameter, role: QuotedText) -> Value:
    ctx = roles.ctx
    t = ctx.env.declarations.parameter(p)
    name = p.declarator.name
    scope = None
    if isinstance(t, Pointer) and isinstance(t.target, Struct):
        scope = ctx.env.objects.scope_of(t.target.name)
    match role.value, t:
        case "kvm", Pointer(Struct(struct)) if scope is FieldScope.VM:
            return PointerTo(StructPlace(Vm(), (struct,), Struct(struct)))
        case "vcpu", Pointer(Struct()) if scope is FieldScope.VCPU:
            roles.vcpu = ctx.emitter.local(name, VCPU)
            roles.given += (roles.vcpu,)
            return Scalar(Var(roles.vcpu), t)
        case "any vcpu", Pointer(Struct()) if scope is FieldScope.VCPU:
            other = ctx.emitter.local(name, VCPU)
            roles.others += (other,)
            roles.given += (other,)
            return Scalar(Var(other), t)
        case "root", Integer():
            roles.root = ctx.emitter.local(name, U64)
            roles.given += (roles.root,)
            return Scalar(Var(roles.root), Integer("u64", U64))
        case "range", Pointer(Struct()):
            return _range(roles, name, t.target, role.span)
        case "start" | "pages", Integer():
            return _bound(roles, role.value, name)
        case word, _ if word == "free" or (word == name and word not in (*SINGLE, *SEVERAL)):
            return _free(roles, name, t)
        case _:
            if isinstance(t, Pointer) and isinstance(t.target, Struct):
                check_struct(ctx, t.target, p.span)
            text = f"a parameter of type `{t}` cannot have the role `{role.value}`"
            raise InputError(BadRole(span=role.span, text=text))


def _bound(roles: _Roles, role: str, name: str) -> Value:
    local = roles.ctx.emitter.local(name, U64)
    roles.given += (local,)
    if role == "start":
        roles.start = local
    else:
        roles.pages = local
    return Scalar(Var(local), Integer("u64", U64))


def _range(roles: _Roles, name: str, t: CType, span: Span) -> Value:
    """Bind a pointer to a range: NULL for everything; its first two members are start and pages."""
    ctx = roles.ctx
    assert isinstance(t, Struct)
    info = ctx.env.declarations.structs.get(t.name)
    names = [] if info is None else list(info.members)[:2]
    where = StructPlace(Frame(name, t), (), t)
    leaves = [member_place(ctx, where, n, span) for n in names]
    locals_ = [leaf.local for leaf in leaves if isinstance(leaf, LocalPlace)]
    if len(locals_) != 2:
        text = f"`struct {t.name}` does not begin with a start and a number of pages"
        raise InputError(BadRole(span=span, text=text))
    roles.start, roles.pages = locals_
    roles.whole = ctx.emitter.local(f"{name}.whole", BOOL)
    roles.given += (roles.whole, roles.start, roles.pages)
    return PointerTo(where, Unary("!", Var(roles.whole), BOOL))


def _free(roles: _Roles, name: str, t: CType) -> Value:
    if not isinstance(t, Integer):
        return Nothing()
    local = roles.ctx.emitter.local(name, t.ir)
    roles.free = (*roles.free, local)
    roles.given += (local,)
    return Scalar(Var(local), t)
