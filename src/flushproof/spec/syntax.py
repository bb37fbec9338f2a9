"""The syntax tree of spec and claim files: frozen dataclasses around C blocks and expressions."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass

from flushproof.frontend import syntax as c
from flushproof.source import Span


@dataclass(frozen=True, slots=True)
class Text:
    """A quoted string and where it stands."""

    value: str
    span: Span = dataclasses.field(compare=False)


@dataclass(frozen=True, slots=True)
class OperationDecl:
    """`flush f(kvm, range);`: `role` is flush or load; `roles` name each parameter's meaning."""

    role: str
    function: str
    roles: tuple[Text, ...]
    span: Span = dataclasses.field(compare=False)


@dataclass(frozen=True, slots=True)
class CacheDecl:
    """`cache when CONDITION is ROOT;`: when the cached common root is in use, and where it is."""

    condition: c.Expr
    root: c.Expr
    span: Span = dataclasses.field(compare=False)


@dataclass(frozen=True, slots=True)
class Bound:
    """`vcpus 1..4;` or `loads 2;` (then low == high)."""

    name: str
    low: int
    high: int
    span: Span = dataclasses.field(compare=False)


@dataclass(frozen=True, slots=True)
class Assumption:
    """`assume load_flushes;` or `assume no load_flushes;`."""

    name: str
    holds: bool
    span: Span = dataclasses.field(compare=False)


@dataclass(frozen=True, slots=True)
class Exempt:
    """`exempt field;`: a field that the race claim leaves out."""

    field: str
    span: Span = dataclasses.field(compare=False)


@dataclass(frozen=True, slots=True)
class MemoryDecl:
    """`memory tso;`: the memory model, one of those of `Memory`."""

    model: str
    span: Span = dataclasses.field(compare=False)


@dataclass(frozen=True, slots=True)
class Expectation:
    """`coverage refuted at 2;`: `vcpus` is None where no count is stated."""

    claim: str
    verdict: str
    vcpus: int | None
    span: Span = dataclasses.field(compare=False)


@dataclass(frozen=True, slots=True)
class Witness:
    """`any vcpu w;`: `kind` is one of vcpu, root, call, gfn, access, thread."""

    kind: str
    name: str
    span: Span = dataclasses.field(compare=False)


@dataclass(frozen=True, slots=True)
class Handler:
    """`on EVENT [SUBJECT] (PARAMETERS) [in CALL] BLOCK`.

    `event` is enter, return, hypercall, lock, unlock, access, uninit, step, deadlock or end;
    `subject` is the operation role ("load", "flush") or a call witness for enter and return, ""
    otherwise.
    """

    event: str
    subject: str
    parameters: tuple[Text, ...]
    inside: str
    body: c.Block
    span: Span = dataclasses.field(compare=False)


@dataclass(frozen=True, slots=True)
class Claim:
    """One monitor; `because` and `headline` are templates filled with witness and ghost values."""

    name: str
    text: str
    witnesses: tuple[Witness, ...]
    ghosts: tuple[c.Declaration, ...]
    handlers: tuple[Handler, ...]
    headline: str
    because: str
    span: Span = dataclasses.field(compare=False)


@dataclass(frozen=True, slots=True)
class Spec:
    """One `spec NAME { ... }`; clauses that are absent are None or empty."""

    name: str
    variant: Text | None
    operations: tuple[OperationDecl, ...]
    boot: c.Block | None
    caches: tuple[CacheDecl, ...]
    bounds: tuple[Bound, ...]
    assumptions: tuple[Assumption, ...]
    exempt: tuple[Exempt, ...]
    expectations: tuple[Expectation, ...]
    claims: tuple[Claim, ...]
    span: Span = dataclasses.field(compare=False)
    memory: MemoryDecl | None = None


@dataclass(frozen=True, slots=True)
class SpecFile:
    """What one spec or claim file holds, in order of appearance within each kind."""

    specs: tuple[Spec, ...]
    claims: tuple[Claim, ...]
    functions: tuple[c.Function, ...]
