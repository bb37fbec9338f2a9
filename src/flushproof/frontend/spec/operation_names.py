"""What operations are called: in the spec that declares them, and in its claims.

In: the declared operations, and claims of the same spec. Out: nothing, or what does not fit.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar

from flushproof.frontend.spec.parser import ROLES
from flushproof.frontend.spec.spec_errors import check_known, check_once
from flushproof.frontend.spec.syntax import ClaimSpec, OperationDecl, Spec
from flushproof.support.diagnostics import Diagnostic, InputError
from flushproof.support.source import Span

NAMED_ROLES = ("cpu", "thread")
"""The roles of operations that go by their own names."""

SINGLE = ("vcpu", "root", "range", "start", "pages")
"""The roles that one parameter of an operation has."""

SEVERAL = ("kvm", "any vcpu", "free")
"""The roles that several may have; its own name stands for `free`."""


class NoOperation(Diagnostic, frozen=True, kw_only=True):
    """A spec without operations."""

    CODE: ClassVar[str] = "FP0508"
    TITLE: ClassVar[str] = "spec `{name}` has no operations"
    HELP: ClassVar[str] = "add a block `operations`, with a line such as `thread unmap(kvm, gfn);`"
    name: str


class NameOfRole(Diagnostic, frozen=True, kw_only=True):
    """An operation that goes by its own name, which is that of a role."""

    CODE: ClassVar[str] = "FP0522"
    TITLE: ClassVar[str] = "a `{role}` operation cannot be called `{name}`"
    LABEL: ClassVar[str] = "in claims this is the name of a role"
    role: str
    name: str


class NoFlush(Diagnostic, frozen=True, kw_only=True):
    """A claim about a call of a flush where there is no flush."""

    CODE: ClassVar[str] = "FP0523"
    TITLE: ClassVar[str] = "there is no call that `{name}` could be"
    LABEL: ClassVar[str] = "a call is one of a `flush` operation"
    HELP: ClassVar[str] = (
        "handle the events of an operation by its name, as in `on return {example}()`; a witness "
        "`any thread t` and `SELF` tell whose call it is"
    )
    name: str
    example: str


def check_operations(spec: Spec) -> tuple[OperationDecl, ...]:
    """Return the operations of a spec.

    Raises:
        InputError: there are none, or one has a name that it cannot have.
    """
    if not spec.operations:
        raise InputError(NoOperation(span=spec.span, name=spec.name))
    for o in spec.operations:
        if o.role in NAMED_ROLES and o.function in ROLES:
            raise InputError(NameOfRole(span=o.span, role=o.role, name=o.function))
    return spec.operations


def check_subjects(claims: Sequence[ClaimSpec], operations: Sequence[OperationDecl]) -> None:
    """Refuse claims that speak of operations that do not exist.

    Raises:
        InputError: a claim does.
    """
    roles = [r for r in ROLES if any(o.role == r for o in operations)]
    names = [*roles, *(o.function for o in operations)]
    for claim in claims:
        calls = [w.name for w in claim.witnesses if w.kind == "call"]
        own = [(o.function, o.span) for o in operations if o.role in NAMED_ROLES]
        witnesses = [(w.name, w.span) for w in claim.witnesses if w.kind == "call"]
        check_once("operation or call", [*own, *witnesses])
        for w in claim.witnesses:
            if w.kind == "call" and "flush" not in roles:
                example = operations[0].function
                raise InputError(NoFlush(span=w.span, name=w.name, example=example))
        for h in claim.handlers:
            if h.subject:
                known = list(dict.fromkeys((*names, *calls)))
                check_known("operation or call", h.subject, known, _place(h.site, h.span))


def _place(subject: Span | None, event: Span) -> Span:
    return event if subject is None else subject
