"""A second look at an invariant: one quantifier-free question for each clause.

A search takes for granted that values fit their types. Here that is part of the invariant: it and
the lemmas are shown together, by induction on the number of steps.

Lemma L4, Lemma L22 of docs/soundness.md.
"""

from __future__ import annotations

from collections.abc import Iterator

import z3

from flushproof.engines.smt.term_constructors import Substitution, add_constraints, make_conjunction
from flushproof.engines.unbounded.horn_clauses import Atom, Clause, Control, System
from flushproof.engines.unbounded.ic3 import Invariant
from flushproof.support.record import Record

STEPS = 500_000_000
"""Steps of z3 that one question may take."""


def inductiveness_question(system: System, invariant: Invariant, clause: Clause) -> z3.BoolRef:
    """Return a formula that is unsatisfiable exactly if the clause holds under the invariant."""
    parts = [
        clause.constraint,
        *_shown(clause),
        *(_holds(system, invariant, a) for a in clause.body),
    ]
    if clause.head is not None:
        # That values fit their types is shown of the head as lemmas are, not assumed: else a sum
        # that leaves its type would prove anything after it (L4).
        parts.append(z3.Not(_holds(system, invariant, clause.head)))
    return make_conjunction(parts)


def _shown(clause: Clause) -> tuple[z3.BoolRef, ...]:
    return () if clause.shown is None else (clause.shown,)


def list_failing_clauses(system: System, invariant: Invariant, steps: int = STEPS) -> list[Clause]:
    """Return the clauses that an invariant is not shown to make true, each in so many steps."""
    return [clause for clause in system.clauses if _fails(system, invariant, clause, steps)]


def _fails(system: System, invariant: Invariant, clause: Clause, steps: int = STEPS) -> bool:
    solver = z3.SimpleSolver()
    solver.set("rlimit", steps)
    add_constraints(
        solver, (*system.axioms, *system.known, inductiveness_question(system, invariant, clause))
    )
    return bool(solver.check() != z3.unsat)


def _holds(system: System, invariant: Invariant, a: Atom) -> z3.BoolRef:
    """Return that the lemmas about a control hold of the arguments, and these fit their types."""
    replace = Substitution(zip(system.parameters[a.control], a.arguments, strict=True))
    holds = replace(z3.And(invariant.formula(a.control), *system.ranges[a.control]))
    assert isinstance(holds, z3.BoolRef)
    return holds


def _fit(system: System, a: Atom) -> z3.BoolRef:
    """Return that the arguments fit the types of a control's variables."""
    replace = Substitution(zip(system.parameters[a.control], a.arguments, strict=True))
    fit = replace(z3.And(*system.ranges[a.control]))
    assert isinstance(fit, z3.BoolRef)
    return fit


def minimise_invariant(system: System, invariant: Invariant) -> Invariant:
    """Return a part of a confirmed invariant that is one, and that can do without no lemma."""
    support = _Support(system, invariant)
    found = Invariant(
        {
            control: tuple(x for k, x in enumerate(lemmas) if (control, k) in support.wanted)
            for control, lemmas in invariant.lemmas.items()
        }
    )
    while True:
        smaller = _thinned(system, found)
        if smaller.lemmas == found.lemmas:
            return found
        found = smaller


def _thinned(system: System, invariant: Invariant) -> Invariant:
    """Leave out each lemma in turn, where the rest is an invariant without it."""
    for control, lemmas in invariant.lemmas.items():
        uses = [c for c in system.clauses if any(a.control == control for a in c.body)]
        for lemma in lemmas:
            rest = tuple(x for x in invariant.lemmas[control] if x is not lemma)
            without = Invariant({**invariant.lemmas, control: rest})
            if not any(_fails(system, without, clause) for clause in uses):
                invariant = without
    return invariant


def _lemmas(system: System, invariant: Invariant, a: Atom) -> Iterator[z3.BoolRef]:
    replace = Substitution(zip(system.parameters[a.control], a.arguments, strict=True))
    for lemma in invariant.lemmas.get(a.control, ()):
        found = replace(lemma)
        assert isinstance(found, z3.BoolRef)
        yield found


class _Asked(Record, frozen=True):
    """A clause in a solver of its own, with a name for each lemma before and after it."""

    solver: z3.Solver
    before: dict[str, tuple[Control, int]]
    after: tuple[z3.BoolRef, ...]


class _Support:
    """Collects lemmas that are needed: for the assertions first, then for each other.

    That values fit their types may need some, too.
    """

    def __init__(self, system: System, invariant: Invariant) -> None:
        self.system = system
        self.invariant = invariant
        self.wanted: set[tuple[Control, int]] = set()
        self.work: list[tuple[Control, int]] = []
        into: dict[Control | None, list[_Asked]] = {}
        for clause in system.clauses:
            head = None if clause.head is None else clause.head.control
            asked = self._asked(clause)
            into.setdefault(head, []).append(asked)
            self._need(asked, () if clause.head is None else (z3.Not(_fit(system, clause.head)),))
        while self.work:
            control, k = self.work.pop()
            for asked in into.get(control, ()):
                self._need(asked, (z3.Not(asked.after[k]),))

    def _asked(self, clause: Clause) -> _Asked:
        solver = z3.Solver()
        solver.add(*self.system.axioms, *self.system.known, clause.constraint, *_shown(clause))
        solver.add(*(_fit(self.system, a) for a in clause.body))
        before: dict[str, tuple[Control, int]] = {}
        for a in clause.body:
            for k, lemma in enumerate(_lemmas(self.system, self.invariant, a)):
                name = f"lemma{len(before)}"
                before[name] = (a.control, k)
                solver.add(z3.Implies(z3.Bool(name), lemma))
        head = clause.head
        after = () if head is None else tuple(_lemmas(self.system, self.invariant, head))
        return _Asked(solver, before, after)

    def _need(self, asked: _Asked, goal: tuple[z3.BoolRef, ...]) -> None:
        known = [name for name, lemma in asked.before.items() if lemma in self.wanted]
        others = [name for name in asked.before if asked.before[name] not in self.wanted]
        for names in (known, [*known, *others]):
            answer = asked.solver.check(*goal, *(z3.Bool(n) for n in names))
            if answer == z3.unsat:
                break
        for name in {str(x) for x in asked.solver.unsat_core()} & asked.before.keys():
            lemma = asked.before[name]
            if lemma not in self.wanted:
                self.wanted.add(lemma)
                self.work.append(lemma)
