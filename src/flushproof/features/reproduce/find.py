"""The smallest counterexample of one claim, for `emit_program`."""

from __future__ import annotations

from flushproof.features.reproduce.emit import emit_program, require_showable
from flushproof.machine.build import Machine
from flushproof.results.reproduction import Reproduction
from flushproof.verify.portfolio import Question, decide_with_counterexample


def reproduce(machine: Machine, question: Question) -> Reproduction:
    """Look for a counterexample of the one claim asked for, and write it as C.

    Raises:
        InputError: running C shows no violation of such a claim.
        InternalError: the counterexample does not replay.
    """
    (name,) = question.claims
    claim = machine.setup.claim(name)
    assert claim is not None
    require_showable(machine, claim)
    machine = machine.within(question.bounds)
    result, found = decide_with_counterexample(machine, question, name)
    if found is None or result.trace is None:
        reason = result.reason or f"`{name}` holds within the bounds"
        return Reproduction("", reason, open=not result.verdict.holds)
    text = emit_program(machine, machine.with_claim(name), found, result.trace.headline)
    return Reproduction(text)
