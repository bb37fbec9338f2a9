"""The pipeline: source text -> setup -> machine -> verdicts. Every command goes through here."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

from flushproof.features.mutation.origin import Origin, origin_of
from flushproof.frontend.setup import Bounds, Setup
from flushproof.frontend.spec import syntax as s
from flushproof.frontend.spec.builtin import given
from flushproof.frontend.spec.parser import HOLDS
from flushproof.frontend.spec.resolve import (
    NoExpectation,
    UnknownClaim,
    from_spec,
    from_text,
    from_variant,
)
from flushproof.machine.build import Machine, build
from flushproof.results.atomicity import Steps
from flushproof.results.comparison import Comparison, Since
from flushproof.results.costs import Costs
from flushproof.results.recognition import Listing
from flushproof.results.reproduction import Reproduction
from flushproof.results.review import Review, Version
from flushproof.results.second_opinion import Opinion
from flushproof.results.verdict import ClaimResult, Expected, Report, Verdict
from flushproof.support.diagnostics import InputError, closest
from flushproof.support.files import current, using
from flushproof.support.memory_model import weaker
from flushproof.support.record import replace
from flushproof.verify.expectation import expected_by, with_expected
from flushproof.verify.open_input import Opened, open_file, open_text
from flushproof.verify.options import COMPILER, SOLVER, Comparing, Options, Reviewing, Sanity
from flushproof.verify.portfolio import Question, decide
from flushproof.verify.progress import Listener

if TYPE_CHECKING:
    from flushproof.engines.second.second_solver import Second

OnResult = Callable[[ClaimResult], None]
OnReport = Callable[[Report], None]


def prove(path: str, spec: str | None, options: Options, on_result: OnResult) -> Report:
    """Decide claims about a C file, expecting each to be proved."""
    return _variant(path, spec, options, on_result, "prove")


def refute(path: str, spec: str | None, options: Options, on_result: OnResult) -> Report:
    """Decide claims about a C file, expecting each to be refuted."""
    return _variant(path, spec, options, on_result, "refute")


def check_one(path: str, options: Options, on_result: OnResult) -> Report:
    """Decide the expectations of one spec file."""
    return _check(path, options, on_result)


def claims_of(command: str, path: str, spec: str | None, options: Options) -> tuple[str, ...]:
    """Return which claims a command decides about a file; it is only parsed.

    Raises:
        InputError: the file is not accepted, or states no such claim.
    """
    setup = _setup(path, spec, options)
    return _expected_claims(setup, options) if command == "check" else _claims(setup, options)


def nfc(old: str, new: str, spec: str | None, options: Options, comparing: Comparing) -> Comparison:
    """Compare two variants under the same operations, each a C file or a spec file.

    Raises:
        InputError: a file is not accepted, or the operations of the two do not correspond.
    """
    first, second = (_setup(path, spec, options) for path in (old, new))
    return compare_setups(first, second, options, comparing)


def review(reviewing: Reviewing, spec: str | None, options: Options, done: OnReport) -> Review:
    """Decide every claim before and after each change of a patch, and compare.

    Raises:
        InputError: the patch, or some version of the file, is not accepted.
    """
    from flushproof.features.review.changes import from_patch
    from flushproof.features.review.decide import Means, review
    from flushproof.features.review.git import from_git

    if reviewing.git:
        changes = from_git(reviewing.git, reviewing.base)
    else:
        changes = from_patch(reviewing.patch, reviewing.base, reviewing.path)

    def opened(version: Version) -> Setup:
        with using(version.files(current())):
            place = Path(version.path)
            if spec is not None:
                return from_text(version.source, spec, place)
            return open_text(version.source, place, options.choices).setup

    def decide_text(version: Version) -> Report:
        setup = _under(opened(version), options)
        claims = _claims(setup, options)
        jobs = options.processes
        question = Question(claims, setup.bounds, jobs=jobs, steps=options.steps)
        return _told(
            _report(version.source.name, setup, question, lambda r: r, lambda _: None), done
        )

    def compare_texts(old: Version, new: Version, since: Since) -> Comparison:
        first, second = (opened(v) for v in (old, new))
        return compare_setups(first, second, options, Comparing(since=since))

    return review(reviewing.git or reviewing.patch, changes, Means(decide_text, compare_texts))


def costs(path: str, spec: str | None, options: Options) -> Costs:
    """Find the most hypercalls that one call of a variant can issue.

    Raises:
        InputError: a file is not accepted.
    """
    from flushproof.engines.bounded.query import EFFORT
    from flushproof.features.cost.decide import costs

    machine = build(_under(_setup(path, spec, options), options))
    jobs = options.processes
    return costs(machine, path, given().context, jobs, options.steps or EFFORT)


def compare_setups(old: Setup, new: Setup, options: Options, comparing: Comparing) -> Comparison:
    """Compare two set-ups within the bounds asked for, or the wider ones of the two."""
    from flushproof.features.nfc.decide import Wanted, compare

    both = replace(old, bounds=old.bounds.wider(new.bounds), stated=old.stated | new.stated)
    bounds = _bounds(both, options)
    memory = weaker(*(_under(s, options).memory for s in (old, new)))
    machines = tuple(build(replace(s, bounds=bounds, memory=memory)) for s in (old, new))
    everyone = not options.bounded and options.engine != "bounded"
    what = (comparing.compared, comparing.since, bounds, comparing.expected)
    wanted = Wanted(*what, options.steps, everyone)

    def cover(machine: Machine) -> ClaimResult:
        return next(decide(machine, Question(("coverage",), bounds, steps=options.steps)))

    return compare(machines[0], machines[1], wanted, cover)


def reproduce(path: str, spec: str | None, options: Options) -> Reproduction:
    """Write the smallest counterexample of the claim in the options as a C program.

    Raises:
        InputError: the file is not accepted, or running C cannot show it.
    """
    from flushproof.features.reproduce.find import reproduce

    setup = _under(_setup(path, spec, options), options)
    engine = options.engine or "bounded"
    question = Question(_claims(setup, options), setup.bounds, engine=engine)
    return reproduce(build(setup), question)


def emit(path: str, spec: str | None, stage: str, options: Options) -> str:
    """Return what one stage hands to the next: the tree, the IR, or the solver's question."""
    setup = _under(_setup(path, spec, options), options)
    match stage:
        case "ast":
            return _ast(setup)
        case "ir":
            return _ir(build(setup), options)
        case _:
            return _smt2(build(setup), options)


