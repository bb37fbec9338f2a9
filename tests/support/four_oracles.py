"""Claims about one machine, put to every engine and to the compiled C; they must agree.

In: a machine and claims. Out: an `Answers` for each, or a `DisagreementError` where two oracles
differ.
"""

from __future__ import annotations

import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from flushproof.engines.counterexample import Counterexample
from flushproof.engines.explicit.enumerator import SearchOutcome, Sizes, enumerate_claim
from flushproof.features.reproduce.emit import emit_program
from flushproof.frontend.setup import Bounds
from flushproof.machine.build import Machine
from flushproof.results.verdict import ClaimResult, Verdict
from flushproof.verify.portfolio import Question, decide_claims, decide_with_counterexample
from flushproof.verify.unbounded_proofs import Evidence, ForAll

OUT_OF_REACH = ("no_uninit",)
"""Claims of which running C shows nothing."""


class DisagreementError(AssertionError):
    """Two oracles say different things."""


@dataclass(frozen=True, slots=True)
class Answers:
    """What was found: the verdict within the bounds, and for all where that was asked.

    `ran` tells whether a violation was shown by compiled C.
    """

    verdict: Verdict
    smallest: int | None
    for_all: bool | None
    enumerated: bool
    ran: bool


@dataclass(frozen=True, slots=True)
class Ask:
    """How far to look, and which oracles to ask."""

    bounds: Bounds
    states: int = 60_000
    for_all: bool = True
    compiler: str = "gcc"
    folder: Path | None = None


def ask(machine: Machine, claims: tuple[str, ...], how: Ask) -> Iterator[Answers]:
    """Put claims to all oracles, one after the other.

    Raises:
        DisagreementError: two of them contradict each other.
    """
    machine = machine.within(how.bounds)
    forall = ForAll(machine, evidence=False)
    for claim in claims:
        yield _ask(machine, claim, how, forall)


def _ask(machine: Machine, claim: str, how: Ask, forall: ForAll) -> Answers:
    result, found = decide_with_counterexample(machine, Question((claim,), how.bounds), claim)
    enumerated = _enumerated(machine, claim, how, result)
    for_all = _for_all(machine, claim, result, forall) if how.for_all else None
    ran = False
    if found is not None and how.folder is not None and claim not in OUT_OF_REACH:
        run_compiled(machine, found, how.folder, how.compiler)
        ran = True
    return Answers(result.verdict, result.smallest_vcpus, for_all, enumerated, ran)


def _enumerated(machine: Machine, claim: str, how: Ask, result: ClaimResult) -> bool:
    """Compare with the enumerator; tell whether it came to an end for every number of vCPUs."""
    program = machine.with_claims((claim,))
    low, high = how.bounds.vcpus
    for n in range(low, high + 1):
        sizes = Sizes(n, how.bounds.loads, how.bounds.flushes, how.bounds.flushers)
        outcome = enumerate_claim(program, sizes, claim, how.states)
        if outcome.found is not None:
            _expect(result.smallest_vcpus == n, claim, result, f"the enumerator: refuted at {n}")
            _replays(machine, claim, n, how)
            return True
        if not outcome.complete:
            return False
        if result.smallest_vcpus == n:
            raise DisagreementError(f"{claim}: refuted at {n}, the enumerator: not")
        if _undefined(outcome):
            _expect(result.verdict is Verdict.UNKNOWN, claim, result, "the enumerator: undefined")
            return True
    _expect(result.verdict is Verdict.BOUNDED, claim, result, "the enumerator: holds")
    return True


def _undefined(outcome: SearchOutcome) -> bool:
    return outcome.undefined is not None


def _expect(condition: bool, claim: str, result: ClaimResult, other: str) -> None:
    if not condition:
        own = f"{result.verdict} {result.smallest_vcpus or ''} {result.reason}"
        raise DisagreementError(f"{claim}: {own}; {other}")


def _replays(machine: Machine, claim: str, vcpus: int, how: Ask) -> None:
    """Let the enumerator's own counterexample be replayed and drawn."""
    b = how.bounds
    bounds = Bounds((vcpus, vcpus), b.loads, b.flushes, b.flushers)
    (result,) = decide_claims(machine, Question((claim,), bounds, engine="enumerate"))
    _expect(result.trace is not None, claim, result, "the enumerator's counterexample is not drawn")


def _for_all(machine: Machine, claim: str, result: ClaimResult, forall: ForAll) -> bool:
    """Tell whether a claim is proved for all; that excludes any counterexample."""
    program = machine.with_claims((claim,))
    proved = isinstance(forall.prove(program), Evidence)
    if proved:
        _expect(result.verdict.holds, claim, result, "proved for all")
    return proved


def run_compiled(machine: Machine, found: Counterexample, folder: Path, compiler: str) -> None:
    """Compile a counterexample and let it show the violation."""
    assert found.claim is not None
    text = emit_program(machine, machine.with_claims((found.claim,)), found, "it fails")
    path = folder / "reproduce.c"
    path.write_text(text)
    command = [compiler, "-std=gnu11", "-Wall", "-Wextra", "-Werror", "-o", "it", str(path)]
    made = subprocess.run(command, cwd=folder, check=False, capture_output=True, text=True)
    if made.returncode:
        raise DisagreementError(f"{found.claim}: the C does not compile\n{made.stderr}")
    done = subprocess.run([folder / "it"], check=False, capture_output=True, text=True)
    if done.returncode:
        raise DisagreementError(f"{found.claim}: the C says {done.returncode}\n{done.stdout}")
