"""What is asked about claims, and the engine that answers it.

`replay_to_end` runs what an engine found once more in the interpreter, which knows nothing of
solvers.

Lemma L6 of docs/soundness.md.
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager
from typing import TYPE_CHECKING

from flushproof.engines.counterexample import Counterexample
from flushproof.engines.explicit.enumerator import ExplicitEngine, Sizes
from flushproof.engines.interpreter import interpreter
from flushproof.engines.outcome import NoCounterexample, Undecided
from flushproof.frontend.setup import Bounds
from flushproof.ir.program import Operation, Program
from flushproof.machine.build import Machine
from flushproof.results.second_opinion import Opinion
from flushproof.results.verdict import ClaimResult
from flushproof.support.errors import InternalError
from flushproof.support.record import Record
from flushproof.support.wording import count_noun
from flushproof.verify.progress import Board

if TYPE_CHECKING:
    from flushproof.engines.bounded.engine import Bounded
    from flushproof.engines.reduction.step_plan import StepPlan
    from flushproof.engines.second.second_solver import Second
    from flushproof.engines.smt.term_space import TermSpace

    Engine = Bounded | ExplicitEngine

FAILURES = (interpreter.Stuck, interpreter.Undefined, interpreter.GoesOn)
LOOKING = ("bounded", "enumerate")
"""The engines that look within the bounds only."""

Boundaries = Callable[[Operation], frozenset[int]]


class Question(Record, frozen=True):
    """What is asked: claims by name, within bounds.

    `boundaries` fixes where steps begin, None has it found out; `rounds` lowers the number of
    turns that each thread takes, None lets it be enough for every interleaving. `engine` is
    "bounded", "enumerate" for a few values instead of any, "unbounded", or "auto" for bounded and
    unbounded: within the bounds, and for all if that can be done. None means "auto" for claims
    named in `every_number` and "bounded" for others. The former are asked for every number of
    vCPUs, so that a counterexample beyond the bounds refutes them.
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
    engine: str | None = None
    every_number: frozenset[str] = frozenset()
    jobs: int = 1
    evidence: bool = False
    steps: int | None = None
    second: Second | None = None
    doubt: Callable[[ClaimResult], ClaimResult] | None = None
    board: Board | None = None
    apart: bool = False

    def engine_of(self, claim: str) -> str:
        """Return the engine that decides a claim; with so many rounds it is one that looks."""
        wanted = self.engine or ("auto" if claim in self.every_number else "bounded")
        return "bounded" if self.rounds is not None and wanted == "auto" else wanted


def engine_for(
    program: Program, question: Question, plan: StepPlan | None, part: int = 1
) -> Engine:
    """Return the engine asked for, with one part in so many of the usual effort."""
    if question.engine == "enumerate":
        b = question.bounds
        return ExplicitEngine(program, Sizes(b.vcpus[1], b.loads, b.flushes, b.flushers))
    from flushproof.engines.bounded.engine import Bounded, Settings
    from flushproof.engines.bounded.query import EFFORT
    from flushproof.engines.bounded.threads import Counts

    bounds = question.bounds
    most = Counts(bounds.vcpus[1], bounds.loads, bounds.flushes, bounds.flushers)
    effort = max(1, (question.steps or EFFORT) // part)
    return Bounded(
        program,
        most,
        Settings(question.boundaries, question.rounds, plan, effort, question.second),
    )


def take_opinions(engine: Engine) -> tuple[Opinion, ...]:
    """Return the opinions that were given since the last time."""
    if isinstance(engine, ExplicitEngine):
        return ()
    found = tuple(engine.opinions)
    engine.opinions.clear()
    return found


class Definedness:
    """Whether the variant does anything undefined, asked once for each number of vCPUs."""

    def __init__(self, machine: Machine, question: Question) -> None:
        self.program = machine.with_claims(())
        self.question = question
        self.engine: Engine | None = None
        self.terms: TermSpace | None = None
        self.known: dict[int, NoCounterexample | Undecided] = {}
        self.opinions: dict[int, tuple[Opinion, ...]] = {}

    def at(self, vcpus: int) -> NoCounterexample | Undecided:
        """Describe what is undefined with so many vCPUs, if anything is, or why that is open."""
        if vcpus not in self.known:
            with self._own_terms():
                self.known[vcpus] = self._ask(vcpus)
        return self.known[vcpus]

    def _own_terms(self) -> AbstractContextManager[None]:
        from flushproof.engines.smt.term_space import TermSpace

        self.terms = self.terms or TermSpace()
        return self.terms.entered()

    def _ask(self, vcpus: int) -> NoCounterexample | Undecided:
        self.engine = self.engine or engine_for(self.program, self.question, None)
        outcome = self.engine.undefined(vcpus)
        self.opinions[vcpus] = take_opinions(self.engine)
        if isinstance(outcome, Counterexample):
            return Undecided(_undefined(self.program, outcome))
        return outcome

    def every_interleaving(self, vcpus: int) -> bool:
        """Tell whether what `at` said takes every interleaving into account."""
        with self._own_terms():
            return self.engine is None or self.engine.every_interleaving(vcpus)


def replay_to_end(program: Program, found: Counterexample) -> interpreter.State:
    """Return the state in which the interpreter sees a counterexample end.

    Raises:
        InternalError: it does not replay, or nothing fails.
    """
    claim = found.claim
    try:
        state = interpreter.replay(program, found.schedule, lambda o: found.boundaries[o.name])
    except (*FAILURES, StopIteration, KeyError) as error:
        text = f"the counterexample of `{claim}` does not replay: {error!r}"
        raise InternalError(text) from error
    if not any(v.claim == claim for v in state.violations):
        raise InternalError(f"the counterexample of `{claim}` does not replay: nothing fails")
    return state


def _undefined(program: Program, found: Counterexample) -> str:
    try:
        interpreter.replay(program, found.schedule, lambda o: found.boundaries[o.name])
    except interpreter.Undefined as error:
        span = error.instr.span
        where = "" if span is None else f" at {span.file}:{span.line}"
        return f"{error.text}{where}, with {count_noun(found.schedule.vcpus, 'vCPU')}"
    except interpreter.Stuck:
        pass
    raise InternalError("undefined behaviour that does not replay")
