"""The number of vCPUs where a function reads it from the VM: `atomic_read(&kvm->online_vcpus)`.

In: a function as parsed. Out: the same, in which the machine's own number of vCPUs is read. No vCPU
comes or goes while the operations run.
"""

from __future__ import annotations

from flushproof.frontend import syntax as c
from flushproof.frontend.rewrite import as_block, below, within
from flushproof.frontend.walk import walk
from flushproof.record import replace

MEMBER = "online_vcpus"
READS = frozenset({"atomic_read", "__read_marked"})


def counted(f: c.Function) -> c.Function:
    """Return the function with such reads replaced."""
    if f.body is None or not any(
        isinstance(n, c.Member) and n.name == MEMBER for n in walk(f.body)
    ):
        return f
    return replace(f, body=as_block(_statement(f.body)))


def _statement(s: c.Stmt) -> c.Stmt:
    return within(s, _expression, _statement)


def _expression(e: c.Expr) -> c.Expr:
    match e:
        case c.Call(c.Name(name), (c.Unary("&", operand),)) if name in READS:
            kvm = _kvm(operand)
            if kvm is not None:
                return c.Call(c.Name("__online_vcpus", e.span), (kvm,), e.span)
        case _:
            pass
    return below(e, _expression, _statement)


def _kvm(e: c.Expr) -> c.Expr | None:
    """Return the VM whose number of vCPUs an expression names."""
    if isinstance(e, c.Member) and e.name == "counter" and not e.arrow:
        e = e.base
    if isinstance(e, c.Member) and e.name == MEMBER:
        return _expression(e.base) if e.arrow else c.Unary("&", _expression(e.base), e.span)
    return None
