"""Deciding how two variants stand to each other, with the bounded engine.

In: two machines and what is asked of them. Out: a `Comparison`. What differs is replayed by the
interpreter on both variants as they are before it is believed.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import TYPE_CHECKING, assert_never

from flushproof.engines.counterexample import Counterexample, size_in_words
from flushproof.engines.outcome import NOTHING_FAILS, NoCounterexample, NoProof, Outcome, Undecided
from flushproof.features.nfc.atomic_calls import (
    EVERY,
    WHOLE_CALLS,
    Loss,
    describe_loss,
    late_stores,
)
from flushproof.features.nfc.concrete_runs import (
    Run,
    first_difference,
    replay_variants,
    whole_operation,
)
from flushproof.features.nfc.difference import describe_difference
from flushproof.features.nfc.observer import FOLLOWED, SAME, Sight
from flushproof.features.nfc.product_program import Product, join_programs
from flushproof.features.nfc.same_code import SAME_CODE, is_same_code
from flushproof.features.nfc.shared_boot import written_unknown
from flushproof.features.nfc.unbounded import Related, equal_for_all
from flushproof.frontend.setup import Bounds
from flushproof.ir.program import Program, Role
from flushproof.machine.build import Machine
from flushproof.results.comparison import (
    Compared,
    Comparison,
    Relation,
    Since,
    VariantDifference,
    VariantVersion,
)
from flushproof.results.verdict import ClaimResult, VerdictScope
from flushproof.support.memory_model import MemoryModel, weaker_model
from flushproof.support.record import Record, replace
from flushproof.support.wording import count_noun
from flushproof.verify.assumptions import list_assumptions
from flushproof.verify.conclusion import EVERY as ANY_INTERLEAVING

if TYPE_CHECKING:
    from flushproof.engines.bounded.engine import Bounded

COVERAGE = "coverage"
FEW = 3
"""So many vCPUs are looked at before a proof for all is tried."""
NONE_COMPARED = Loss("within these bounds no call is compared")
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

    Calls are compared under sequential consistency. Where a variant has store buffers it is looked
    at whether that loses anything.

    Raises:
        InputError: the operations of the two do not correspond.
        InternalError: a difference does not replay.
    """
    return _Compared(old, new, wanted, cover).decide()


class _Answer(Record, frozen=True):
    """What one joint program showed with so many vCPUs: a difference, none, or why it is open."""

    vcpus: int
    outcome: Outcome
    exact_roots: bool


