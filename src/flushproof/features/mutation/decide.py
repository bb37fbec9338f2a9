"""All mutants of a variant judged, spread over the processors.

In: where the variant came from, and which claims. Out: a `Mutation`. Nothing in it depends on the
number of processes.
"""

from __future__ import annotations

from contextlib import closing
from functools import partial

from flushproof.engines.outcome import Undecided
from flushproof.features.mutation.mutant_checker import Trial
from flushproof.features.mutation.mutant_verdict import (
    Judge,
    baseline_of,
    could_notice,
    in_order,
    kill_of,
    undefined_in,
)
from flushproof.features.mutation.mutants import Mutant, make_mutants
from flushproof.features.mutation.origin import SetupOrigin
from flushproof.machine.build import Machine, build_machine
from flushproof.results.mutation import UNDEFINED, Baseline, Fate, KillCount, MutantResult, Mutation
from flushproof.results.verdict import Verdict
from flushproof.support.diagnostics import InputError
from flushproof.support.process_pool import stream_answers
from flushproof.support.record import Record
from flushproof.verify.progress import MutantListener

IDLE_VCPUS = 2
"""A claim is idle if it kills no mutant with so many vCPUs, and none within the bounds first."""


class Asked(Record, frozen=True):
    """Which claims to ask, whether all of them about every mutant, and with how many processes."""

    claims: tuple[str, ...]
    every: bool
    jobs: int


def judge_mutants(origin: SetupOrigin, asked: Asked, listener: MutantListener) -> Mutation:
    """Judge every mutant.

    Raises:
        InputError: the original is not accepted.
        InternalError: an answer about a mutant contradicts another.
    """
    machine = build_machine(origin.setup)
    listed = make_mutants(origin.setup)
    listener.planned(len(listed))
    baseline = _baseline(machine, asked)
    judge = Judge(origin, machine, baseline, asked.every)
    results = []
    for found in stream_answers(judge.judge, listed, asked.jobs):
        results.append(found)
        listener.told(found)
    kept = tuple(results)
    bounds = origin.setup.bounds
    return Mutation(
        path=origin.setup.variant.name,
        sha256=origin.setup.variant.sha256,
        function=origin.setup.main_function,
        vcpus=bounds.vcpus,
        loads=bounds.loads,
        flushes=bounds.flushes,
        every=asked.every,
        baseline=baseline,
        results=kept,
        effects=_effects(judge, listed, kept, asked),
    )


def _baseline(machine: Machine, asked: Asked) -> tuple[Baseline, ...]:
    """Ask every claim about the original; what is undefined there leaves all of them open."""
    ordered = in_order(asked.claims)
    undefined = undefined_in(machine)
    if isinstance(undefined, Undecided):
        return tuple(Baseline(c, Verdict.UNKNOWN, reason=undefined.reason) for c in ordered)
    return tuple(stream_answers(partial(baseline_of, machine), ordered, asked.jobs))


def _effects(
    judge: Judge, listed: tuple[Mutant, ...], results: tuple[MutantResult, ...], asked: Asked
) -> tuple[KillCount, ...]:
    killers = [k.claim for r in results for k in r.kills]
    dead = tuple(m for m, r in zip(listed, results, strict=True) if r.fate is Fate.KILLED)
    names = [b.claim for b in judge.baseline if b.verdict.holds or b.claim in killers]
    out = []
    for name in names:
        idle = name not in killers and (asked.every or not _kills_any(judge, name, dead, asked))
        out.append(KillCount(name, killers.count(name), idle))
    undefined = killers.count(UNDEFINED)
    return (*out, *((KillCount(UNDEFINED, undefined, idle=False),) if undefined else ()))


def _kills_any(judge: Judge, claim: str, dead: tuple[Mutant, ...], asked: Asked) -> bool:
    """Tell whether a claim kills a mutant that another one killed first."""
    known = next(b for b in judge.baseline if b.claim == claim)
    low, high = judge.machine.setup.bounds.vcpus
    for n in range(low, min(high, IDLE_VCPUS) + 1):
        if could_notice(known, n) and _any_of(judge, known, n, dead, asked.jobs):
            return True
    return False


def _any_of(judge: Judge, known: Baseline, n: int, dead: tuple[Mutant, ...], jobs: int) -> bool:
    def killed(mutant: Mutant) -> bool:
        try:
            trial = Trial(build_machine(judge.origin.again(mutant.source)))
            if not trial.machine.statable(known.claim):
                return False
            quick = trial.quick(known.claim) if n == 1 else None
            return kill_of(known, quick or trial.claim(known.claim, n)) is not None
        except InputError:
            return False

    with closing(stream_answers(killed, dead, jobs)) as answers:
        return any(answers)
