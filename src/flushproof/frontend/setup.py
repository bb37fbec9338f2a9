"""What a run is about, resolved from files: declarations, operations, claims, bounds, boot."""

from __future__ import annotations

from flushproof.frontend.c import syntax as c
from flushproof.frontend.c.declarations import Declarations
from flushproof.frontend.spec import syntax as s
from flushproof.support.memory_model import MemoryModel
from flushproof.support.record import Record
from flushproof.support.source import Source


class Bounds(Record, frozen=True):
    """How far to look: vCPU counts (low, high), operations per thread, flusher threads.

    With `one_at_a_time` no more flushers are meant than one, else proofs for every number of vCPUs
    are about any number.
    """

    vcpus: tuple[int, int] = (1, 4)
    loads: int = 2
    flushes: int = 2
    flushers: int = 1
    one_at_a_time: bool = False

    def wider(self, other: Bounds) -> Bounds:
        """Return bounds within which both lie."""
        return Bounds(
            vcpus=(min(self.vcpus[0], other.vcpus[0]), max(self.vcpus[1], other.vcpus[1])),
            loads=max(self.loads, other.loads),
            flushes=max(self.flushes, other.flushes),
            flushers=max(self.flushers, other.flushers),
            one_at_a_time=self.one_at_a_time and other.one_at_a_time,
        )


class Assumptions(Record, frozen=True):
    """What is taken for granted.

    `load_flushes`: a load flushes the vCPU's own TLB for its new root. `vcpu_roots_start_invalid`:
    vCPU creation sets every per-vCPU root field to INVALID_PAGE.
    """

    load_flushes: bool = True
    vcpu_roots_start_invalid: bool = False


class Setup(Record, frozen=True):
    """One variant and everything asked about it.

    `sources` are all texts that spans may name; `assumed` says what else is taken for granted;
    `stated` names the bounds (and `memory`) that the user's spec gives; `invariants` say what
    proofs may be made of, and are never taken for granted.
    `units` are the trees that were declared, in order; with `whole` one of them is all of the
    variant's text. `read_as` says what the variant was taken for, and where boot values come from.
    `undisturbed` is the same where code that is not part of it, which `disturbers`
    name, writes nothing: what is refuted there is refuted, what is refuted only here is open.
    """

    name: str
    variant: Source
    declarations: Declarations
    operations: tuple[s.OperationDecl, ...]
    boot: tuple[c.Block, ...]
    caches: tuple[s.CacheDecl, ...]
    bounds: Bounds
    assumptions: Assumptions
    exempt: frozenset[str]
    claims: tuple[s.ClaimSpec, ...]
    expectations: tuple[s.Expectation, ...]
    sources: tuple[Source, ...]
    memory: MemoryModel = MemoryModel.SC
    invariants: tuple[s.InvariantDecl, ...] = ()
    assumed: tuple[str, ...] = ()
    stated: frozenset[str] = frozenset()
    units: tuple[c.TranslationUnit, ...] = ()
    whole: bool = False
    read_as: str = ""
    undisturbed: Setup | None = None
    disturbers: tuple[str, ...] = ()

    @property
    def main_function(self) -> str:
        """The name of the function that a reader takes the variant for; "" where there is none.

        It is the first flush, or the only operation.
        """
        flushes = [o.function for o in self.operations if o.role == "flush"]
        named = flushes or [o.function for o in self.operations]
        return named[0] if flushes or len(named) == 1 else ""

    def claim(self, name: str) -> s.ClaimSpec | None:
        """Return the claim of that name."""
        return next((x for x in self.claims if x.name == name), None)
