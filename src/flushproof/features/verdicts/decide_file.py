"""Claims about one file decided, and held against what the command or the spec expects."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING

from flushproof.features.mutation.origin import SetupOrigin, origin_of
from flushproof.frontend.setup import Setup
from flushproof.frontend.spec import syntax as s
from flushproof.frontend.spec.parser import HOLDS
from flushproof.machine.build import Machine, build_machine
from flushproof.results.second_opinion import Opinion
from flushproof.results.verdict import ClaimResult, Expected, Report, Verdict
from flushproof.support.record import Record, replace
from flushproof.verify.expectation import expected_by, with_expected
from flushproof.verify.open_input import Opened
from flushproof.verify.options import COMPILER, SOLVER, Options, Sanity
from flushproof.verify.portfolio import Question, decide_claims
from flushproof.verify.progress import Listener
from flushproof.verify.set_up import configure_setup, select_claims, select_expected_claims

if TYPE_CHECKING:
    from flushproof.engines.second.second_solver import Second

OnResult = Callable[[ClaimResult], None]


class NamedInput(Record, frozen=True):
    """A file as it was named, and what was read."""

    path: str
    spec: str | None
    opened: Opened


def decide_variant(
    asked: NamedInput, options: Options, on_result: OnResult, command: str
) -> Report:
    """Decide claims of a file, "prove" or "refute" them; each result is told as it is found.

    Raises:
        InputError: there is no claim of some name, or the file cannot be lowered.
    """
    path, spec, opened = asked.path, asked.spec, asked.opened
    setup = configure_setup(opened.setup, options)
    claims = select_claims(setup, options)
    every = claims if expected_by(command, options).every_number else ()
    second, machine = _second(options), build_machine(setup)
    origin = origin_of(path, spec, opened, options.choices)
    question = replace(
        _question(claims, every, setup, options),
        second=second,
        doubt=_doubt(origin, machine, options.sanity or Sanity.QUICK),
        evidence=options.evidence,
    )

    def expecting(result: ClaimResult) -> ClaimResult:
        return with_expected(result, command, options)

    compiled = options.agree == COMPILER
    return report_claims(path, machine, question, expecting, on_result, compiled=compiled)


def check_spec(asked: NamedInput, options: Options, on_result: OnResult) -> Report:
    """Decide the expectations of a spec file; each result is told as it is found.

    Raises:
        InputError: of some claim nothing is expected, or the file cannot be lowered.
    """
    path, opened = asked.path, asked.opened
    setup = configure_setup(opened.setup, options)
    expected = {e.claim: _expected(e, options) for e in setup.expectations}
    claims = select_expected_claims(setup, options)
    every = (name for name in claims if expected[name].every_number)
    second, machine = _second(options), build_machine(setup)
    origin = origin_of(path, None, replace(opened, setup=setup), options.choices)
    question = replace(
        _question(claims, every, setup, options),
        second=second,
        doubt=_doubt(origin, machine, options.sanity or Sanity.REACH),
    )

    def expecting(result: ClaimResult) -> ClaimResult:
        return replace(result, expected=expected[result.claim])

    compiled = options.agree == COMPILER
    return report_claims(path, machine, question, expecting, on_result, compiled=compiled)


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
    every_number = stated.every_number and not options.bounded
    return Expected(verdict, stated.vcpus, every_number)


def _doubt(
    origin: SetupOrigin, machine: Machine, level: Sanity
) -> Callable[[ClaimResult], ClaimResult] | None:
    """Return what asks of a proof whether the claim could fail; None where nobody wants to know."""
    if level is Sanity.OFF:
        return None
    from flushproof.features.mutation.proof_sanity import Doubt

    return Doubt(origin.under(machine.setup), machine, level).about


def report_claims(
    path: str,
    machine: Machine,
    question: Question,
    expecting: Callable[[ClaimResult], ClaimResult],
    on_result: OnResult,
    *,
    compiled: bool = False,
) -> Report:
    """Decide the claims of a question about a machine; each result is told as it is found."""
    setup = machine.setup
    opinion = _compiled(machine) if compiled else None
    results: list[ClaimResult] = []
    if isinstance(on_result, Listener):
        on_result.planned(len(question.claims))
        question = replace(question, board=on_result.board)
    for result in decide_claims(machine, question):
        told = expecting(result)
        results.append(told if opinion is None else replace(told, opinion=opinion))
        on_result(results[-1])
    function = next(o.function for o in setup.operations if o.role == "flush")
    digest = setup.variant.sha256
    return Report(path, digest, setup.name, function, tuple(results), setup.read_as)


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
