"""The syntax tree of spec and claim files: frozen records around C blocks and expressions."""

from __future__ import annotations

from flushproof.frontend.c import syntax as c
from flushproof.support.record import Placed, Record
from flushproof.support.source import Span


class QuotedText(Placed, frozen=True):
    """A quoted string and where it stands."""

    value: str
    span: Span


class OperationDecl(Placed, frozen=True):
    """`flush f(kvm, range);`: `role` is flush, load, cpu or thread.

    `roles` name each parameter's meaning, such as "vcpu" or "any vcpu".
    """

    role: str
    function: str
    roles: tuple[QuotedText, ...]
    span: Span


class CacheDecl(Placed, frozen=True):
    """`cache when CONDITION is ROOT;`: when the cached common root is in use, and where it is."""

    condition: c.Expr
    root: c.Expr
    span: Span


MAX_VCPUS = 4096
MAX_OPERATIONS = 1000
"""The largest bounds that are looked at."""


class BoundLine(Placed, frozen=True):
    """`vcpus 1..4;` or `loads 2;` (then low == high), or `flushers any;`, with one to look at."""

    name: str
    low: int
    high: int
    span: Span
    any_number: bool = False


class Assumption(Placed, frozen=True):
    """`assume load_flushes;` or `assume no load_flushes;`."""

    name: str
    holds: bool
    span: Span


class Exempt(Placed, frozen=True):
    """`exempt field;`: a field that the race claim leaves out."""

    field: str
    span: Span


class MemoryDecl(Placed, frozen=True):
    """`memory tso;`: the memory model, one of those of `Memory`."""

    model: str
    span: Span


class InvariantDecl(Placed, frozen=True):
    """`invariant [in CLAIM] [any vcpu v, ...:] CONDITION;`: what a proof may be made of.

    `claim` is the one whose witnesses and ghost variables have their names there, None for none;
    `vcpus` are names of vCPUs that are any.
    """

    claim: QuotedText | None
    vcpus: tuple[QuotedText, ...]
    condition: c.Expr
    span: Span


class Expectation(Placed, frozen=True):
    """`coverage refuted at 2;` or `coverage proved for every;`.

    `vcpus` is None where no count is stated; with `every_number` it is to hold for every number of
    vCPUs, not only within the bounds.
    """

    claim: str
    verdict: str
    vcpus: int | None
    span: Span
    every_number: bool = False


class Witness(Placed, frozen=True):
    """`any vcpu w;`: `kind` is one of vcpu, root, call, gfn, access, thread."""

    kind: str
    name: str
    span: Span


class Handler(Placed, frozen=True):
    """`on EVENT [SUBJECT] (PARAMETERS) [in CALL] BLOCK`.

    `event` is enter, return, hypercall, lock, unlock, access, uninit, step, deadlock or end;
    `subject` is a role of operations, the name of one or a call witness for enter and return, ""
    otherwise.
    """

    event: str
    subject: str
    parameters: tuple[QuotedText, ...]
    inside: str
    body: c.Block
    span: Span
    site: Span | None = None
    """Where the subject stands."""


class ClaimSpec(Placed, frozen=True):
    """One monitor; `because` and `headline` are templates filled with witness and ghost values.

    One that `overrides` takes the place of the program's own claim of that name.
    """

    name: str
    text: str
    witnesses: tuple[Witness, ...]
    ghosts: tuple[c.Declaration, ...]
    handlers: tuple[Handler, ...]
    headline: str
    because: str
    span: Span
    overrides: bool = False


class Spec(Placed, frozen=True):
    """One `spec NAME { ... }`; clauses that are absent are None or empty."""

    name: str
    variant: QuotedText | None
    operations: tuple[OperationDecl, ...]
    boot: c.Block | None
    caches: tuple[CacheDecl, ...]
    bounds: tuple[BoundLine, ...]
    assumptions: tuple[Assumption, ...]
    exempt: tuple[Exempt, ...]
    expectations: tuple[Expectation, ...]
    claims: tuple[ClaimSpec, ...]
    span: Span
    memory: MemoryDecl | None = None
    invariants: tuple[InvariantDecl, ...] = ()


class SpecTree(Record, frozen=True):
    """What one spec or claim file holds, in order of appearance within each kind."""

    specs: tuple[Spec, ...]
    claims: tuple[ClaimSpec, ...]
    functions: tuple[c.Function, ...]
