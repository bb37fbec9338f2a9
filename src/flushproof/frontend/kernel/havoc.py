"""A call of which nothing is known, as stores of any value to all of the state.

In: functions in which such a call stands as `__any_state()`. Out: the same with the stores.

Lemma L28 of docs/soundness.md.
"""

from __future__ import annotations

from collections.abc import Iterable

from flushproof.frontend.c import syntax as c
from flushproof.frontend.c.rewrite import as_block, rewrite_expression, rewrite_statement
from flushproof.frontend.c.type_errors import UnknownFunction
from flushproof.frontend.c.types import CType, Integer, Struct
from flushproof.frontend.kernel.name_resolution import Body
from flushproof.frontend.kernel.notes import STATE, unconstrained_value
from flushproof.support.diagnostics import InputError
from flushproof.support.record import Record, replace
from flushproof.support.source import Span

GIVEN = ("__first_vcpu", "__the_vm")
"""The functions of `kernel.h` that such stores need."""
_COUNTERS = frozenset({"atomic_t", "atomic64_t"})


class Written(Record, frozen=True):
    """What is given any value: members as (struct, member) with their types, and variables."""

    members: dict[tuple[str, str], CType]
    variables: frozenset[str]
    locks: frozenset[str]


def expand_havoc(bodies: Iterable[Body], written: Written) -> dict[str, Body]:
    """Return the functions, by name, with such calls replaced.

    Raises:
        InputError: some of the state cannot be given a value.
    """

    def expression(e: c.Expr) -> c.Expr:
        match e:
            case c.CallExpr(c.Name(name)) if name == STATE:
                return _stores(written, e.span)
            case _:
                return rewrite_expression(e, expression, statement)

    def statement(s: c.Stmt) -> c.Stmt:
        return rewrite_statement(s, expression, statement)

    def function(f: c.Function) -> c.Function:
        return f if f.body is None else replace(f, body=as_block(statement(f.body)))

    return {b.function.name: replace(b, function=function(b.function)) for b in bodies}


def _stores(written: Written, span: Span) -> c.Expr:
    vcpu, index = (c.Name(n, span) for n in ("__each_vcpu", "__each_index"))
    vm = c.CallExpr(c.Name(GIVEN[-1], span), (), span)
    of_vm: list[c.Stmt] = []
    of_vcpu: list[c.Stmt] = []
    for (struct, member), t in sorted(written.members.items(), key=lambda x: x[0]):
        if isinstance(t, Struct) and t.name in written.locks:
            continue
        base = _base(struct, vm, vcpu, span)
        if base is None:
            raise InputError(UnknownFunction(span=span, name="?"))
        place = _leaf(c.Member(base[0], member, base[1], span), t, span)
        (of_vcpu if "vcpu" in struct else of_vm).append(_store(place, span))
    of_vm += [_store(c.Name(v, span), span) for v in sorted(written.variables)]
    statements: list[c.Stmt] = list(of_vm)
    if of_vcpu:
        statements += [
            _declared("struct", "kvm_vcpu", 1, vcpu),
            _declared("name", "int", 0, index),
            c.ForEachVcpu(index, vcpu, vm, c.Block(tuple(of_vcpu), span), span),
        ]
    statements.append(c.ExprStatement(unconstrained_value(span), span))
    return c.StatementExpr(c.Block(tuple(statements), span), span)


def _leaf(place: c.Member, t: CType, span: Span) -> c.Expr:
    match t:
        case Integer():
            return place
        case Struct(name) if name in _COUNTERS:
            return c.Member(place, "counter", False, span)  # noqa: FBT003 - no arrow
        case _:
            raise InputError(UnknownFunction(span=span, name=place.name))


def _store(place: c.Expr, span: Span) -> c.Stmt:
    return c.ExprStatement(c.AssignExpr("=", place, unconstrained_value(span), span), span)


def _declared(kind: str, name: str, pointers: int, variable: c.Name) -> c.Declaration:
    span = variable.span
    t = c.WrittenType(kind, name, span)
    d = c.Declarator(variable.id, pointers, (), function_pointer=False, bits=None, span=span)
    return c.Declaration(t, (), (c.InitDeclarator(d, None, span),), span)


def _base(struct: str, vm: c.Expr, vcpu: c.Expr, span: Span) -> tuple[c.Expr, bool] | None:
    """Return what stands before a member of a struct, and whether an arrow follows."""
    owner = vcpu if "vcpu" in struct else vm
    match struct:
        case "kvm" | "kvm_vcpu":
            return owner, True
        case "kvm_arch" | "kvm_vcpu_arch":
            return c.Member(owner, "arch", True, span), False  # noqa: FBT003 - an arrow
        case "kvm_vmx" | "kvm_svm" | "vcpu_vmx" | "vcpu_svm":
            word = f"to_{struct.removeprefix('vcpu_')}"
            return c.CallExpr(c.Name(word, span), (owner,), span), True
        case _:
            return None
