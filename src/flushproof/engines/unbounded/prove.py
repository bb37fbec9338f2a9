"""Claims proved for every number of vCPUs, loads and flushes, by invariants.

A claim is first tried with its witnesses tracked, then with one vCPU that is any, then each way in
which it can fail alone. An invariant counts only after z3 has confirmed it, clause by clause.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from functools import partial
from typing import assert_never

from flushproof.engines.outcome import NoProof
from flushproof.engines.symbolic.values import NotExact
from flushproof.engines.unbounded.assertion_splitting import split_assertions
from flushproof.engines.unbounded.candidate_atoms import (
    list_offered,
    select_candidates,
    widen_kinds,
)
from flushproof.engines.unbounded.control_locations import Frames
from flushproof.engines.unbounded.finite_instantiation import OutsideSmallDomains
from flushproof.engines.unbounded.horn_clauses import System
from flushproof.engines.unbounded.horn_encoding import Builder
from flushproof.engines.unbounded.ic3 import Exhausted, Ic3, Invariant
from flushproof.engines.unbounded.inductiveness_check import (
    STEPS,
    list_failing_clauses,
    minimise_invariant,
)
from flushproof.engines.unbounded.state_space import Space, TrackedInstances, make_state_space
from flushproof.engines.unbounded.unexcluded_state import describe_unexcluded
from flushproof.ir.analysis.def_use import mentions_locks, operand_expressions
from flushproof.ir.analysis.representation import Kinds
from flushproof.ir.candidate import Candidate
from flushproof.ir.code import Every, FieldScope
from flushproof.ir.program import Program, Role
from flushproof.ir.types import RW_LOCK, VCPU, LockWord
from flushproof.support.record import Record, replace

EFFORT = 40_000
"""Questions that a search may ask."""
EFFORT_MANY = 20_000
"""So many with any number of flushers: what is not found soon is looked for with one."""
EFFORT_MANY_IN_ALL = 60_000
"""So many all searches about one claim together, with any number of flushers."""


class ConfirmedInvariant(Record, frozen=True):
    """An invariant that was confirmed, of what, and for which case."""

    case: TrackedInstances
    space: Space
    frames: Frames
    system: System
    invariant: Invariant


class Proof(Record, frozen=True):
    """The invariants that prove a claim, one for each case of its witnesses or way to fail."""

    parts: tuple[ConfirmedInvariant, ...]


class Subject(Record, frozen=True):
    """A program with claims, the kinds of its values, and where its steps begin.

    With `claims_only` the code proper, as against what was woven in for claims, is known to do
    nothing undefined, and its sums not to leave their types. `steps` is how many steps of z3 one
    question may take, None for the usual number; a search may ask the more questions the more these
    are. With `many` any number of flushers are at work at once, else one. `candidates` are what an
    invariant may be made of beside what is found; nothing takes them for granted.
    """

    program: Program
    kinds: Kinds
    boundaries: Mapping[str, frozenset[int]]
    claims_only: bool
    steps: int | None = None
    many: bool = False
    candidates: tuple[Candidate, ...] = ()


Hopeless = Callable[[], NoProof | None]
"""Says why no other attempt at a proof is worth while; None where one may be."""


def prove(subject: Subject, hopeless: Hopeless) -> Proof | NoProof:
    """Return a proof for every number of vCPUs, or why there is none.

    `hopeless` is asked once attempts have failed.
    """
    beyond = out_of_reach(subject.program)
    if beyond is not None:
        return beyond
    offered = select_candidates(subject.program, subject.candidates)
    found = _attempt(_widen_subject(subject, offered), hopeless)
    if isinstance(found, Proof) or not offered:
        return found
    # More atoms and other representations may lead a search astray: a line is to cost no proof.
    without = _attempt(replace(subject, candidates=()), lambda: found)
    return without if isinstance(without, Proof) else found


def _attempt(subject: Subject, hopeless: Hopeless) -> Proof | NoProof:
    try:
        return _Attempts(subject, hopeless).run()
    except NotExact:
        return NoProof("the code does arithmetic that has no exact counterpart")
    except OutsideSmallDomains as error:
        return NoProof(f"an invariant would have to speak of `{error}`")


def _widen_subject(subject: Subject, offered: tuple[Candidate, ...]) -> Subject:
    """Return a subject with candidates, all of which can be said."""
    kinds = widen_kinds(subject.program, subject.kinds, offered)
    return replace(subject, kinds=kinds, candidates=offered)


def minimise_proof(proof: Proof) -> Proof:
    """Leave out what a proof does not need."""
    return Proof(
        tuple(replace(p, invariant=minimise_invariant(p.system, p.invariant)) for p in proof.parts)
    )


def out_of_reach(program: Program) -> NoProof | None:
    """Return why no proof for every number of vCPUs is looked for; None where one is."""
    if program.of(Role.DEADLOCK):
        return NoProof("deadlock is looked for among a given number of vCPUs")
    locks = [f for f in program.fields if isinstance(f.type, LockWord)]
    own = [f for f in locks if f.scope is FieldScope.VCPU]
    if RW_LOCK in [f.type for f in own]:
        return NoProof("every vCPU has a lock of its own that has readers")
    if own and _speaks_of_locks(program):
        return NoProof("the claim speaks of all locks, and every vCPU has one of its own")
    if sum(f.type == VCPU for f in program.witnesses) > MOST_WITNESSES:
        return NoProof("the claim speaks of more than two vCPUs")
    return None


def _speaks_of_locks(program: Program) -> bool:
    """Tell whether it is asked which locks a thread holds, or whether all are free."""
    code = (i for o in program.operations for i in o.code)
    return any(mentions_locks(e) for i in code for e in operand_expressions(i))


ANY = TrackedInstances(generic=True)
MOST_WITNESSES = 2
MAY_HELP = "an `invariant` line in the spec may help"
DO_NOT_HELP = "the `invariant` lines of the spec do not help"
TOO_LITTLE = NoProof("no invariant was found: what is known of other vCPUs is too little")


def _no_invariant(space: Space, frames: Frames, system: System, search: Ic3) -> NoProof:
    """Return that a search ended, and what would have to be excluded for it to go on."""
    state = describe_unexcluded(space, frames, system, search.list_unexcluded())
    if not state:
        return TOO_LITTLE
    advice = f"; {MAY_HELP if not system.offered else DO_NOT_HELP}"
    return NoProof(f"no invariant was found: nothing that is tried excludes {state}{advice}")


class _Attempts:
    """Tries to prove a claim, with what is cheap first."""

    def __init__(self, subject: Subject, hopeless: Hopeless) -> None:
        self.subject = subject
        self.hopeless = hopeless
        self.named = sum(f.type == VCPU for f in subject.program.witnesses)
        self.steps = subject.steps or STEPS
        self.left = self._scaled(EFFORT_MANY_IN_ALL)
        self.failed: list[Ic3] = []
        self.kept: list[Invariant] = []
        self.explain: Callable[[], NoProof] | None = None

    def run(self) -> Proof | NoProof:
        """Try with the witnesses tracked, then with any vCPU, then one way to fail at a time.

        A claim that names a vCPU often needs the second, so it is not doubted before that fails.
        """
        tries = list(self._tries())
        doubtful = tries[-1] if self.named else tries[0]
        failed = TOO_LITTLE
        for cases in tries:
            found = self._proof(cases)
            if isinstance(found, Proof):
                return found
            failed = found
            hopeless = self.hopeless() if cases == doubtful else None
            if hopeless is not None:
                return hopeless
        explain = self.explain
        alone = self.named < MOST_WITNESSES and self._records()
        found = self._in_ways() if alone else failed
        # Only now: most searches that fail are followed by one that does not.
        return explain() if found is TOO_LITTLE and failed is found and explain else found

    def _in_ways(self) -> Proof | NoProof:
        """Try each way to fail, with the witness as the vCPU that is any, then with the one noted.

        What differs between them is what is asserted, so each starts from what others have proved
        or learned. That does not speak of the vCPU noted: its atoms would lead a search astray.
        Once one is not proved in either case nothing more is tried.
        """
        left = split_assertions(self.subject.program)
        parts: list[ConfirmedInvariant] = []
        if len(left) > 1:
            left = tuple(p for p in left if not self._more(parts, p, ANY))
        last = TrackedInstances(generic=True, history=True)
        if all(self._more(parts, p, last) for p in left):
            return Proof(tuple(parts))
        return TOO_LITTLE

    def _tries(self) -> Iterator[list[TrackedInstances]]:
        if self.named == MOST_WITNESSES:
            # Two witnesses are different or one: tracked vCPUs are taken to differ, so both are
            # proved.
            yield [TrackedInstances(), TrackedInstances(merged=True)]
            return
        if not self._speaks_of_all():
            yield [TrackedInstances()]
        if not self.named and self._records():
            yield [TrackedInstances(history=True)]
        yield [ANY]

    def _speaks_of_all(self) -> bool:
        """Tell whether the claim's handlers look at every vCPU."""
        code = (i for o in self.subject.program.operations for i in o.code)
        return any(isinstance(i, Every) for i in code)

    def _records(self) -> bool:
        """Tell whether the claim keeps a record, which depends on who its witness is."""
        fields = self.subject.program.fields
        witnesses = self.subject.program.witnesses
        return any(f.ghost and f.scope is FieldScope.VM and f not in witnesses for f in fields)

    def _proof(self, cases: list[TrackedInstances]) -> Proof | NoProof:
        parts: list[ConfirmedInvariant] = []
        for case in cases:
            match self._part(self.subject.program, case):
                case ConfirmedInvariant() as part:
                    parts.append(part)
                case NoProof() as failed:
                    return failed
                case other:
                    assert_never(other)
        return Proof(tuple(parts))

    def _more(
        self, parts: list[ConfirmedInvariant], program: Program, case: TrackedInstances
    ) -> bool:
        """Add one part more, if it is found."""
        while self.failed:
            self.kept.append(self.failed.pop().inductive_subset())
        match self._part(program, case, (*self.kept, *(p.invariant for p in parts))):
            case ConfirmedInvariant() as part:
                parts.append(part)
                return True
            case NoProof():
                return False
            case other:
                assert_never(other)

    def _scaled(self, effort: int) -> int:
        return effort * self.steps // STEPS

    def _effort(self) -> int:
        """Return how many questions the next search may ask."""
        if self.subject.many:
            return max(0, min(self._scaled(EFFORT_MANY), self.left))
        return self._scaled(EFFORT)

    def _part(
        self, program: Program, case: TrackedInstances, known: tuple[Invariant, ...] = ()
    ) -> ConfirmedInvariant | NoProof:
        where = make_state_space(program, self.subject.kinds, case, many=self.subject.many)
        claims_only = self.subject.claims_only
        builder = Builder(where, self.subject.boundaries, claims_only=claims_only)
        system = builder.run()
        if self.subject.candidates:
            offered = tuple(list_offered(where, self.subject.candidates))
            system = replace(system, offered=offered)
        search = Ic3(system, self._effort(), known)
        before = search.effort
        try:
            invariant = search.run()
        except Exhausted:
            return NoProof("the search for an invariant took too many steps")
        finally:
            self.left -= before - search.effort
        if invariant is None:
            if case == ANY:
                self.failed.append(search)
            self.explain = partial(_no_invariant, where, builder.frames, system, search)
            return TOO_LITTLE
        # Nothing above is trusted: it was looked for over small domains. Only this asks z3, clause
        # by clause, over all integers and pages (L22).
        if list_failing_clauses(system, invariant, self.steps):
            return NoProof("an invariant was found that holds for few vCPUs only")
        return ConfirmedInvariant(case, where, builder.frames, system, invariant)