def atomicity(path: str, spec: str | None, options: Options) -> tuple[Steps, ...]:
    """Return the atomic steps as each claim in the options sees them, or without any claim."""
    setup = _setup(path, spec, options)
    machine = build(setup)
    claims = _claims(setup, options) if options.claims else ("",)
    bounds = _bounds(setup, options)
    return tuple(_atomic_steps(machine, name, bounds) for name in claims)


def recognised(path: str, spec: str | None, options: Options) -> Listing:
    """Return what the file was taken for, without deciding anything."""
    from flushproof.verify.recognise import listing

    opened = _opened(path, spec, options)
    return listing(path, opened, build(opened.setup))


def chosen(setup: Setup, options: Options) -> tuple[Setup, tuple[str, ...]]:
    """Return the set-up under what was asked for, and the claims asked for, or all.

    Raises:
        InputError: there is no claim of some name.
    """
    return _under(setup, options), _claims(setup, options)


# Steps -----------------------------------------------------------------------------------------


def _setup(path: str, spec: str | None, options: Options) -> Setup:
    return _opened(path, spec, options).setup


def setup_of(path: str, spec: str | None, options: Options) -> Setup:
    """Return what a C or spec file is set up as.

    Raises:
        InputError: the file is not accepted.
    """
    return _setup(path, spec, options)


def _opened(path: str, spec: str | None, options: Options) -> Opened:
    if path.endswith(".spec"):
        return Opened(from_spec(path))
    if spec is not None:
        return Opened(from_variant(path, spec))
    return open_file(path, options.choices)


def _variant(
    path: str, spec: str | None, options: Options, on_result: OnResult, command: str
) -> Report:
    opened = _opened(path, spec, options)
    setup = _under(opened.setup, options)
    claims = _claims(setup, options)
    every = claims if expected_by(command, options).every_number else ()
    level = options.sanity or Sanity.QUICK
    question = Question(
        claims,
        setup.bounds,
        rounds=options.rounds,
        engine=options.engine,
        every_number=frozenset(every),
        jobs=options.processes,
        steps=options.steps,
        second=_second(options),
        doubt=_doubt(origin_of(path, spec, opened, options.choices), setup, level),
        evidence=options.evidence,
        apart=options.megabytes is not None,
    )

    def expecting(result: ClaimResult) -> ClaimResult:
        return with_expected(result, command, options)

    return _report(path, setup, question, expecting, on_result, compiled=options.agree == COMPILER)


def _check(path: str, options: Options, on_result: OnResult) -> Report:
    setup = _under(from_spec(path), options)
    expected = {e.claim: _expected(e, options) for e in setup.expectations}
    claims = _expected_claims(setup, options)
    level = options.sanity or Sanity.REACH
    jobs = options.processes
    question = Question(
        claims,
        setup.bounds,
        rounds=options.rounds,
        engine=options.engine,
        every_number=frozenset(name for name in claims if expected[name].every_number),
        jobs=jobs,
        steps=options.steps,
        second=_second(options),
        doubt=_doubt(origin_of(path, None, Opened(setup), options.choices), setup, level),
        apart=options.megabytes is not None,
    )

    def expecting(result: ClaimResult) -> ClaimResult:
        return replace(result, expected=expected[result.claim])

    return _report(path, setup, question, expecting, on_result, compiled=options.agree == COMPILER)


def _expected(stated: s.Expectation, options: Options) -> Expected:
    """Return what a spec expects; bounds that the user gives are all that is asked."""
    verdict = Verdict.BOUNDED if stated.verdict == HOLDS else Verdict(stated.verdict)
    every_number = stated.every_number and not options.bounded
    return Expected(verdict, stated.vcpus, every_number)


