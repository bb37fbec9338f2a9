"""From a z3 model to a schedule: the one place where solver values become plain integers."""

from __future__ import annotations

import z3

from flushproof.engines.bounded.query import BoundedQuery
from flushproof.engines.bounded.threads import argument_key
from flushproof.engines.schedule import Call, Schedule, ThreadPlan
from flushproof.engines.smt import terms as t
from flushproof.engines.symbolic.step import SymbolicStep, ThreadSteps
from flushproof.engines.symbolic.values import Root, Value
from flushproof.ir.analysis.representation import PAGE_BITS
from flushproof.ir.types import BOOL, Int


class ModelReader:
    """Reads values of one model; pages are numbered as they are met."""

    def __init__(self, problem: BoundedQuery, model: z3.ModelRef) -> None:
        self.problem = problem
        self.model = model
        known = problem.algebra.known_pages()
        self.pages = {self._key(term): page for page, term in known.items()}
        self.used = set(known)

    def _key(self, term: z3.ExprRef) -> str:
        return str(self.model.eval(term, model_completion=True))

    def truth(self, b: t.Bool) -> bool:
        """Return the value of a condition."""
        if isinstance(b, bool):
            return b
        return bool(z3.is_true(self.model.eval(b, model_completion=True)))

    def number(self, value: Value, type_: object) -> int:
        """Return the value of anything, as the interpreter represents it."""
        match value:
            case bool():
                return int(value)
            case int():
                return value
            case Root(page, bits):
                known = tuple(self.truth(b) for b in bits)
                return self.problem.algebra.join(self._page(page), known)
            case z3.BoolRef():
                return self._flag(self.truth(value), type_)
            case _:
                found = self.model.eval(value, model_completion=True)
                number = int(found.as_long())
                return type_.wrap(number) if isinstance(type_, Int) else number

    def _flag(self, truth: bool, type_: object) -> int:  # noqa: FBT001
        if type_ == BOOL:
            return int(truth)
        return (-5 if isinstance(type_, Int) and type_.signed else 1) if truth else 0

    def _page(self, page: int | z3.ExprRef) -> int:
        if isinstance(page, int):
            return page
        key = self._key(page)
        if key not in self.pages:
            self.pages[key] = self._new_page()
        return self.pages[key]

    def _new_page(self) -> int:
        shift = 0 if self.problem.algebra.masks else PAGE_BITS
        page = 1
        while page << shift in self.used:
            page += 1
        self.used.add(page << shift)
        return page << shift


def decode_schedule(problem: BoundedQuery, model: z3.ModelRef) -> Schedule:
    """Turn a model of a problem into a schedule."""
    reader = ModelReader(problem, model)
    order = _order(problem, reader)
    plans = tuple(
        ThreadPlan(thread.number, thread.name, _calls(problem, reader, position, thread))
        for position, thread in enumerate(problem.threads)
    )
    fields = {f.name: f.type for f in problem.program.fields}
    witnesses = {n: reader.number(v, fields[n]) for n, v in problem.witnesses.items()}
    return Schedule(problem.counts.vcpus, witnesses, plans, order)


def _order(problem: BoundedQuery, reader: ModelReader) -> tuple[int, ...]:
    out: list[int] = []
    for placed in problem.wired.placed:
        step = problem.threads[placed.thread].steps[placed.step]
        if reader.truth(placed.here) and reader.truth(step.guard):
            out.append(placed.thread)
    return tuple(out)


def _calls(
    problem: BoundedQuery, reader: ModelReader, position: int, thread: ThreadSteps
) -> tuple[Call, ...]:
    executed = problem.wired.executed[position]
    calls: list[Call] = []
    for number, given in enumerate(thread.arguments):
        own = [(k, s) for k, s in enumerate(thread.steps) if s.call == number]
        if not own or not reader.truth(executed[own[0][0]]):
            break
        name = next(
            o
            for o, s in zip(thread.operations, thread.selectors[number], strict=True)
            if reader.truth(s)
        )
        steps = [s for _, s in own if s.operation == name]
        calls.append(Call(name, _arguments(problem, reader, name, given), _choices(reader, steps)))
    return tuple(calls)


def _arguments(
    problem: BoundedQuery, reader: ModelReader, operation: str, given: dict[str, Value]
) -> dict[str, int]:
    parameters = next(o for o in problem.program.operations if o.name == operation).parameters
    return {
        p.name: reader.number(given[argument_key(operation, p)], p.type) for p in parameters.all
    }


def _choices(reader: ModelReader, steps: list[SymbolicStep]) -> tuple[int, ...]:
    taken = (c for step in steps for c in step.choices if reader.truth(c.guard))
    return tuple(reader.number(c.value, c.type) for c in taken)
