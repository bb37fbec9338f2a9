"""Every claim about one variant, put to the solver, the enumerator and the compiled C.

In: a machine and a number of calls. Out: a `Tally`, or a `DisagreementError` where two oracles
differ. To be quick, claims are put to the solver together: one program with the monitors of
several claims, one plan, one formula, and any counterexample instead of the smallest; the
interpreter repeats each. The enumerator takes them one by one. Compiled C shows the enumerator's
counterexample of one claim; where nothing is refuted it is to leave the state that the interpreter
leaves, after each of a few random operations.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import z3

from flushproof.engines.bounded.decode_model import decode_schedule
from flushproof.engines.bounded.engine import Bounded
from flushproof.engines.bounded.query import BoundedQuery, Failure
from flushproof.engines.bounded.threads import Counts
from flushproof.engines.counterexample import Counterexample
from flushproof.engines.explicit.enumerator import SearchOutcome, Sizes, enumerate_claim
from flushproof.engines.interpreter import interpreter
from flushproof.engines.smt import terms as t
from flushproof.features.compiled.agree import compare_with_gcc
from flushproof.ir.program import Program
from flushproof.machine.build import Machine
from flushproof.support.errors import InternalError
from support.four_oracles import OUT_OF_REACH, DisagreementError, run_compiled

SEQUENCES = 2


@dataclass(frozen=True, slots=True)
class Tally:
    """How many claims fail and hold, with how many all states were seen, and what C showed.

    `undefined`: the code does something undefined, so that what is not refuted is unknown.
    `operations` is how many left the same state in C.
    """

    refuted: int
    held: int
    enumerated: int
    undefined: bool
    ran: int
    operations: int


@dataclass(frozen=True, slots=True)
class Together:
    """How far to look for all claims of a variant: one number of vCPUs, calls, and states."""

    sizes: Sizes
    states: int
    number: int
    folder: Path | None


def ask_together(machine: Machine, claims: tuple[str, ...], how: Together) -> Tally:
    """Put all claims to three oracles.

    Raises:
        DisagreementError: two of them contradict each other.
    """
    failing: set[str] = set()
    undefined = False
    for group in _groups(machine, claims):
        broken, found = _solver(machine.with_claims(group), group, how.sizes)
        failing |= found
        undefined |= broken
    enumerated = [_enumerated(machine, c, how, c in failing, undefined) for c in claims]
    ran = operations = 0
    if how.folder is not None:
        shown = [o.found for o in enumerated if o.found and o.found.claim not in OUT_OF_REACH]
        if shown:
            run_compiled(machine, shown[how.number % len(shown)], how.folder, "gcc")
            ran = 1
        elif not failing and not undefined:
            operations = _same_state(machine)
    complete = sum(o.complete for o in enumerated)
    held = len(claims) - len(failing)
    return Tally(len(failing), held, complete, undefined, ran, operations)


def _groups(machine: Machine, claims: tuple[str, ...]) -> Iterator[tuple[str, ...]]:
    """Yield the claims that are put together.

    Those that watch every state are alone: how steps may move is asked of states in which no such
    claim has failed so far. Accesses as witnesses cost most.
    """
    alone = tuple(c for c in claims if watches(machine, c, "step"))
    accesses = tuple(c for c in claims if watches(machine, c, "access") and c not in alone)
    rest = tuple(c for c in claims if c not in (*alone, *accesses))
    yield from (g for g in (rest, accesses, *((c,) for c in alone)) if g)


def watches(machine: Machine, name: str, event: str) -> bool:
    """Tell whether a claim has a handler for an event."""
    claim = machine.setup.claim(name)
    return claim is not None and any(h.event == event for h in claim.handlers)


# The solver --------------------------------------------------------------------------------------


def _solver(program: Program, claims: tuple[str, ...], sizes: Sizes) -> tuple[bool, set[str]]:
    """Return whether something undefined can happen, and which claims can fail before that."""
    counts = Counts(sizes.vcpus, sizes.loads, sizes.flushes, sizes.flushers)
    p = Bounded(program, counts).problem(sizes.vcpus)
    undefined = bool(p.faults()) and _may(p, p.faults())
    p.constraints += (t.z3_bool(t.not_(f.condition)) for f in p.faults())
    failures = {c: p.failures(c) for c in claims}
    if not _may(p, [f for fs in failures.values() for f in fs]):
        return undefined, set()
    return undefined, {c for c, fs in failures.items() if _fails(p, c, fs)}


def _may(p: BoundedQuery, failures: list[Failure]) -> bool:
    return not p.excludes(failures)


def _fails(p: BoundedQuery, claim: str, failures: list[Failure]) -> bool:
    """Tell whether a claim can fail, and let the interpreter repeat how."""
    goal = t.or_(*(f.condition for f in failures))
    if goal is False:
        return False
    p.solver.push()
    p.solver.add(t.z3_bool(goal))
    answer = p.solver.check()
    if answer == z3.sat:
        found = Counterexample(
            claim, decode_schedule(p, p.solver.model()), p.plan.boundaries, 0, 0, ""
        )
        _repeat(p.program, found)
    elif answer != z3.unsat:
        raise DisagreementError(f"{claim}: the solver gave up")
    p.solver.pop()
    return bool(answer == z3.sat)


def _repeat(program: Program, found: Counterexample) -> None:
    """Run a schedule to its end; claims that fail on the way are not those that were asked for."""
    state = interpreter.initial_state(program, found.schedule)
    for position in found.schedule.order:
        thread = state.threads[position]
        interpreter.step_thread(
            state, thread, lambda o: found.boundaries[o.name], to_violation=False
        )
    if not any(v.claim == found.claim for v in state.violations):
        raise DisagreementError(f"{found.claim}: the solver: fails; the interpreter: does not")


# The enumerator and the C ------------------------------------------------------------------------


def _enumerated(
    machine: Machine, claim: str, how: Together, fails: bool, undefined: bool
) -> SearchOutcome:
    """Compare with what the enumerator says, as far as it gets."""
    outcome = enumerate_claim(machine.with_claims((claim,)), how.sizes, claim, how.states)
    if outcome.found is not None and not fails:
        raise DisagreementError(f"{claim}: the solver: holds; the enumerator: fails")
    if outcome.found is None and outcome.complete:
        if fails:
            raise DisagreementError(f"{claim}: the solver: fails; the enumerator: holds")
        if (outcome.undefined is not None) != undefined:
            raise DisagreementError(f"{claim}: not undefined for both: {outcome.undefined}")
    return outcome


def _same_state(machine: Machine) -> int:
    """Compare the state after random operations in compiled C and in the interpreter."""
    try:
        return compare_with_gcc(machine, SEQUENCES).agreed
    except InternalError as error:
        raise DisagreementError(str(error)) from error