def _doubt(
    origin: Origin, setup: Setup, level: Sanity
) -> Callable[[ClaimResult], ClaimResult] | None:
    """Return what asks of a proof whether the claim could fail; None where nobody wants to know."""
    if level is Sanity.OFF:
        return None
    from flushproof.features.mutation.proof_sanity import Doubt

    return Doubt(origin.under(setup), build(setup), level).about


def _expected_claims(setup: Setup, options: Options) -> tuple[str, ...]:
    expected = {e.claim: None for e in setup.expectations}
    claims = _claims(setup, options) if options.claims else tuple(expected)
    for name in claims:
        if name not in expected:
            raise InputError(NoExpectation(span=None, spec=setup.name, claim=name))
    return claims


def _report(
    path: str,
    setup: Setup,
    question: Question,
    expecting: Callable[[ClaimResult], ClaimResult],
    on_result: OnResult,
    *,
    compiled: bool = False,
) -> Report:
    machine = build(setup)
    opinion = _compiled(machine) if compiled else None
    results: list[ClaimResult] = []
    if isinstance(on_result, Listener):
        on_result.planned(len(question.claims))
        question = replace(question, board=on_result.board)
    for result in decide(machine, question):
        told = expecting(result)
        results.append(told if opinion is None else replace(told, opinion=opinion))
        on_result(results[-1])
    function = next(o.function for o in setup.operations if o.role == "flush")
    digest = setup.variant.sha256
    return Report(path, digest, setup.name, function, tuple(results), setup.read_as)


def _claims(setup: Setup, options: Options) -> tuple[str, ...]:
    known = tuple(c.name for c in setup.claims)
    for name in options.claims:
        if name not in known:
            raise InputError(UnknownClaim(span=None, name=name, hint=closest(name, known)))
    return tuple(dict.fromkeys(options.claims)) or known


def _second(options: Options) -> Second | None:
    """Return the solver that is to be asked again; raise `InputError` if it is not installed."""
    if options.agree != SOLVER:
        return None
    from flushproof.engines.second.second_solver import Second

    return Second()


def _compiled(machine: Machine) -> Opinion:
    """Return what gcc says of the code; it does the same as the interpreter."""
    from flushproof.features.compiled.agree import opinion

    return opinion(machine)


def _under(setup: Setup, options: Options) -> Setup:
    """Return the set-up under the bounds and the memory model asked for."""
    unstated = None if "memory" in setup.stated else options.project.memory
    memory = options.memory or unstated or setup.memory
    return replace(setup, bounds=_bounds(setup, options), memory=memory)


def _bounds(setup: Setup, options: Options) -> Bounds:
    """Return the bounds of the command line, else of the spec, else of the project."""
    own, project = setup.bounds, options.project
    vcpus = None if "vcpus" in setup.stated else project.vcpus
    loads = None if "loads" in setup.stated else project.loads
    flushes = None if "flushes" in setup.stated else project.flushes
    return Bounds(
        vcpus=options.vcpus or vcpus or own.vcpus,
        loads=_first(options.loads, loads, own.loads),
        flushes=_first(options.flushes, flushes, own.flushes),
        flushers=own.flushers,
    )


def _first(*values: int | None) -> int:
    return next(v for v in values if v is not None)


def _told(report: Report, on_report: OnReport) -> Report:
    on_report(report)
    return report


def _atomic_steps(machine: Machine, claim: str, bounds: Bounds) -> Steps:
    from flushproof.engines.reduction.commutativity import Population
    from flushproof.engines.reduction.step_plan import make_plan
    from flushproof.verify.trace.atomicity import Explainer

    program = machine.with_claims((claim,) if claim else ())
    population = Population(bounds.vcpus[1], bounds.flushers)
    found = make_plan(program, population).atomicity
    assert found is not None
    words = Explainer(program, found)
    return Steps(claim, bounds.vcpus[1], bounds.flushers, words.operations(), words.fields())


# Emission --------------------------------------------------------------------------------------


def _ast(setup: Setup) -> str:
    from flushproof.frontend.c import printer

    defined = [
        f for f in setup.declarations.functions.values() if f.span.file == setup.variant.name
    ]
    return "\n".join(printer.item(f) for f in defined)


def _ir(machine: Machine, options: Options) -> str:
    from flushproof.ir.printer import program_text

    return program_text(machine.with_claims(options.claims) if options.claims else machine.base)


def _smt2(machine: Machine, options: Options) -> str:
    from flushproof.engines.bounded.engine import Bounded, Settings, smt2
    from flushproof.engines.bounded.threads import Counts

    claims = options.claims or ("coverage",)
    bounds = machine.setup.bounds
    counts = Counts(bounds.vcpus[1], bounds.loads, bounds.flushes, bounds.flushers)
    parts = []
    for name in claims:
        engine = Bounded(machine.with_claims((name,)), counts, Settings(rounds=options.rounds))
        p = engine.problem(counts.vcpus)
        parts.append(f"; {name}: sat if the claim can fail\n{smt2(p, name)}")
    return "\n".join(parts)
