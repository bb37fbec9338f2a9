"""What holds whatever others do: facts about locals, about values of fields, and ranks of loops.

Each is kept by single instructions of one thread, whose reads give any value that fields may have.
So they are true of every run, and a rank that falls from head to head says that the loop ends
(Floyd 1967; Lemma L10 of docs/soundness.md). A head without a rank may be that of an endless loop.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from flushproof.ir.code import FieldScope, Local
from flushproof.ir.invariant import FLUSHER, CutPoint
from flushproof.ir.program import Operation
from flushproof.ir.types import LockWord
from flushproof.verify.proof_checker import terms as t
from flushproof.verify.proof_checker.checked_program import CheckedProgram
from flushproof.verify.proof_checker.execution import Manner, Reached, Region
from flushproof.verify.proof_checker.facts import Typed, View, exact_value, state_facts, value_facts
from flushproof.verify.proof_checker.machine_state import StateSpace
from flushproof.verify.proof_checker.terms import NotUnderstood, Script


class LocalConditions:
    """The obligations of the facts that hold whatever others do."""

    def __init__(self, checked: CheckedProgram) -> None:
        self.checked = checked
        self.script = Script()
        self.space = StateSpace(checked, self.script)
        self.number = self.space.declare_thread("self")

    def ask_all(self) -> None:
        """Ask that facts hold at boot and after every instruction, and that ranks fall.

        Raises:
            NotUnderstood: a fact speaks of what is not there.
        """
        for name in self.checked.values:
            self._ask_boot(name)
        for o in self.checked.program.operations:
            heads = self.checked.heads[o.name]
            for at in sorted(self.checked.cuts[o.name]):
                self._ask_facts(self._execute(o, at, self.checked.cuts[o.name]))
            for at in sorted(heads - self.checked.endless[o.name]):
                self._ask_rank(self._execute(o, at, heads))

    def _ask_boot(self, name: str) -> None:
        f = self.space.fields.get(name)
        if f is None or name not in self.space.written or name in self.space.rigid:
            raise NotUnderstood(f"no field `{name}` that changes")
        if isinstance(f.type, LockWord):
            raise NotUnderstood(f"the word of the lock `{name}` is no value of a store")
        first = self.space.first_value(f, self.number if f.scope is FieldScope.VCPU else None)
        holds = value_facts(self.checked.values, f, first)
        known = (*self.space.threads_exist(), t.is_vcpu(self.number))
        self.script.ask("values", f"{f.label} at boot", (*known, t.negate_term(holds)))

    def _execute(self, o: Operation, start: int, cuts: frozenset[int]) -> Region:
        state = self.space.fresh("m:")
        return Region(self.space, o, start, cuts, self.number, "0/", state, Manner.OPEN)

    def _known(self, r: Region) -> Iterator[str]:
        """Yield what is known where a region begins, and of what it reads."""
        yield from self.space.threads_exist()
        point = self.checked.points[r.operation.name].get(r.start)
        if point is not None:
            yield state_facts(point.facts, self._view(r, {}).find)
        yield from r.argument_facts()
        for f, value in r.read:
            yield value_facts(self.checked.values, f, value)

    def _ask_facts(self, r: Region) -> None:
        known = self.script.define(t.all_of(self._known(r)), "Bool")
        text = f"{r.operation.name}() from {r.start}"
        for end in r.exits:
            if end.at:
                facts = self.checked.points[r.operation.name][end.at].facts
                holds = state_facts(facts, self._view(r, end.locals).find)
                self.script.ask("locals", text, (known, end.guard, t.negate_term(holds)))
        for f, guard, value in r.stored:
            holds = value_facts(self.checked.values, f, value)
            self.script.ask("values", f"{f.label}: {text}", (known, guard, t.negate_term(holds)))

    def _ask_rank(self, r: Region) -> None:
        points = self.checked.points[r.operation.name]
        for end in r.exits:
            if end.at is not None and points[end.at].rank:
                falls = self._falls(r, points[r.start], points[end.at], end)
                known = (*self._known(r), end.guard, t.negate_term(falls))
                self.script.ask("rank", f"{r.operation.name}() from {r.start}", known)

    def _falls(self, r: Region, head: CutPoint, after: CutPoint, end: Reached) -> str:
        """Return that a tuple is less, in lexicographic order, at the end of a region."""
        if len(head.rank) != len(after.rank):
            raise NotUnderstood("ranks of two lengths")
        old, new = self._rank(r, head, {}), self._rank(r, after, end.locals)
        falls = t.FALSE
        for a, b in reversed([*zip(old, new, strict=True)]):
            equal = t.all_of((t.make_equality(a, b), falls))
            falls = t.any_of((f"(< {b} {a})", equal))
        return falls

    def _rank(self, r: Region, head: CutPoint, known: Mapping[Local, str]) -> list[str]:
        find = self._view(r, known).find
        pairs = ((exact_value(a, find), exact_value(b, find)) for a, b in head.rank)
        return [self.script.define(f"(- {a} {b})", t.sort_of(t.THREAD)) for a, b in pairs]

    def _view(self, r: Region, known: Mapping[Local, str]) -> View:
        def local(_: int, name: str) -> Typed | None:
            x = self.checked.locals[r.operation.name].get(name)
            return None if x is None else (known.get(x) or r.at_start(x), x.type)

        return View(self.space, {}, {}, local).of_locals(FLUSHER)
