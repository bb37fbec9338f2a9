"""The passes in order, from a file to an answer: the one front door.

Every command that reads a file goes through here; `prove`, `refute` and `check` by way of the
runner, which does so in several processes and keeps verdicts. `Passes` makes each thing when it is
asked for, so that a command stops after any of them:

    path, spec, options -> opened -> setup -> claims, machine -> verdicts, costs, a stage ...
"""

from __future__ import annotations

from collections.abc import Callable
from functools import cached_property, partial

from flushproof.features.mutation.origin import SetupOrigin, origin_of
from flushproof.features.verdicts.decide_file import DecidedFile, FileDecider
from flushproof.frontend.setup import Setup
from flushproof.machine.build import Machine, build_machine
from flushproof.results.atomicity import AtomicSteps
from flushproof.results.comparison import Comparison
from flushproof.results.costs import Costs
from flushproof.results.mutation import Mutation
from flushproof.results.recheck import Recheck
from flushproof.results.recognition import Recognition
from flushproof.results.replay import ReplayAnswer
from flushproof.results.reproduction import Reproduction
from flushproof.results.review import Review
from flushproof.results.saved_trace import Saved
from flushproof.results.verdict import ClaimResult, Report
from flushproof.verify import set_up
from flushproof.verify.certificate.certificate_file import Certificate
from flushproof.verify.open_input import Opened
from flushproof.verify.options import Comparing, Options, Reviewing
from flushproof.verify.portfolio import Question
from flushproof.verify.progress import MutantListener

OnResult = Callable[[ClaimResult], None]


class Passes:
    """The passes over one file; each raises `InputError` where the file is not accepted."""

    def __init__(self, path: str, spec: str | None, options: Options) -> None:
        self.path, self.spec, self.options = path, spec, options

    @cached_property
    def opened(self) -> Opened:
        """The file read, whole or as one of a kernel tree: preprocessed, parsed and resolved."""
        return set_up.open_path(self.path, self.spec, self.options)

    @cached_property
    def setup(self) -> Setup:
        """What was read, under the bounds and the memory model asked for."""
        return set_up.configure_setup(self.opened.setup, self.options)

    def claims_for(self, command: str) -> tuple[str, ...]:
        """Return the claims asked for: where none is named all, for `check` those expected."""
        select = set_up.select_expected_claims if command == "check" else set_up.select_claims
        return select(self.setup, self.options)

    @cached_property
    def machine(self) -> Machine:
        """The operations lowered to IR, with boot state and buffers."""
        return build_machine(self.setup)

    def decider(self, command: str) -> FileDecider:
        """Return what decides claims of the file one after the other, as a command means it."""
        return FileDecider(command, DecidedFile(self.path, self.machine, self.origin), self.options)

    @property
    def origin(self) -> SetupOrigin:
        """The set-up, and how the same is made of an edited text."""
        return origin_of(self.path, self.spec, self.opened, self.options.choices).under(self.setup)


def decide_file(
    command: str, path: str, spec: str | None, options: Options, on_result: OnResult
) -> Report:
    """Decide the claims that a command means; each result is told as it is found."""
    passes = Passes(path, spec, options)
    claims = passes.claims_for(command)
    return passes.decider(command).decide(claims, on_result)


prove = partial(decide_file, "prove")
refute = partial(decide_file, "refute")
check = partial(decide_file, "check")


def nfc(old: str, new: str, spec: str | None, options: Options, comparing: Comparing) -> Comparison:
    """Compare two variants under the same operations, each a C file or a spec file."""
    from flushproof.features.nfc.compare_setups import compare_setups

    first, second = (Passes(path, spec, options).opened.setup for path in (old, new))
    return compare_setups(first, second, options, comparing)


def review(
    reviewing: Reviewing, spec: str | None, options: Options, done: Callable[[Report], None]
) -> Review:
    """Decide every claim before and after each change of a patch, and compare."""
    from flushproof.features.review.review_patch import review_patch

    return review_patch(reviewing, spec, options, done)


def find_costs(path: str, spec: str | None, options: Options) -> Costs:
    """Find the most hypercalls that one call of a variant can issue."""
    from flushproof.features.cost.decide import measure_costs

    passes = Passes(path, spec, options)
    return measure_costs(passes.machine, path, options.processes, options.steps)


def mutate(
    path: str, spec: str | None, options: Options, told: MutantListener, *, every: bool
) -> Mutation:
    """Ask the claims about every mutant, one until it is noticed, or `every` claim each time."""
    from flushproof.features.mutation.decide import Asked, judge_mutants

    passes = Passes(path, spec, options)
    asked = Asked(passes.claims_for("mutate"), every, options.processes)
    return judge_mutants(passes.origin, asked, told)


def replay(saved: Saved, path: str) -> ReplayAnswer:
    """Try a saved counterexample in another variant."""
    from flushproof.features.replay.other_file import replay_in_other_file

    return replay_in_other_file(saved, path, lambda p: Passes(p, None, Options()).opened.setup)


def recheck(
    certificate: Certificate, path: str, solvers: tuple[str, ...], tell: Callable[[], None]
) -> tuple[Recheck, ...]:
    """Decide anew the proofs in a certificate of the file at `path`, as each solver sees them."""
    from flushproof.features.recheck.confirm import confirm_proofs
    from flushproof.features.recheck.sources import find_sources

    found = find_sources(certificate.head, path)
    machine = Passes(found.path, found.spec, Options(choices=found.choices)).machine
    return tuple(confirm_proofs(certificate, machine, solver, tell) for solver in solvers)


def reproduce(path: str, spec: str | None, options: Options) -> Reproduction:
    """Write the smallest counterexample of the claim in the options as a C program."""
    from flushproof.features.reproduce.find import reproduce

    passes = Passes(path, spec, options)
    engine, claims = options.engine or "bounded", passes.claims_for("reproduce")
    return reproduce(passes.machine, Question(claims, passes.setup.bounds, engine=engine))


def emit_stage(path: str, spec: str | None, stage: str, options: Options) -> str:
    """Return what one stage hands to the next: the tree, the IR, or the solver's question."""
    from flushproof.verify.emit_stage import print_stage

    passes = Passes(path, spec, options)
    return print_stage(stage, passes.setup, lambda: passes.machine, options)


def list_atomic_steps(path: str, spec: str | None, options: Options) -> tuple[AtomicSteps, ...]:
    """Return the atomic steps as each claim in the options sees them, or without any claim."""
    from flushproof.verify.trace.atomicity import atomic_steps

    passes = Passes(path, spec, options)
    machine, bounds = build_machine(passes.opened.setup), passes.setup.bounds
    claims = passes.claims_for("prove") if options.claims else ("",)
    return tuple(atomic_steps(machine, name, bounds) for name in claims)


def recognise_file(path: str, spec: str | None, options: Options) -> Recognition:
    """Return what the file was taken for, without deciding anything."""
    from flushproof.verify.recognise import recognition_listing

    opened = Passes(path, spec, options).opened
    return recognition_listing(path, opened, build_machine(opened.setup))