class _Compared:
    """One comparison."""

    def __init__(self, old: Machine, new: Machine, wanted: Wanted, cover: Cover) -> None:
        self.machines = (old, new)
        self.wanted = wanted
        self.cover = cover
        self.memory = weaker_model(old.setup.memory, new.setup.memory)
        self.plain = (_plain(old), _plain(new))
        self.started = time.monotonic()
        self.reason = ""

    def decide(self) -> Comparison:
        if is_same_code(*self.plain):
            return self._same_code()
        if reason := self._why_not_compared():
            answer = _Answer(self.wanted.bounds.vcpus[1], Undecided(reason), exact_roots=True)
            return self._result(Relation.UNKNOWN, answer, None, reason)
        if changing := written_unknown(*self.plain):
            names = ", ".join(dict.fromkeys(f"`{f.label}`" for f in changing))
            reason = f"{names} may hold anything at boot, and code here changes it"
            undecided = Undecided(reason)
            answer = _Answer(self.wanted.bounds.vcpus[1], undecided, exact_roots=True)
            return self._result(Relation.UNKNOWN, answer, None, reason)
        sight = Sight(str(self.wanted.compared))
        joint = self._product(sight)
        low, high = self.wanted.bounds.vcpus
        few = min(high, FEW) if self.wanted.everyone else high
        answer = self._ask(joint, range(low, few + 1))
        if isinstance(answer.outcome, NoCounterexample) and self.wanted.everyone:
            match self._related():
                case Related() as related:
                    return self._for_all(related, EVERY)
                case NoProof(why):
                    self.reason = f"not shown for every number of vCPUs: {why}"
                case other:
                    assert_never(other)
            answer = self._ask(joint, range(few + 1, high + 1)) if few < high else answer
        match answer.outcome:
            case Counterexample() as found:
                told = self._told(joint, found)
                relation, reason = self._refines()
                return self._result(relation, answer, told, reason)
            case Undecided(reason):
                return self._result(Relation.UNKNOWN, answer, None, reason)
            case NoCounterexample():
                return self._equal(answer)
            case unexpected:
                assert_never(unexpected)

    def _why_not_compared(self) -> str:
        """Name an operation of which hypercalls and results would say too little, if any."""
        for o in (o for program in self.plain for o in program.operations if o.named):
            return f"`{o.name}` is a `{o.word}` operation, and only loads and flushes are compared"
        return ""

    def _same_code(self) -> Comparison:
        """Say that the code of both is one, which is no matter of bounds."""
        if self.wanted.everyone:
            related = Related((SAME_CODE,), exact_roots=True, flushers=None)
            return self._for_all(related, ANY_INTERLEAVING)
        answer = _Answer(self.wanted.bounds.vcpus[1], NOTHING_FAILS, exact_roots=True)
        found = self._result(Relation.EQUAL, answer, None, "", ANY_INTERLEAVING)
        return replace(found, invariant=(SAME_CODE,))

    def _related(self) -> Related | NoProof:
        late = late_stores(*self.plain, self.memory)
        if late is not None:
            return NoProof(late.text)
        after_load = self.wanted.since is Since.LOAD
        flushers = self.wanted.bounds.flushers
        return equal_for_all(*self.plain, flushers, after_load=after_load)

    def _for_all(self, related: Related, interleavings: str) -> Comparison:
        answer = _Answer(0, NOTHING_FAILS, related.exact_roots)
        found = self._result(Relation.EQUAL, answer, None, "", interleavings)
        many = related.flushers
        scope = replace(found.scope, vcpus=None, loads=None, flushes=None, flushers=many)
        return replace(found, scope=scope, invariant=related.lines)

    def _equal(self, answer: _Answer) -> Comparison:
        """Say what it means that whole calls are alike: nothing, unless each is atomic."""
        lost = self._lost() if _compares_any(self.wanted) else NONE_COMPARED
        if lost is not None:
            return self._result(Relation.UNKNOWN, answer, None, lost.text)
        return self._result(Relation.BOUNDED, answer, None, self.reason, EVERY)

    def _lost(self) -> Loss | None:
        """Return what comparing whole calls loses, if anything."""
        return describe_loss(*self.plain, self.wanted.bounds, self.memory)

    def _product(self, sight: Sight) -> Product:
        after_load = self.wanted.since is Since.LOAD
        return join_programs(*self.plain, sight, after_load=after_load)

    def _ask(self, joint: Product, counts: range) -> _Answer:
        """Look at the smallest number of vCPUs first."""
        engine = _engine(joint.program, self.wanted)
        for n in counts:
            found = engine.claim(SAME, n)
            if isinstance(found, NoCounterexample):
                found = _gap(engine, n)
            if not isinstance(found, NoCounterexample):
                return _Answer(n, found, engine.exact_roots)
        return _Answer(counts[-1], NOTHING_FAILS, engine.exact_roots)

    def _told(self, joint: Product, found: Counterexample) -> VariantDifference:
        old, new = replay_variants(joint, *self.plain, found.schedule)
        start = _after_first_load(old) if self.wanted.since is Since.LOAD else 0
        place = first_difference(old, new, joint.sight, start)
        first, second = self.machines
        smallest = size_in_words(found, self.wanted.bounds.vcpus[0], least=found.least)
        return describe_difference((first, old), (second, new), place, joint.sight, smallest)

    def _refines(self) -> tuple[Relation, str]:
        """Tell whether the new variant issues a subset and keeps coverage, and why not."""
        low, high = self.wanted.bounds.vcpus
        answer = self._ask(self._product(Sight.SUBSET), range(low, high + 1))
        match answer.outcome:
            case Counterexample():
                return Relation.DIFFERS, ""
            case Undecided(reason):
                return Relation.DIFFERS, f"whether it issues a subset is open: {reason}"
            case NoCounterexample():
                pass
            case other:
                assert_never(other)
        lost = self._lost()
        if lost is not None:
            return Relation.DIFFERS, f"whole calls issue a subset, but {lost.text}"
        result = self.cover(self.machines[1])
        if result.verdict.holds:
            return Relation.REFINES, ""
        return Relation.DIFFERS, f"it issues a subset, but `{COVERAGE}` is {result.verdict}"

    def _result(
        self,
        relation: Relation,
        answer: _Answer,
        told: VariantDifference | None,
        reason: str,
        interleavings: str = WHOLE_CALLS,
    ) -> Comparison:
        old, new = self.machines
        bounds = self.wanted.bounds
        low, high = bounds.vcpus
        last = high if relation is Relation.REFINES else answer.vcpus
        scope = VerdictScope(
            vcpus=(low, last),
            loads=bounds.loads,
            flushes=bounds.flushes,
            flushers=bounds.flushers,
            interleavings=interleavings,
            roots="uninterpreted" if answer.exact_roots else "64-bit vectors",
            boot="from boot" if self.wanted.since is Since.BOOT else "once any vCPU has loaded",
            memory=self.memory,
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
            every_number=self.wanted.everyone,
        )


def _plain(machine: Machine) -> Program:
    """Return a variant without claims and without store buffers."""
    return replace(machine, setup=replace(machine.setup, memory=MemoryModel.SC)).with_claims(())


def _engine(program: Program, wanted: Wanted) -> Bounded:
    from flushproof.engines.bounded.engine import Bounded, Settings
    from flushproof.engines.bounded.query import EFFORT
    from flushproof.engines.bounded.threads import Counts

    bounds = wanted.bounds
    most = Counts(bounds.vcpus[1], bounds.loads, bounds.flushes, bounds.flushers)
    return Bounded(program, most, Settings(whole_operation, effort=wanted.steps or EFFORT))


def _gap(engine: Bounded, vcpus: int) -> NoCounterexample | Undecided:
    """Return why executions in which nothing differs may not make the variants equal, if so."""
    undefined = engine.undefined(vcpus)
    if isinstance(undefined, Counterexample):
        many = count_noun(vcpus, "vCPU")
        return Undecided(f"undefined behaviour: {undefined.text}, with {many}")
    unfollowed = engine.claim(FOLLOWED, vcpus)
    if isinstance(unfollowed, Counterexample):
        return Undecided(LOST)
    return unfollowed if isinstance(undefined, NoCounterexample) else undefined


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


def _version(machine: Machine) -> VariantVersion:
    setup = machine.setup
    return VariantVersion(setup.variant.name, setup.variant.sha256, setup.main_function)


def _assumptions(old: Machine, new: Machine) -> tuple[str, ...]:
    """Return what is assumed of either variant; that loads flush does not matter here."""
    given = (a for m in (old, new) for a in list_assumptions(m, loads_matter=False))
    return tuple(dict.fromkeys(given))
