"""Operations that go by their own names, as C: which call is of which, and what handlers are told.

In: a setup, its program and a handler of a claim. Out: C text for `struct call` and the announcing
functions.
"""

from __future__ import annotations

from collections.abc import Iterator

from flushproof.frontend.setup import Setup
from flushproof.frontend.spec.operation_names import NAMED_ROLES
from flushproof.frontend.spec.parser import ROLES
from flushproof.frontend.spec.syntax import ClaimSpec, Handler
from flushproof.ir.code import Return
from flushproof.ir.program import Operation, Program
from flushproof.ir.types import Int, Type
from flushproof.support.record import Record

VCPU, BOOL = "struct kvm_vcpu *", "_Bool "
_WIDTHS = {8: "char", 16: "short", 32: "int", 64: "long long"}


class Told(Record, frozen=True):
    """What a handler is told: C types, and the values as C writes them."""

    types: tuple[str, ...]
    values: str


BY_KIND = {
    "cpu": Told((VCPU,), "vcpu_at(current->vcpu)"),
    "thread": Told((), ""),
}
"""What handlers of all operations of a role are told."""


def members_of_call(program: Program) -> str:
    """Return the members of `struct call` that tell operations apart."""
    most = max((len(o.given) for o in program.operations), default=0)
    return f"\tint operation;\n\tunsigned long long given[{max(most, 1)}];\n"


def tells_operations(setup: Setup, claim: ClaimSpec) -> bool:
    """Tell whether it matters which operation a call is of, beyond that it is a load or a flush."""
    calls = {w.name for w in claim.witnesses if w.kind == "call"}
    subjects = {h.subject for h in claim.handlers if h.subject} - calls
    named = any(o.role in NAMED_ROLES for o in setup.operations)
    return named or not subjects <= set(ROLES)


def handlers_of_claim(setup: Setup, claim: ClaimSpec) -> tuple[Handler, ...]:
    """Return the handlers of a claim but those of operations of a kind that there is not."""
    there = {o.role for o in setup.operations}
    return tuple(h for h in claim.handlers if h.subject not in BY_KIND or h.subject in there)


def call_number(setup: Setup, function: str) -> int:
    """Return the number by which the program knows an operation."""
    return [o.function for o in setup.operations].index(function)


def require_subject(setup: Setup, claim: ClaimSpec, subject: str) -> Iterator[str]:
    """Yield what tells that the current call is of the operations that a handler names."""
    numbers = [k for k, o in enumerate(setup.operations) if subject in (o.function, o.role)]
    if tells_operations(setup, claim):
        yield f"({' || '.join(f'current->operation == {k}' for k in numbers) or '0'})"


def told_by_name(program: Program, h: Handler) -> Told | None:
    """Return what a handler is told, if it is about operations that go by their own names."""
    if h.event not in ("enter", "return"):
        return None
    for o in program.operations:
        if o.named and o.name == h.subject:
            return _told(o, returns=h.event == "return")
    return BY_KIND.get(h.subject)


def _told(o: Operation, *, returns: bool) -> Told:
    types = [_c_type(x.type) for x in o.given]
    values = [f"current->given[{k}]" for k in range(len(o.given))]
    results = [i.value for i in o.code if isinstance(i, Return) and i.value is not None]
    if returns and results:
        types.append(_c_type(results[0].type))
        values.append("value")
    pairs = zip(types, values, strict=True)
    texts = (f"vcpu_at((int){v})" if t == VCPU else f"({t.strip()}){v}" for t, v in pairs)
    return Told(tuple(types), ", ".join(texts))


def _c_type(t: Type) -> str:
    match t:
        case Int(1):
            return BOOL
        case Int(width, signed):
            return f"{'' if signed else 'unsigned '}{_WIDTHS[width]} "
        case _:
            return VCPU
