"""What holds whatever others do: facts about locals, about values of fields, and ranks of loops.

Each is kept by single instructions of one thread, whose reads give any value that fields may have.
So they are true of every run, and a rank that falls from head to head says that the loop ends
(Floyd 1967; Lemma L10 of docs/soundness.md). A head without a rank may be that of an endless loop.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from flushproof.ir.code import FieldScope, Local
from flushproof.ir.invariant import FLUSHER, CutPoint, Fact
from flushproof.ir.program import Operation
from flushproof.ir.types import INT, VCPU, LockWord
from flushproof.verify.proof_checker import terms as t
from flushproof.verify.proof_checker.accesses import locals_of
from flushproof.verify.proof_checker.checked_program import CheckedProgram
from flushproof.verify.proof_checker.code_paths import NotUnderstood
from flushproof.verify.proof_checker.execution import (
    Actor,
    Region,
    RegionExit,
    arguments_of,
    execute_region,
    own_number,
    start_value,
)
from flushproof.verify.proof_checker.facts import FactTranslation, View, value_holds
from flushproof.verify.proof_checker.machine_state import COUNT, StateSpace, StateTerms
from flushproof.verify.proof_checker.script import Script

NUMBER = t.quote_name("self")


class LocalConditions:
    """The obligations of the facts that hold whatever others do."""

    def __init__(self, checked: CheckedProgram) -> None:
        self.checked = checked
        self.script = Script()
        self.space = StateSpace(checked.program, self.script)
        self.state = self.space.fresh("m:")
        self.script.declare("self", t.sort_of(INT))
        self.translation = FactTranslation(self.space)

    def ask_all(self) -> None:
        """Ask that facts hold at boot and after every instruction, and that ranks fall.

        Raises:
            NotUnderstood: a fact speaks of what is not there.
        """
        for name, facts in self.checked.values.items():
            f = self.space.fields.get(name)
            if f is None or name not in self.space.written or name in self.space.rigid:
                raise NotUnderstood(f"no field `{name}` that changes")
            if isinstance(f.type, LockWord):
                raise NotUnderstood(f"the word of the lock `{name}` is no value of a store")
            index = NUMBER if f.scope is FieldScope.VCPU else None
            holds = value_holds(self.translation, name, facts, self.space.first_value(f, index))
            self.script.ask("values", f"{f.label} at boot", (*self._count(), t.negate_term(holds)))
        for o in self.checked.program.operations:
            for at in sorted(self.checked.cuts(o.name)):
                self._ask_facts(self._execute(o, at, self.checked.cuts(o.name)))
            for at in sorted(self.checked.heads(o.name) - self.checked.endless(o.name)):
                self._ask_rank(self._execute(o, at, self.checked.heads(o.name)))

    def _count(self) -> Iterator[str]:
        yield f"(bvsle {t.make_constant(1, INT)} {COUNT})"
        yield t.in_range(NUMBER, COUNT)

    def _execute(self, o: Operation, start: int, cuts: frozenset[int]) -> Region:
        actor = Actor(NUMBER, f"0/{o.name}:", own_number(o, NUMBER), (COUNT, NUMBER))
        trusted = self.checked.trusted.get(o.name, frozenset())
        return execute_region(self.space, o, start, cuts, actor, self.state, trusted, alone=False)

    def _known(self, r: Region) -> Iterator[str]:
        """Yield what is known where a region begins, and of what it reads."""
        yield f"(bvsle {t.make_constant(1, INT)} {COUNT})"
        yield from r.assumed
        for f in self.checked.program.witnesses:
            if f.type == VCPU:
                yield t.in_range(self.space.rigid[f.name], COUNT)
        point = self.checked.points[r.operation.name].get(r.start)
        if point is not None:
            yield self._facts(r, point.facts, {})
        if r.start == 0:
            yield from arguments_of(self.script, r)
        for name, value in r.read:
            yield value_holds(self.translation, name, self.checked.values.get(name, ()), value)

    def _ask_facts(self, r: Region) -> None:
        known = self.script.define(t.all_of(self._known(r)), "Bool")
        text = f"{r.operation.name}() from {r.start}"
        for end in r.exits:
            if end.to is not None and end.to != 0:
                facts = self.checked.points[r.operation.name][end.to].facts
                fails = t.negate_term(self._facts(r, facts, end.locals))
                self.script.ask("locals", text, (known, end.guard, fails))
        for s in r.stored:
            facts = self.checked.values.get(s.field.name, ())
            fails = t.negate_term(value_holds(self.translation, s.field.name, facts, s.value))
            self.script.ask("values", f"{s.field.label}: {text}", (known, s.guard, fails))

    def _ask_rank(self, r: Region) -> None:
        points = self.checked.points[r.operation.name]
        for end in r.exits:
            after = None if end.to is None else points[end.to]
            if after is not None and after.rank:
                falls = self._falls(r, points[r.start], after, end)
                known = (*self._known(r), end.guard, t.negate_term(falls))
                self.script.ask("rank", f"{r.operation.name}() from {r.start}", known)

    def _falls(self, r: Region, head: CutPoint, after: CutPoint, end: RegionExit) -> str:
        """Return that a tuple is less, in lexicographic order, at the end of a region."""
        if len(head.rank) != len(after.rank):
            raise NotUnderstood("ranks of two lengths")
        old, new = self._values(r, head, {}), self._values(r, after, end.locals)
        less: list[str] = []
        equal: list[str] = []
        for a, b in zip(old, new, strict=True):
            less.append(t.all_of((*equal, f"(bvslt {b} {a})")))
            equal.append(t.make_equality(a, b))
        return t.any_of(less)

    def _values(self, r: Region, head: CutPoint, known: Mapping[Local, str]) -> list[str]:
        view = self._view(r, known)
        pairs = ((self.translation.exact(a, view), b) for a, b in head.rank)
        return [
            self.script.define(f"(bvsub {a} {self.translation.exact(b, view)})", t.sort_of(t.EXACT))
            for a, b in pairs
        ]

    def _facts(self, r: Region, facts: tuple[Fact, ...], known: Mapping[Local, str]) -> str:
        return self.translation.hold(facts, self._view(r, known))

    def _view(self, r: Region, known: Mapping[Local, str]) -> View:
        def local(_: int, x: Local) -> str:
            return known.get(x) or start_value(self.script, r, x)

        # Whose number is meant would hang on where such a fact is used, so none has a name.
        return View(NOTHING, (), {}, local, {FLUSHER: locals_of(r.operation)})


NOTHING = StateTerms({}, {})
"""The state for facts about locals, which say nothing of it."""
