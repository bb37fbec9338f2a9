"""Costs of one variant, each attained by a schedule that the interpreter has replayed.

In: a machine and how far to look. Out: `Costs`. For each number of vCPUs and of roots in use the
bounded engine looks for the largest number with which the claim of `monitor.py` fails: from boot,
over every interleaving within the bounds, hypercalls failing or not as they like.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from typing import assert_never

from flushproof.engines.bounded.engine import Bounded, Settings
from flushproof.engines.bounded.maximise import Largest, find_largest_number
from flushproof.engines.bounded.query import EFFORT
from flushproof.engines.bounded.threads import Counts
from flushproof.engines.counterexample import Counterexample
from flushproof.engines.interpreter import interpreter
from flushproof.engines.outcome import NoCounterexample, Undecided
from flushproof.features.cost.monitor import claim_of, name_of, witness_of
from flushproof.frontend.spec.builtin import load_builtin
from flushproof.ir.code import Hypercall
from flushproof.ir.program import Program
from flushproof.ir.types import NONE
from flushproof.machine.build import Machine
from flushproof.machine.monitors import RUNS_ON
from flushproof.results.costs import Cost, Costs
from flushproof.results.trace import Trace
from flushproof.results.verdict import VerdictScope
from flushproof.support.errors import InternalError
from flushproof.support.process_pool import stream_answers
from flushproof.support.record import Record, replace
from flushproof.verify.assumptions import list_assumptions
from flushproof.verify.conclusion import EVERY
from flushproof.verify.question import FAILURES
from flushproof.verify.trace.build_trace import build_trace

ROOTS = 4
"""More roots in use than this are not looked at."""


class _Found(Record, frozen=True):
    """The costs with so many roots, and whether roots were uninterpreted."""

    cells: tuple[Cost, ...]
    exact_roots: bool


def measure_costs(machine: Machine, path: str, jobs: int = 1, steps: int | None = None) -> Costs:
    """Find the costs with 1 vCPU up to the machine's bound, and up to `ROOTS` roots in use.

    `steps` is how many of its own steps the solver may take for one question.

    Raises:
        InputError: the variant is not accepted.
        InternalError: a schedule does not replay.
    """
    started = time.monotonic()
    setup = machine.setup
    bounds = replace(setup.bounds, vcpus=(1, setup.bounds.vcpus[1]))
    numbers = range(1, min(ROOTS, bounds.vcpus[1]) + 1)
    effort, context = steps or EFFORT, load_builtin().context
    claims = tuple(claim_of(k, context) for k in numbers)
    wide = replace(setup, bounds=bounds, claims=(*setup.claims, *claims))
    looked = replace(machine, setup=wide)
    undefined = _undefined(looked, effort)
    found = list(
        stream_answers(lambda roots: _with_roots(looked, roots, undefined, effort), numbers, jobs)
    )
    exact = all(f.exact_roots for f in found)
    return Costs(
        path=path,
        cells=tuple(sorted((c for f in found for c in f.cells), key=_order)),
        scope=VerdictScope(
            vcpus=bounds.vcpus,
            loads=bounds.loads,
            flushes=bounds.flushes,
            flushers=bounds.flushers,
            interleavings=EVERY,
            roots="uninterpreted" if exact else "64-bit vectors",
            memory=setup.memory,
        ),
        assumptions=list_assumptions(machine),
        seconds=time.monotonic() - started,
    )


def _order(cost: Cost) -> tuple[int, int]:
    return cost.vcpus, cost.roots


def _engines(machine: Machine, program: Program, effort: int) -> tuple[Bounded, ...]:
    """Return one engine for a single load and flush of each, if that is less, and one for all."""
    bounds = machine.setup.bounds
    counts = Counts(bounds.vcpus[1], bounds.loads, bounds.flushes, bounds.flushers)
    few = replace(counts, loads=min(1, counts.loads), flushes=min(1, counts.flushes))
    whole = Bounded(program, counts, Settings(effort=effort))
    if few == counts:
        return (whole,)
    return (Bounded(program, few, Settings(plan=whole.plan, effort=effort)), whole)


def _undefined(machine: Machine, effort: int) -> dict[int, str]:
    """Return for which numbers of vCPUs something undefined can happen, or may for all we know."""
    engine = _engines(machine, machine.with_claims(()), effort)[-1]
    out: dict[int, str] = {}
    for vcpus in range(1, machine.setup.bounds.vcpus[1] + 1):
        match engine.undefined(vcpus):
            case Counterexample(text=text) | Undecided(text):
                out[vcpus] = f"undefined behaviour: {text}"
            case NoCounterexample():
                pass
            case other:
                assert_never(other)
    return out


def _with_roots(machine: Machine, roots: int, undefined: dict[int, str], effort: int) -> _Found:
    """Find the costs with so many roots; with one vCPU more a call rarely costs less."""
    program = machine.with_claim(name_of(roots))
    engines = _engines(machine, program, effort)
    cells: list[Cost] = []
    guess = roots
    for vcpus in range(roots, machine.setup.bounds.vcpus[1] + 1):
        if vcpus in undefined:
            cells.append(Cost(vcpus, roots, None, reason=undefined[vcpus]))
            continue
        cells.append(_cost(machine, program, engines, Cost(vcpus, roots, guess)))
        guess = cells[-1].most or guess
    return _Found(tuple(cells), all(e.exact_roots for e in engines))


def _cost(machine: Machine, program: Program, engines: tuple[Bounded, ...], sought: Cost) -> Cost:
    name = name_of(sought.roots)
    guess = sought.most or 1
    answer = find_largest_number(engines, name, witness_of(sought.roots), sought.vcpus, guess)
    if isinstance(answer, Undecided):
        return replace(sought, most=None, reason=answer.reason)
    cost = replace(sought, most=answer.number)
    if answer.found is None:
        return cost
    return replace(cost, trace=_replayed(machine, program, answer, answer.found, cost))


def _replayed(
    machine: Machine, program: Program, answer: Largest, found: Counterexample, cost: Cost
) -> Trace:
    """Replay a schedule, count its hypercalls and roots once more, and put it into words."""
    try:
        state = interpreter.replay(program, found.schedule, lambda o: found.boundaries[o.name])
    except (*FAILURES, StopIteration, KeyError) as error:
        raise InternalError(f"the schedule of a cost does not replay: {error!r}") from error
    counted = max((len(_calls(state, v)) for v in state.violations), default=0)
    used = set(_roots(state)) - {NONE}
    if counted != cost.most or len(used) != cost.roots:
        text = f"{counted} hypercalls on {len(used)} roots, not {cost.most} on {cost.roots}"
        raise InternalError(f"the schedule of a cost replays with {text}")
    assert found.claim is not None
    claim = machine.setup.claim(found.claim)
    assert claim is not None
    return build_trace(machine, claim, program, found.schedule, state, _smallest(answer, found))


def _calls(state: interpreter.State, at: interpreter.Violation) -> list[interpreter.Happening]:
    return [
        h
        for h in state.happenings
        if (h.thread, h.call) == (at.thread, at.call) and isinstance(h.instr, Hypercall)
    ]


def _roots(state: interpreter.State) -> Iterator[int]:
    return (state.memory[RUNS_ON.name, v] for v in range(state.vcpus))


def _smallest(answer: Largest, found: Counterexample) -> str:
    calls = "1 operation" if found.calls == 1 else f"{found.calls} operations"
    if not found.least:
        return f"{calls}; fewer were not ruled out"
    limited = "" if answer.whole else " where each thread acts at most once"
    return f"{calls}; none with fewer{limited}"
