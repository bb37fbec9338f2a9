"""The passes in order, from a file to verdicts. Every command goes through here.

`Passes` makes each thing when it is asked for, so a command stops after any of them:

    path, spec, options -> opened -> setup, claims -> machine -> verdicts
"""

from __future__ import annotations

from collections.abc import Callable
from functools import cached_property

from flushproof.features.verdicts.decide_file import NamedInput, check_spec, decide_variant
from flushproof.frontend.setup import Setup
from flushproof.frontend.spec.builtin import load_builtin
from flushproof.machine.build import Machine, build_machine
from flushproof.results.atomicity import AtomicSteps
from flushproof.results.comparison import Comparison
from flushproof.results.costs import Costs
from flushproof.results.recognition import Recognition
from flushproof.results.reproduction import Reproduction
from flushproof.results.review import Review
from flushproof.results.verdict import ClaimResult, Report
from flushproof.verify.open_input import Opened
from flushproof.verify.options import Comparing, Options, Reviewing
from flushproof.verify.portfolio import Question
from flushproof.verify.set_up import (
    configure_setup,
    open_path,
    select_claims,
    select_expected_claims,
)

OnResult = Callable[[ClaimResult], None]
OnReport = Callable[[Report], None]


class Passes:
    """The passes over one file; each raises `InputError` where the file is not accepted."""

    def __init__(self, path: str, spec: str | None, options: Options) -> None:
        self.path = path
        self.spec = spec
        self.options = options

    @cached_property
    def opened(self) -> Opened:
        """The file read, whole or as one of a kernel tree: preprocessed, parsed and resolved."""
        return open_path(self.path, self.spec, self.options)

    @cached_property
    def setup(self) -> Setup:
        """What was read, under the bounds and the memory model asked for."""
        return configure_setup(self.opened.setup, self.options)

    @cached_property
    def claims(self) -> tuple[str, ...]:
        """The claims asked for, all where none is named."""
        return select_claims(self.setup, self.options)

    @cached_property
    def machine(self) -> Machine:
        """The operations lowered to IR, with boot state and buffers."""
        return build_machine(self.setup)

    @property
    def asked(self) -> NamedInput:
        """The file as it was named, and what was read."""
        return NamedInput(self.path, self.spec, self.opened)


def prove(path: str, spec: str | None, options: Options, on_result: OnResult) -> Report:
    """Decide claims about a file, expecting each to be proved."""
    return decide_variant(Passes(path, spec, options).asked, options, on_result, "prove")


def refute(path: str, spec: str | None, options: Options, on_result: OnResult) -> Report:
    """Decide claims about a file, expecting each to be refuted."""
    return decide_variant(Passes(path, spec, options).asked, options, on_result, "refute")


def check_one(path: str, options: Options, on_result: OnResult) -> Report:
    """Decide the expectations of one spec file."""
    return check_spec(Passes(path, None, options).asked, options, on_result)


def claims_of(command: str, path: str, spec: str | None, options: Options) -> tuple[str, ...]:
    """Return which claims a command decides about a file; it is only parsed."""
    setup = Passes(path, spec, options).opened.setup
    select = select_expected_claims if command == "check" else select_claims
    return select(setup, options)


def nfc(old: str, new: str, spec: str | None, options: Options, comparing: Comparing) -> Comparison:
    """Compare two variants under the same operations, each a C file or a spec file."""
    from flushproof.features.nfc.compare_setups import compare_setups

    first, second = (Passes(path, spec, options).opened.setup for path in (old, new))
    return compare_setups(first, second, options, comparing)


def review(reviewing: Reviewing, spec: str | None, options: Options, done: OnReport) -> Review:
    """Decide every claim before and after each change of a patch, and compare."""
    from flushproof.features.review.review_patch import review_patch

    return review_patch(reviewing, spec, options, done)


def find_costs(path: str, spec: str | None, options: Options) -> Costs:
    """Find the most hypercalls that one call of a variant can issue."""
    from flushproof.engines.bounded.query import EFFORT
    from flushproof.features.cost.decide import measure_costs

    machine = Passes(path, spec, options).machine
    return measure_costs(
        machine, path, load_builtin().context, options.processes, options.steps or EFFORT
    )


def reproduce(path: str, spec: str | None, options: Options) -> Reproduction:
    """Write the smallest counterexample of the claim in the options as a C program."""
    from flushproof.features.reproduce.find import reproduce

    passes = Passes(path, spec, options)
    engine = options.engine or "bounded"
    question = Question(passes.claims, passes.setup.bounds, engine=engine)
    return reproduce(passes.machine, question)


def emit_stage(path: str, spec: str | None, stage: str, options: Options) -> str:
    """Return what one stage hands to the next: the tree, the IR, or the solver's question."""
    from flushproof.verify.emit_stage import print_ir, print_question, print_tree

    passes = Passes(path, spec, options)
    match stage:
        case "ast":
            return print_tree(passes.setup)
        case "ir":
            return print_ir(passes.machine, options)
        case _:
            return print_question(passes.machine, options)


def list_atomic_steps(path: str, spec: str | None, options: Options) -> tuple[AtomicSteps, ...]:
    """Return the atomic steps as each claim in the options sees them, or without any claim."""
    from flushproof.verify.trace.atomicity import atomic_steps

    passes = Passes(path, spec, options)
    machine, bounds = build_machine(passes.opened.setup), passes.setup.bounds
    claims = passes.claims if options.claims else ("",)
    return tuple(atomic_steps(machine, name, bounds) for name in claims)


def recognise_file(path: str, spec: str | None, options: Options) -> Recognition:
    """Return what the file was taken for, without deciding anything."""
    from flushproof.verify.recognise import recognition_listing

    opened = Passes(path, spec, options).opened
    return recognition_listing(path, opened, build_machine(opened.setup))
