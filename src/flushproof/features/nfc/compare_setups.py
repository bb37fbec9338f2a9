"""Two set-ups compared under the same operations, within the bounds that both allow."""

from __future__ import annotations

from flushproof.features.nfc.decide import Wanted, compare
from flushproof.frontend.setup import Setup
from flushproof.machine.build import Machine, build_machine
from flushproof.results.comparison import Comparison
from flushproof.results.verdict import ClaimResult
from flushproof.support.memory_model import weaker_model
from flushproof.support.record import replace
from flushproof.verify.options import Comparing, Options
from flushproof.verify.portfolio import Question, decide_claims
from flushproof.verify.set_up import choose_bounds, configure_setup


def compare_setups(old: Setup, new: Setup, options: Options, comparing: Comparing) -> Comparison:
    """Compare two set-ups within the bounds asked for, or the wider ones of the two."""
    both = replace(old, bounds=old.bounds.wider(new.bounds), stated=old.stated | new.stated)
    bounds = choose_bounds(both, options)
    memory = weaker_model(*(configure_setup(s, options).memory for s in (old, new)))
    machines = tuple(build_machine(replace(s, bounds=bounds, memory=memory)) for s in (old, new))
    everyone = not options.bounded and options.engine != "bounded"
    what = (comparing.compared, comparing.since, bounds, comparing.expected)
    wanted = Wanted(*what, options.steps, everyone)

    def cover(machine: Machine) -> ClaimResult:
        return next(decide_claims(machine, Question(("coverage",), bounds, steps=options.steps)))

    return compare(machines[0], machines[1], wanted, cover)
