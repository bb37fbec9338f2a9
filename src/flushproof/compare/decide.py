"""Deciding how two variants stand to each other, with the bounded engine.

In: two machines and what is asked of them. Out: a `Comparison`. What differs is replayed by the
interpreter on both variants as they are before it is believed.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import TYPE_CHECKING

from flushproof.assumptions import assumptions
from flushproof.claim import EVERY as ANY_INTERLEAVING
from flushproof.compare.alike import SAME_CODE, alike
from flushproof.compare.atomic import EVERY, WHOLE_CALLS, cuts
from flushproof.compare.explain import difference
from flushproof.compare.forall import Related, equal_for_all
from flushproof.compare.product import Product, product
from flushproof.compare.runs import Run, both, first_difference, whole_operation
from flushproof.compare.watch import FOLLOWED, SAME, Sight
from flushproof.comparison import Compared, Comparison, Difference, Relation, Since, Version
from flushproof.engines.found import Found
from flushproof.ir.program import Program, Role
from flushproof.machine.build import Machine
from flushproof.machine.setup import Bounds
from flushproof.plural import count
from flushproof.record import Record, replace
from flushproof.verdict import ClaimResult, Scope, Verdict

if TYPE_CHECKING:
    from flushproof.engines.symbolic.bounded import Bounded

COVERAGE = "coverage"
FEW = 3
"""So many vCPUs are looked at before a proof for all is tried."""
LOST = (
    "what follows a call that keeps a lock, waits for ever or issues more than two hypercalls a "
    "vCPU is not compared"
)
Cover = Callable[[Machine], ClaimResult]
"""Decides whether a variant keeps `coverage`."""


class Wanted(Record, frozen=True):
    """What is asked: what is compared, since when, within which bounds, and what is expected.

    `steps` is what each question may cost; with `everyone` equality is looked for with every
    number of vCPUs first.
    """

    compared: Compared
    since: Since
    bounds: Bounds
    expected: Relation = Relation.EQUAL
    steps: int | None = None
    everyone: bool = False


def compare(old: Machine, new: Machine, wanted: Wanted, cover: Cover) -> Comparison:
    """Compare two variants; `cover` is asked only where the new one issues a subset.

    Raises:
        InputError: the operations of the two do not correspond.
        InternalError: a difference does not replay.
    """
    return _Compared(old, new, wanted, cover).decide()


class _Answer(Record, frozen=True):
    """What one joint program showed: the vCPUs looked at, and a difference or why it is open."""

    vcpus: int
    found: Found | None
    reason: str
    exact_roots: bool


class _Compared:
    """One comparison."""

    def __init__(self, old: Machine, new: Machine, wanted: Wanted, cover: Cover) -> None:
        self.machines = (old, new)
        self.wanted = wanted
        self.cover = cover
        self.plain = (old.with_claims(()), new.with_claims(()))
        self.started = time.monotonic()
        self.reason = ""

    def decide(self) -> Comparison:
        if self.wanted.everyone and alike(*self.plain):
            return self._for_all(Related((SAME_CODE,), exact_roots=True), ANY_INTERLEAVING)
        sight = Sight(str(self.wanted.compared))
        joint = self._product(sight)
        low, high = self.wanted.bounds.vcpus
        few = min(high, FEW) if self.wanted.everyone else high
        answer = self._ask(joint, range(low, few + 1))
        if answer.found is None and not answer.reason and self.wanted.everyone:
            related = equal_for_all(*self.plain, after_load=self.wanted.since is Since.LOAD)
            if isinstance(related, Related):
                return self._for_all(related, EVERY)
            self.reason = f"not shown for every number of vCPUs: {related}"
            answer = self._ask(joint, range(few + 1, high + 1)) if few < high else answer
        if answer.found is not None:
            told = self._told(joint, answer.found)
            relation, reason = self._refines()
            return self._result(relation, answer, told, reason)
        if answer.reason:
            return self._result(Relation.UNKNOWN, answer, None, answer.reason)
        return self._equal(answer)

    def _for_all(self, related: Related, interleavings: str) -> Comparison:
        answer = _Answer(0, None, "", related.exact_roots)
        found = self._result(Relation.EQUAL, answer, None, "", interleavings)
        scope = replace(found.scope, vcpus=None, loads=None, flushes=None, flushers=None)
        return replace(found, scope=scope, invariant=related.lines)

    def _equal(self, answer: _Answer) -> Comparison:
        """Say what it means that whole calls are alike: little, if only the old ones are atomic."""
        bounds = self.wanted.bounds
        if not _compares_any(self.wanted):
            reason = "within these bounds no call is compared"
            return self._result(Relation.UNKNOWN, answer, None, reason)
        was, now = (cuts(p, bounds) for p in self.plain)
        if now is None and was is None:
            return self._result(Relation.EQUAL, answer, None, self.reason, EVERY)
        if was is not None:
            which = was if now is None else now
            reason = f"what others see within a call is not compared ({which.words()})"
            return self._result(Relation.EQUAL, answer, None, reason)
        assert now is not None
        reason = (
            "whole calls are alike, but others can see the new code in the middle of a call "
            f"({now.words()}), and the old code not"
        )
        return self._result(Relation.UNKNOWN, answer, None, reason)

    def _product(self, sight: Sight) -> Product:
        after_load = self.wanted.since is Since.LOAD
        return product(*self.plain, sight, after_load=after_load)

    def _ask(self, joint: Product, counts: range) -> _Answer:
        """Look at the smallest number of vCPUs first."""
        engine = _engine(joint.program, self.wanted)
        for n in counts:
            found = engine.claim(SAME, n)
            if isinstance(found, Found):
                return _Answer(n, found, "", engine.exact_roots)
            reason = found or _gap(engine, n)
            if reason:
                return _Answer(n, None, reason, engine.exact_roots)
        return _Answer(counts[-1], None, "", engine.exact_roots)

    def _told(self, joint: Product, found: Found) -> Difference:
        old, new = both(joint, *self.plain, found.schedule)
        start = _after_first_load(old) if self.wanted.since is Since.LOAD else 0
        place = first_difference(old, new, joint.sight, start)
        first, second = self.machines
        return difference((first, old), (second, new), place, joint.sight, _smallest(found))

    def _refines(self) -> tuple[Relation, str]:
        """Tell whether the new variant issues a subset and keeps coverage, and why not."""
        low, high = self.wanted.bounds.vcpus
        answer = self._ask(self._product(Sight.SUBSET), range(low, high + 1))
        if answer.found is not None:
            return Relation.DIFFERS, ""
        if answer.reason:
            return Relation.DIFFERS, f"whether it issues a subset is open: {answer.reason}"
        result = self.cover(self.machines[1])
        if result.verdict is Verdict.PROVED:
            return Relation.REFINES, ""
        return Relation.DIFFERS, f"it issues a subset, but `{COVERAGE}` is {result.verdict}"

    def _result(
        self,
        relation: Relation,
        answer: _Answer,
        told: Difference | None,
        reason: str,
        interleavings: str = WHOLE_CALLS,
    ) -> Comparison:
        old, new = self.machines
        bounds = self.wanted.bounds
        low, high = bounds.vcpus
        last = high if relation is Relation.REFINES else answer.vcpus
        scope = Scope(
            vcpus=(low, last),
            loads=bounds.loads,
            flushes=bounds.flushes,
            flushers=bounds.flushers,
            interleavings=interleavings,
            roots="uninterpreted" if answer.exact_roots else "64-bit vectors",
            boot="from boot" if self.wanted.since is Since.BOOT else "once any vCPU has loaded",
        )
        return Comparison(
            old=_version(old),
            new=_version(new),
            relation=relation,
            compared=self.wanted.compared,
            since=self.wanted.since,
            scope=scope,
            assumptions=_assumptions(old, new),
            seconds=time.monotonic() - self.started,
            difference=told,
            reason=reason,
            expected=self.wanted.expected,
        )


def _engine(program: Program, wanted: Wanted) -> Bounded:
    from flushproof.engines.symbolic.bounded import Bounded, Settings
    from flushproof.engines.symbolic.problem import EFFORT
    from flushproof.engines.symbolic.threads import Counts

    bounds = wanted.bounds
    most = Counts(bounds.vcpus[1], bounds.loads, bounds.flushes, bounds.flushers)
    return Bounded(program, most, Settings(whole_operation, effort=wanted.steps or EFFORT))


def _gap(engine: Bounded, vcpus: int) -> str:
    """Return why executions in which nothing differs do not make the variants equal, or ""."""
    undefined = engine.undefined(vcpus)
    if isinstance(undefined, Found):
        return f"undefined behaviour: {undefined.text}, with {count(vcpus, 'vCPU')}"
    lost = engine.claim(FOLLOWED, vcpus)
    if isinstance(lost, Found):
        return LOST
    return undefined or lost or ""


def _compares_any(wanted: Wanted) -> bool:
    """Tell whether some flush is compared at all."""
    bounds = wanted.bounds
    loads = bounds.loads > 0 or wanted.since is Since.BOOT
    return loads and bounds.flushes > 0 and bounds.flushers > 0


def _after_first_load(run: Run) -> int:
    loads = {o.name for o in run.program.of(Role.LOAD)}
    for number, done in enumerate(run.calls):
        if any(h.operation in loads for h in done.happenings):
            return number + 1
    return len(run.calls)


def _smallest(found: Found) -> str:
    least = "none with fewer" if found.least else "fewer were not ruled out"
    parts = (
        count(found.schedule.vcpus, "vCPU"),
        count(found.roots, "root"),
        count(found.calls, "operation"),
    )
    return f"{', '.join(parts)}; {least}"


def _version(machine: Machine) -> Version:
    setup = machine.setup
    function = next(o.function for o in setup.operations if o.role == Role.FLUSH)
    return Version(setup.variant.name, setup.variant.sha256, function)


def _assumptions(old: Machine, new: Machine) -> tuple[str, ...]:
    """Return what is assumed of either variant; that loads flush does not matter here."""
    given = (*assumptions(old), *assumptions(new))
    return tuple(a for a in dict.fromkeys(given) if not a.startswith("a load flushes"))
