"""What flushproof says of one torture test: right, wrong, refused, or not decided.

The interpreter runs the test as it stands. What is any value (a variable without a value, say) is
first 0 everywhere and then nowhere; both runs must end well. Then the solver is asked, too, with
little effort: it must not find a run that is aborted.
"""

from __future__ import annotations

from collections.abc import Iterator
from enum import StrEnum

from flushproof.engines.interpreter import interpreter
from flushproof.engines.schedule import Call, Schedule, ThreadPlan
from flushproof.frontend.spec.resolve import from_texts
from flushproof.ir.code import Havoc, Hypercall, Instr
from flushproof.ir.program import Operation
from flushproof.ir.types import Int
from flushproof.machine.build import Machine, build_machine
from flushproof.results.verdict import Verdict
from flushproof.support.diagnostics import InputError
from flushproof.support.errors import InternalError
from flushproof.support.record import Record
from flushproof.support.source import Source
from flushproof.verify.portfolio import Question, decide_claims
from torture.compiled import ends_well
from torture.suite import ABORTED, SPEC, TortureVariant, read, torture_variant

FUEL = 400_000
"""Instructions that a test may take."""


STEPS = 300_000
"""Steps that the solver may take for a test."""


class Answer(StrEnum):
    """What came of a test."""

    RIGHT = "right"
    WRONG = "wrong"
    REFUSED = "refused"
    UNKNOWN = "unknown"


class Told(Record, frozen=True):
    """The answer to a test, and why it is no better; `line` is where in the test, 0 if nowhere.

    `proved`: the solver shows that it holds.
    """

    name: str
    answer: Answer
    reason: str = ""
    line: int = 0
    proved: bool = False


def judge(name: str, *, solver: bool = True) -> Told:
    """Tell what becomes of a test of the suite; an abort is only wrong where gcc sees none."""
    text = read(name)
    told = judge_text(torture_variant(name, text), solver=solver)
    if told.answer is Answer.WRONG and not ends_well(text):
        return Told(name, Answer.RIGHT)
    return told


def judge_text(test: TortureVariant, *, solver: bool = False) -> Told:
    """Tell what becomes of a test."""
    name = test.variant.name
    try:
        machine = build_machine(from_texts(test.variant, Source("torture.spec", SPEC)))
    except InputError as error:
        first = error.diagnostics[0]
        line = 0 if first.span is None else first.span.line - test.shift
        return Told(name, Answer.REFUSED, first.title, line)
    for value in (0, -1):
        told = _interpreted(name, machine, value)
        if told.answer is not Answer.RIGHT:
            return told
    return _solved(name, machine) if solver else Told(name, Answer.RIGHT)


def _solved(name: str, machine: Machine) -> Told:
    bounds = machine.setup.bounds
    asked = Question(("ends_well",), bounds, engine="bounded", jobs=1, steps=STEPS)
    try:
        (result,) = decide_claims(machine, asked)
    except InternalError as error:
        return Told(name, Answer.WRONG, str(error))
    if result.verdict is Verdict.REFUTED:
        return Told(name, Answer.WRONG, "it aborts, says the solver")
    holds = result.verdict in (Verdict.PROVED, Verdict.BOUNDED)
    return Told(name, Answer.RIGHT, proved=holds)


def _interpreted(name: str, machine: Machine, value: int) -> Told:
    plan = ThreadPlan(1, "flusher0", (Call("torture", {}, ()),))
    state = interpreter.initial_state(machine.base, Schedule(1, {}, (plan,), (0,)))
    thread = state.threads[0]
    interpreter.step_thread(state, thread, _each)
    for _ in range(FUEL):
        if thread.operation is None:
            return Told(name, Answer.RIGHT)
        instr = thread.operation.code[thread.pc]
        thread.choices = _choices(instr, value)
        try:
            interpreter.step_thread(state, thread, _each)
        except interpreter.Undefined as error:
            line = 0 if instr.span is None else instr.span.line
            return Told(name, Answer.UNKNOWN, f"undefined: {error.text}", line)
        if isinstance(instr, Hypercall):
            if state.happenings[-1].root == ABORTED:
                return Told(name, Answer.WRONG, "it aborts")
            return Told(name, Answer.RIGHT)
    return Told(name, Answer.UNKNOWN, "it runs for long")


def _choices(instr: Instr, value: int) -> Iterator[int]:
    match instr:
        case Hypercall():
            return iter((0,))
        case Havoc(target):
            return iter((target.type.wrap(value) if isinstance(target.type, Int) else 0,))
        case _:
            return iter(())


def _each(operation: Operation) -> frozenset[int]:
    return frozenset(range(len(operation.code)))
