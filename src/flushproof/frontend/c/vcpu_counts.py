"""The number of vCPUs where code reads it from the VM: `atomic_read(&kvm->online_vcpus)`.

In: functions as parsed. Out: the same, in which the machine's own number of vCPUs is read. No vCPU
comes or goes while the operations run, so `kvm->created_vcpus` is that number, too.
"""

from __future__ import annotations

from collections.abc import Iterator

from flushproof.frontend.c import syntax as c
from flushproof.frontend.c.constants import OutsideSubset
from flushproof.frontend.c.rewrite import as_block, rewrite_expression, rewrite_statement
from flushproof.frontend.c.walk import walk
from flushproof.support.diagnostics import InputError
from flushproof.support.record import replace

MEMBER = "online_vcpus"
CREATED = "created_vcpus"
VM = "kvm"
READS = frozenset({"atomic_read", "__read_marked"})


def counted_unit(unit: c.TranslationUnit) -> c.TranslationUnit:
    """Return a file in which every such read is replaced.

    A struct of the file that is not the VM may have a member of that name, which is its own.

    Raises:
        InputError: the number is used otherwise, or it cannot be told whose member is meant.
    """
    owners = {s.name for s in unit.items if isinstance(s, c.StructDef) and _declares(s)}
    if owners - {VM}:
        if VM in owners:
            span = next(s.span for s in unit.items if isinstance(s, c.StructDef) and s.name == VM)
            construct = f"a member `{MEMBER}` of the VM and of another struct"
            raise InputError(OutsideSubset(span=span, construct=construct))
        return unit
    return c.TranslationUnit(tuple(_item(item) for item in unit.items))


def _item(item: c.TopLevel) -> c.TopLevel:
    if not isinstance(item, c.Function):
        return item
    new = replace_vcpu_counts(item)
    for node in walk(new.body) if new.body is not None else ():
        if isinstance(node, c.Member) and node.name == MEMBER:
            construct = f"`{MEMBER}`, but for reading it by `atomic_read()`"
            raise InputError(OutsideSubset(span=node.span, construct=construct))
    return new


def _declares(s: c.StructDef) -> bool:
    return any(d.name in {MEMBER, CREATED} for d in _declarators(s))


def _declarators(s: c.StructDef) -> Iterator[c.Declarator]:
    for f in s.fields:
        yield from f.declarators
        if f.nested is not None:
            yield from _declarators(f.nested)


def replace_vcpu_counts(f: c.Function) -> c.Function:
    """Return the function with such reads replaced."""
    if f.body is None or not any(
        isinstance(n, c.Member) and n.name in {MEMBER, CREATED} for n in walk(f.body)
    ):
        return f
    return replace(f, body=as_block(_statement(f.body)))


def _statement(s: c.Stmt) -> c.Stmt:
    return rewrite_statement(s, _expression, _statement)


def _expression(e: c.Expr) -> c.Expr:
    match e:
        case c.CallExpr(c.Name(name), (c.UnaryExpr("&", operand),)) if name in READS:
            kvm = _kvm(operand)
            if kvm is not None:
                return c.CallExpr(c.Name("__online_vcpus", e.span), (kvm,), e.span)
        case c.Member(base, name, arrow) if name == CREATED:
            kvm = _expression(base) if arrow else c.UnaryExpr("&", _expression(base), e.span)
            return c.CallExpr(c.Name("__online_vcpus", e.span), (kvm,), e.span)
        case _:
            pass
    return rewrite_expression(e, _expression, _statement)


def _kvm(e: c.Expr) -> c.Expr | None:
    """Return the VM whose number of vCPUs an expression names."""
    if isinstance(e, c.Member) and e.name == "counter" and not e.arrow:
        e = e.base
    if isinstance(e, c.Member) and e.name == MEMBER:
        return _expression(e.base) if e.arrow else c.UnaryExpr("&", _expression(e.base), e.span)
    return None
