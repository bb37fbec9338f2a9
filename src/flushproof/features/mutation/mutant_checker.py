"""One variant on trial: asked claim by claim, for one number of vCPUs at a time.

In: a machine. Out: whether a claim fails there, by a counterexample that was replayed. What was
found out about the program of a claim is kept for the next number.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, assert_never

from flushproof.engines.counterexample import Counterexample
from flushproof.engines.explicit.domains import FEW
from flushproof.engines.explicit.enumerator import Sizes, enumerate_claim
from flushproof.engines.interpreter import interpreter
from flushproof.engines.outcome import NoCounterexample, Outcome, Undecided
from flushproof.ir.program import Program
from flushproof.machine.build import Machine
from flushproof.support.errors import InternalError
from flushproof.support.record import Record

if TYPE_CHECKING:
    from flushproof.engines.bounded.engine import Bounded

STATES = 6000
"""A quick look ends after so many states."""


class Fails(Record, frozen=True):
    """A claim fails with so many vCPUs, after no fewer than so many calls."""

    vcpus: int
    calls: int

    def smaller(self, other: Fails) -> bool:
        """Tell whether this needs fewer vCPUs, or as many and fewer calls."""
        return (self.vcpus, self.calls) < (other.vcpus, other.calls)


Answer = Fails | NoCounterexample | Undecided


class Trial:
    """One machine; answers are for its own bounds."""

    def __init__(self, machine: Machine) -> None:
        self.machine = machine
        self._programs: dict[str | None, tuple[Program, Bounded]] = {}
        self._unnamed: dict[str, Program] = {}

    def claim(self, name: str, vcpus: int) -> Answer:
        """Ask whether a claim fails.

        Raises:
            InputError: the variant is not accepted with this claim.
            InternalError: a counterexample does not replay.
        """
        program, engine = self._program(name)
        return self._answer(program, engine.claim(name, vcpus))

    def quick(self, name: str, vcpus: int = 1) -> Fails | None:
        """Look for a short counterexample without the solver: one load a vCPU, few flushes.

        None means nothing: there may be one with more calls, or among more states.

        Raises:
            InputError: the variant is not accepted with this claim.
        """
        if name not in self._unnamed:
            self._unnamed[name] = self.machine.with_claims((name,))
        program = self._unnamed[name]
        bounds = self.machine.setup.bounds
        flushes = min(bounds.flushes, 2 if vcpus == 1 else 1)
        sizes = Sizes(vcpus, min(bounds.loads, 1), flushes, min(bounds.flushers, 1), FEW)
        found = enumerate_claim(program, sizes, name, STATES, depth_first=True).found
        if found is None:
            return None
        replay_counterexample(program, found)
        return Fails(found.schedule.vcpus, found.calls)

    def undefined(self, vcpus: int) -> Answer:
        """Ask whether the code does anything undefined.

        Raises:
            InputError: the variant is not accepted.
            InternalError: an execution does not replay.
        """
        program, engine = self._program(None)
        return self._answer(program, engine.undefined(vcpus))

    def _program(self, name: str | None) -> tuple[Program, Bounded]:
        from flushproof.engines.bounded.engine import Bounded, Settings
        from flushproof.engines.bounded.threads import Counts

        if name not in self._programs:
            base = self.machine
            program = base.with_claims(()) if name is None else base.with_claim(name)
            b = self.machine.setup.bounds
            most = Counts(b.vcpus[1], b.loads, b.flushes, b.flushers)
            # Nobody reads the counterexample, so it is not made small beyond what `Fails` tells.
            engine = Bounded(program, most, Settings(calls_only=True))
            self._programs[name] = (program, engine)
        return self._programs[name]

    def _answer(self, program: Program, answer: Outcome) -> Answer:
        match answer:
            case Counterexample():
                replay_counterexample(program, answer)
                return Fails(answer.schedule.vcpus, answer.calls)
            case NoCounterexample() | Undecided():
                return answer
            case other:
                assert_never(other)


def replay_counterexample(program: Program, found: Counterexample) -> None:
    """Run a counterexample in the interpreter.

    Raises:
        InternalError: what was said to fail does not.
    """
    try:
        state = interpreter.replay(program, found.schedule, lambda o: found.boundaries[o.name])
        fails = any(v.claim == found.claim for v in state.violations)
    except interpreter.Undefined:
        fails = found.claim is None
    except (interpreter.Stuck, interpreter.GoesOn, StopIteration, KeyError) as error:
        raise InternalError(f"a mutant's counterexample does not replay: {error!r}") from error
    if not fails:
        raise InternalError("a mutant's counterexample does not replay: nothing fails")
