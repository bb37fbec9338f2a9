"""Claims about one file decided, and held against what the command or the spec expects."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING

from flushproof.features.mutation.origin import SetupOrigin
from flushproof.frontend.setup import Setup
from flushproof.frontend.spec import syntax as s
from flushproof.frontend.spec.parser import HOLDS
from flushproof.machine.build import Machine
from flushproof.results.second_opinion import Opinion
from flushproof.results.verdict import ClaimResult, Expected, Report, Verdict
from flushproof.support.record import Record, replace
from flushproof.support.resources import CLAIMS
from flushproof.verify.expectation import expected_by, with_expected
from flushproof.verify.options import COMPILER, SOLVER, Options, Sanity
from flushproof.verify.portfolio import Groundwork, Question, decide_claims
from flushproof.verify.progress import Listener

if TYPE_CHECKING:
    from flushproof.engines.second.second_solver import Second

OnResult = Callable[[ClaimResult], None]


class DecidedFile(Record, frozen=True):
    """What claims are decided about: a file by its name, as a machine, and where it came from."""

    path: str
    machine: Machine
    origin: SetupOrigin


class FileDecider:
    """Decides claims of a file, to "prove", "refute" or "check" them, as they are asked for.

    What they rest on together is found out once.
    """

    def __init__(self, command: str, about: DecidedFile, options: Options) -> None:
        self.command, self.about, self.options = command, about, options
        self._ground: Groundwork | None = None

    def decide(self, claims: tuple[str, ...], on_result: OnResult) -> Report:
        """Decide claims; each result is told at once.

        Raises:
            InputError: a second solver is asked for, and there is none, or a claim has an error.
        """
        about, options = self.about, self.options
        setup = about.machine.setup
        _check_own_claims(about.machine, claims)
        checks = self.command == "check"
        known = _stated(claims, setup, options) if checks else _meant(self.command, claims, options)
        usual = Sanity.REACH if checks else Sanity.QUICK
        question = replace(
            _question(claims, known.every, setup, options),
            second=_second(options),
            doubt=_doubt(about, options.sanity or usual),
            evidence=options.evidence,
        )
        self._ground = self._ground or Groundwork(about.machine, question)
        return report_claims(
            about.path,
            about.machine,
            question,
            known.expecting,
            on_result,
            compiled=options.agree == COMPILER,
            ground=self._ground,
        )


def _check_own_claims(machine: Machine, claims: tuple[str, ...]) -> None:
    """Refuse a claim of the spec that has an error before time is spent on the others.

    Raises:
        InputError: what such a claim says is not accepted.
    """
    for name in claims:
        claim = machine.setup.claim(name)
        if claim and claim.span.file != CLAIMS.name and machine.statable(name):
            machine.with_claim(name)


class _Expectations(Record, frozen=True):
    """Of which claims a proof for every number of vCPUs is asked, and what is expected of each."""

    every: tuple[str, ...]
    expecting: Callable[[ClaimResult], ClaimResult]


def _meant(command: str, claims: tuple[str, ...], options: Options) -> _Expectations:
    """Return what a command expects of all claims."""
    every = claims if expected_by(command, options).every_number else ()
    return _Expectations(every, lambda result: with_expected(result, command, options))


def _stated(claims: tuple[str, ...], setup: Setup, options: Options) -> _Expectations:
    """Return what a spec expects of these claims."""
    stated = {e.claim: _expected(e, options) for e in setup.expectations}
    every = tuple(name for name in claims if stated[name].every_number)
    return _Expectations(every, lambda result: replace(result, expected=stated[result.claim]))


def _question(
    claims: tuple[str, ...], every: Iterable[str], setup: Setup, options: Options
) -> Question:
    """Return what is asked of claims, of those in `every` for every number of vCPUs."""
    return Question(
        claims,
        setup.bounds,
        rounds=options.rounds,
        engine=options.engine,
        every_number=frozenset(every),
        jobs=options.processes,
        steps=options.steps,
        apart=options.megabytes is not None,
    )


def _expected(stated: s.Expectation, options: Options) -> Expected:
    """Return what a spec expects; bounds that the user gives are all that is asked."""
    verdict = Verdict.BOUNDED if stated.verdict == HOLDS else Verdict(stated.verdict)
    every_number = stated.every_number and options.wants_every
    return Expected(verdict, stated.vcpus, every_number)


def _doubt(about: DecidedFile, level: Sanity) -> Callable[[ClaimResult], ClaimResult] | None:
    """Return what asks of a proof whether the claim could fail; None where nobody wants to know."""
    if level is Sanity.OFF:
        return None
    from flushproof.features.mutation.proof_sanity import Doubt

    return Doubt(about.origin, about.machine, level).about


def report_claims(
    path: str,
    machine: Machine,
    question: Question,
    expecting: Callable[[ClaimResult], ClaimResult],
    on_result: OnResult,
    *,
    compiled: bool = False,
    ground: Groundwork | None = None,
) -> Report:
    """Decide the claims of a question about a machine; each result is told as it is found."""
    setup = machine.setup
    opinion = _compiled(machine) if compiled else None
    results: list[ClaimResult] = []
    if isinstance(on_result, Listener):
        on_result.planned(len(question.claims))
        question = replace(question, board=on_result.board)
    for result in decide_claims(machine, question, ground):
        told = expecting(result)
        results.append(told if opinion is None else replace(told, opinion=opinion))
        on_result(results[-1])
    digest = setup.variant.sha256
    return Report(path, digest, setup.name, setup.main_function, tuple(results), setup.read_as)


def _second(options: Options) -> Second | None:
    """Return the solver that is to be asked again; raise `InputError` if it is not installed."""
    if options.agree != SOLVER:
        return None
    from flushproof.engines.second.second_solver import Second

    return Second()


def _compiled(machine: Machine) -> Opinion:
    """Return what gcc says of the code; it does the same as the interpreter."""
    from flushproof.features.compiled.agree import compare_with_gcc

    return compare_with_gcc(machine)
