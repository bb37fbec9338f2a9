"""Deciding claims about one setup, every counterexample replayed.

In: a `Machine` and what is asked of it. Out: a `ClaimResult` for each claim, in order of decision.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from functools import partial
from typing import TYPE_CHECKING

from flushproof.engines import concrete
from flushproof.engines.enumerate import Enumerator, Sizes
from flushproof.engines.found import Found
from flushproof.engines.symbolic.forks import GONE, stream
from flushproof.errors import InternalError
from flushproof.forall import Evidence, ForAll
from flushproof.ir.kinds import infer
from flushproof.ir.program import Operation, Program
from flushproof.limits import EXHAUSTED
from flushproof.machine.buffers.apply import Buffered
from flushproof.machine.build import CAPACITY, Machine
from flushproof.machine.setup import Bounds
from flushproof.opinion import Opinion, joined
from flushproof.progress import Board
from flushproof.record import Record, replace
from flushproof.resources import PRELUDE
from flushproof.trace import Trace
from flushproof.verdict import ClaimResult, Scope, Verdict

if TYPE_CHECKING:
    from flushproof.engines.second.opinion import Second
    from flushproof.engines.symbolic.bounded import Bounded
    from flushproof.engines.symbolic.plan import Plan

    Engine = Bounded | Enumerator

FAILURES = (concrete.Stuck, concrete.Undefined, concrete.GoesOn)
EVERY = "every interleaving"
NO_CACHE = "nothing says which field caches the root: add a `cache when ... is ...` clause"
LOOKING = ("bounded", "enumerate")
"""The engines that look within the bounds only."""
FEW = 2
"""So many vCPUs are looked at before a proof for all is tried."""
SOME = 3
"""So many are looked at where the first attempt at one fails."""
MORE = 3
"""So many flushes of one vCPU are looked at there, whatever the bounds."""
GLANCE = 50
"""Before a proof for all is tried, questions may take this part of their usual effort."""

Range = tuple[int, int] | None
"""From how many to how many vCPUs; None for every number."""

Boundaries = Callable[[Operation], frozenset[int]]


class Question(Record, frozen=True):
    """What is asked: claims by name, within bounds.

    `boundaries` fixes where steps begin, None has it found out; `rounds` lowers the number of
    turns that each thread takes, None lets it be enough for every interleaving. `engine` is
    "bounded", "enumerate" for a few values instead of any, "unbounded", or "auto" for bounded and
    unbounded: within the bounds, and for all if that can be done.
    `jobs` is the number of processes; with `evidence` proofs for all come with their invariant.
    `steps` is how many of its own steps a solver may take for one question, None for the usual
    number; `second` is asked each question again; `board` is told of each number of vCPUs that a
    claim has been looked at with. `apart` has each claim in a process of its own, which may run out
    of memory without harm to others. `doubt` looks at every result before it is told.
    """

    claims: tuple[str, ...]
    bounds: Bounds
    boundaries: Boundaries | None = None
    rounds: int | None = None
    engine: str = "bounded"
    jobs: int = 1
    evidence: bool = False
    steps: int | None = None
    second: Second | None = None
    doubt: Callable[[ClaimResult], ClaimResult] | None = None
    board: Board | None = None
    apart: bool = False


def decide(machine: Machine, question: Question) -> Iterator[ClaimResult]:
    """Decide each claim in turn.

    Raises:
        InternalError: a counterexample does not replay.
        InputError: a claim or the variant is not accepted.
    """
    from flushproof.engines.symbolic.exhausted import exhausting

    machine = machine.within(question.bounds)
    definedness = _Definedness(machine, question)
    forall = ForAll(
        machine, evidence=question.evidence, second=question.second, steps=question.steps
    )
    if question.jobs > 1 and len(question.claims) > 1:
        with suppress(MemoryError), exhausting():
            if question.engine in LOOKING:
                definedness.at(question.bounds.vcpus[0])
            else:
                _ = forall.defined

    def one(name: str) -> ClaimResult:
        claim = _Claim(machine, question, name, definedness, forall)
        if not machine.statable(name):
            return claim.unknown(NO_CACHE, unseen)
        try:
            with exhausting():
                found = claim.decide()
                return found if question.doubt is None else question.doubt(found)
        except MemoryError as error:
            return claim.unknown(str(error) or EXHAUSTED, unseen)

    def lost(name: str) -> ClaimResult:
        return _Claim(machine, question, name, definedness, forall).unknown(GONE, unseen)

    unseen = question.bounds.vcpus
    yield from stream(
        one,
        question.claims,
        question.jobs,
        lost,
        apart=question.apart,
        weight=partial(_weight, machine),
    )


def _weight(machine: Machine, name: str) -> int:
    """Return about how long a claim takes; those that look at every step take longest."""
    claim = machine.setup.claim(name)
    if claim is None:
        return 0
    looking = any(h.event == "step" for h in claim.handlers)
    return len(claim.handlers) + len(claim.witnesses) + 5 * looking


def counterexample(
    machine: Machine, question: Question, name: str
) -> tuple[ClaimResult, Found | None]:
    """Decide one claim; return also what refutes it, in the engines' own terms.

    Raises:
        InternalError: a counterexample does not replay.
        InputError: the claim or the variant is not accepted.
    """
    machine = machine.within(question.bounds)
    forall = ForAll(machine, evidence=False)
    claim = _Claim(machine, question, name, _Definedness(machine, question), forall)
    if not machine.statable(name):
        return claim.unknown(NO_CACHE, question.bounds.vcpus), None
    return claim.decide(), claim.found


def _engine(program: Program, question: Question, plan: Plan | None, part: int = 1) -> Engine:
    """Return the engine asked for, with one part in so many of the usual effort."""
    if question.engine == "enumerate":
        b = question.bounds
        return Enumerator(program, Sizes(b.vcpus[1], b.loads, b.flushes, b.flushers))
    from flushproof.engines.symbolic.bounded import Bounded, Settings
    from flushproof.engines.symbolic.problem import EFFORT
    from flushproof.engines.symbolic.threads import Counts

    bounds = question.bounds
    most = Counts(bounds.vcpus[1], bounds.loads, bounds.flushes, bounds.flushers)
    effort = max(1, (question.steps or EFFORT) // part)
    return Bounded(
        program,
        most,
        Settings(question.boundaries, question.rounds, plan, effort, question.second),
    )


def _taken(engine: Engine) -> tuple[Opinion, ...]:
    """Return the opinions that were given since the last time."""
    if isinstance(engine, Enumerator):
        return ()
    found = tuple(engine.opinions)
    engine.opinions.clear()
    return found


class _Definedness:
    """Whether the variant does anything undefined, asked once for each number of vCPUs."""

    def __init__(self, machine: Machine, question: Question) -> None:
        self.program = machine.with_claims(())
        self.question = question
        self.engine: Engine | None = None
        self.known: dict[int, str] = {}
        self.opinions: dict[int, tuple[Opinion, ...]] = {}

    def at(self, vcpus: int) -> str:
        """Describe what is undefined with so many vCPUs, or why that is open; "" if nothing."""
        if vcpus not in self.known:
            self.engine = self.engine or _engine(self.program, self.question, None)
            found = self.engine.undefined(vcpus)
            self.opinions[vcpus] = _taken(self.engine)
            text = _undefined(self.program, found) if isinstance(found, Found) else found
            self.known[vcpus] = text or ""
        return self.known[vcpus]

    def every_interleaving(self, vcpus: int) -> bool:
        """Tell whether what `at` said takes every interleaving into account."""
        return self.engine is None or self.engine.every_interleaving(vcpus)


class _Claim:
    """One claim being decided."""

    def __init__(
        self,
        machine: Machine,
        question: Question,
        name: str,
        definedness: _Definedness,
        forall: ForAll,
    ) -> None:
        self.machine = machine
        self.forall = forall
        self.question = question
        self.name = name
        self.definedness = definedness
        self.started = time.monotonic()
        self.exact_roots = True
        self.every_interleaving = True
        self.buffers: Buffered | None = None
        self.found: Found | None = None
        self.opinions: list[Opinion] = []
        self.seen: dict[int, Found | str | None] = {}
        self.early: ClaimResult | None = None

    def decide(self) -> ClaimResult:
        """Look at the smallest number of vCPUs first, and for a proof for all of them in time."""
        low, high = self.question.bounds.vcpus
        program = self.machine.with_claims((self.name,))
        self.buffers = self.machine.buffers((self.name,))
        every = range(low, high + 1)
        if self.question.engine in LOOKING:
            return self._look(program, None, every) or self._proved((low, high))
        plan = self.forall.plan(program)
        if self.question.engine == "auto":
            found = self._glance(program, plan, range(low, min(high, FEW) + 1))
            if found is not None:
                return found
        hopeless = partial(self._hopeless, program, plan)
        evidence = self.forall.prove(program, plan, hopeless)
        if self.early is not None:
            return self.early
        if isinstance(evidence, Evidence):
            self.opinions += evidence.opinions
            self.exact_roots = evidence.exact_roots
            return self._proved(None, evidence=evidence)
        if self.question.engine == "unbounded":
            return self.unknown(f"not proved for all: {evidence}", None)
        reason = f"not proved for every number of vCPUs: {evidence}"
        return self._look(program, plan, every) or self._proved((low, high), reason=reason)

    def _glance(self, program: Program, plan: Plan | None, counts: range) -> ClaimResult | None:
        """Look with little effort, and note what is found; return what refutes the claim."""
        engine = _engine(program, self.question, plan, GLANCE)
        for n in counts:
            answer = engine.claim(self.name, n)
            self._tell()
            if answer is None or (isinstance(answer, Found) and answer.least):
                self._note(engine, n)
                self.seen[n] = answer
            if isinstance(answer, Found):
                return self._look(program, plan, range(self.question.bounds.vcpus[0], n + 1))
        return None

    def _hopeless(self, program: Program, plan: Plan | None) -> str:
        """Return why there is no proof for all, where a few vCPUs more show it with little effort.

        Beyond the bounds only a little is tried.
        """
        if self.question.engine != "auto":
            return ""
        bounds = self.question.bounds
        low, high = bounds.vcpus
        within = range(max(low, FEW + 1), min(high, SOME) + 1)
        self.early = self._glance(program, plan, within)
        if self.early is not None:
            return "it is decided with few"
        for n in range(high + 1, SOME + 1):
            if self._fails(program, plan, replace(bounds, vcpus=(n, n), loads=1, flushes=1)):
                return f"it fails with {_count(n, 'vCPU')}"
        if bounds.flushes < MORE:
            more = replace(bounds, vcpus=(1, 1), loads=max(2, bounds.loads), flushes=MORE)
            if self._fails(program, plan, more):
                return f"it fails with 1 vCPU, {more.loads} loads and {MORE} flushes"
        return ""

    def _fails(self, program: Program, plan: Plan | None, bounds: Bounds) -> bool:
        """Tell whether little effort shows that the claim fails within other bounds."""
        question = replace(self.question, bounds=bounds, second=None)
        found = _engine(program, question, plan, 10 * GLANCE).claim(self.name, bounds.vcpus[1])
        if isinstance(found, Found):
            _replay(program, found)
        return isinstance(found, Found)

    def _look(self, program: Program, plan: Plan | None, counts: range) -> ClaimResult | None:
        """Return what is found with so many vCPUs; None where the claim holds."""
        engine = _engine(program, self.question, plan)
        low = self.question.bounds.vcpus[0]
        for n in counts:
            if n not in self.seen:
                self.seen[n] = engine.claim(self.name, n)
                self._tell()
                self._note(engine, n)
            answer = self.seen[n]
            if isinstance(answer, Found):
                return self._refuted(program, answer)
            undefined = self.definedness.at(n)
            self.opinions += self.definedness.opinions[n]
            self.every_interleaving &= self.definedness.every_interleaving(n)
            if undefined:
                return self.unknown(f"undefined behaviour: {undefined}", (low, n))
            if answer is not None:
                return self.unknown(answer, (low, n))
        return None

    def _note(self, engine: Engine, n: int) -> None:
        self.opinions += _taken(engine)
        self.exact_roots = engine.exact_roots
        self.every_interleaving &= engine.every_interleaving(n)

    def _tell(self) -> None:
        if self.question.board is not None:
            self.question.board.look(self.question.claims.index(self.name))

    def _proved(
        self, vcpus: Range, *, reason: str = "", evidence: Evidence | None = None
    ) -> ClaimResult:
        return self._result(Verdict.PROVED, vcpus, reason=reason, evidence=evidence)

    def unknown(self, reason: str, vcpus: Range) -> ClaimResult:
        """Return that the claim is not decided, and why."""
        return self._result(Verdict.UNKNOWN, vcpus, reason=reason)

    def _refuted(self, program: Program, found: Found) -> ClaimResult:
        from flushproof.explain.trace import explain

        state = _replay(program, found)
        self.found = found
        schedule = found.schedule
        claim = self.machine.setup.claim(self.name)
        assert claim is not None
        n = schedule.vcpus
        least = found.least and self.every_interleaving
        smallest = (
            f"{_count(n, 'vCPU')}, {_count(found.roots, 'root')}, "
            f"{_count(found.calls, 'operation')}; "
            f"{'none with fewer' if least else 'fewer were not ruled out'}"
        )
        trace = explain(self.machine, claim, program, schedule, state, smallest)
        low = self.question.bounds.vcpus[0]
        return self._result(Verdict.REFUTED, (low, n), smallest=n, trace=trace)

    def _result(
        self,
        verdict: Verdict,
        vcpus: Range,
        *,
        smallest: int | None = None,
        trace: Trace | None = None,
        reason: str = "",
        evidence: Evidence | None = None,
    ) -> ClaimResult:
        claim = self.machine.setup.claim(self.name)
        assert claim is not None
        return ClaimResult(
            claim=self.name,
            text=claim.text,
            verdict=verdict,
            scope=self._scope(vcpus),
            assumptions=self._assumptions(),
            seconds=time.monotonic() - self.started,
            smallest_vcpus=smallest,
            trace=trace,
            reason=reason,
            invariant=() if evidence is None else evidence.invariant,
            script="" if evidence is None else evidence.script,
            opinion=self._opinion(),
        )

    def _opinion(self) -> Opinion | None:
        second = self.question.second
        found = joined(self.opinions)
        if second is None or found is not None:
            return found
        return Opinion(second.solver, 0, 0, "no question needed a solver")

    def _assumptions(self) -> tuple[str, ...]:
        known = assumptions(self.machine)
        if self.buffers is not None and self.buffers.unlocks:
            return (*known, "an unlock waits until the stores before it are in memory")
        return known

    def _scope(self, vcpus: Range) -> Scope:
        bounds = self.question.bounds
        rounds = None if self.every_interleaving else self.question.rounds
        full = self.buffers is not None and self.buffers.full
        return Scope(
            vcpus=vcpus,
            loads=None if vcpus is None else bounds.loads,
            flushes=None if vcpus is None else bounds.flushes,
            flushers=bounds.flushers,
            interleavings=EVERY if rounds is None else _only(rounds),
            roots=self._roots(vcpus),
            rounds=rounds,
            memory=self.machine.setup.memory,
            buffer=CAPACITY if full else None,
        )

    def _roots(self, vcpus: Range) -> str:
        if self.question.engine == "enumerate" and vcpus is not None:
            sizes = Sizes(vcpus[1], self.question.bounds.loads)
            return f"{_count(sizes.roots, 'root')}, one range and one error code"
        return "uninterpreted" if self.exact_roots else "64-bit vectors"


def _replay(program: Program, found: Found) -> concrete.State:
    claim = found.claim
    try:
        state = concrete.replay(program, found.schedule, lambda o: found.boundaries[o.name])
    except (*FAILURES, StopIteration, KeyError) as error:
        text = f"the counterexample of `{claim}` does not replay: {error!r}"
        raise InternalError(text) from error
    if not any(v.claim == claim for v in state.violations):
        raise InternalError(f"the counterexample of `{claim}` does not replay: nothing fails")
    return state


def _undefined(program: Program, found: Found) -> str:
    try:
        concrete.replay(program, found.schedule, lambda o: found.boundaries[o.name])
    except concrete.Undefined as error:
        span = error.instr.span
        where = "" if span is None else f" at {span.file}:{span.line}"
        return f"{error.text}{where}, with {_count(found.schedule.vcpus, 'vCPU')}"
    except concrete.Stuck:
        pass
    raise InternalError("undefined behaviour that does not replay")


def assumptions(machine: Machine) -> tuple[str, ...]:
    """Return the assumptions in words."""
    given = machine.setup.assumptions
    out = []
    if given.load_flushes:
        out.append("a load flushes the vCPU's own TLB for its new root")
    if given.vcpu_roots_start_invalid:
        out.append("vCPU creation sets the root fields to INVALID_PAGE")
    eptp = machine.setup.declarations.functions.get("construct_eptp")
    shipped = eptp is not None and eptp.span.file == PRELUDE.name
    if shipped and infer(machine.base).split:
        out.append("the attribute bits of an EPT pointer depend on its root alone")
    return (*out, *machine.setup.assumed)


def _only(rounds: int) -> str:
    return f"up to {_count(rounds, 'round')}, not every interleaving"


def _count(n: int, noun: str) -> str:
    return f"{n} {noun}" if n == 1 else f"{n} {noun}s"
