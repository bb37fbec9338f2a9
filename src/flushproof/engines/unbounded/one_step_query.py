"""The questions that the search asks: what can lead to a control, as clauses for a SAT solver."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

import z3
from pysat.solvers import Solver

from flushproof.engines.unbounded.and_inverter_graph import TRUE, Circuit, Word
from flushproof.engines.unbounded.finite_instantiation import (
    MANY,
    FiniteInstantiation,
    Instance,
    Node,
)
from flushproof.engines.unbounded.horn_clauses import Atom, Clause, Control, System, terms_of
from flushproof.support.record import Record

Literal = int
"""The number of an atom, plus one; negative where the atom is false."""

Cube = frozenset[Literal]

SOLVER = "cadical153"


class PredicateTable:
    """The atoms of each control, and what they and the clauses mean in small domains."""

    def __init__(self, system: System, atoms: Mapping[Control, Sequence[z3.BoolRef]]) -> None:
        self.system = system
        constants = [x for axiom in system.axioms for x in axiom.children()]
        every = [x for clause in system.clauses for x in terms_of(clause)]
        every += system.offered
        self.finite = FiniteInstantiation(every, constants)
        small = (n <= MANY for n in system.sizes)
        self.always = [self.finite(x) for x in (*system.axioms, *system.known, *small)]
        self.parameters = {c: tuple(map(self.finite, p)) for c, p in system.parameters.items()}
        self.atoms = {c: tuple(map(self.finite, found)) for c, found in atoms.items()}
        self.subjects = {
            c: tuple(_mentioned_parameters(x, frozenset(self.parameters[c])) for x in found)
            for c, found in self.atoms.items()
        }


def _mentioned_parameters(node: Node, parameters: frozenset[Node]) -> frozenset[Node]:
    """Return the parameters that an atom speaks of."""
    if node in parameters:
        return frozenset((node,))
    return frozenset(x for part in node.parts for x in _mentioned_parameters(part, parameters))


State = tuple[Control, Cube]


class Predecessor(Record, frozen=True):
    """A step that leads to a cube: the number of its clause, and the model that shows it."""

    clause: int
    cube: Cube
    model: Sequence[int]


class DecisiveValues(Record, frozen=True):
    """Where threads are, and those values of a state on which a step hangs.

    A page is the constant that it is, else a number that tells it from others.
    """

    control: Control
    values: tuple[tuple[z3.ExprRef, z3.ExprRef | int], ...]


class _PredicateStart:
    """A predicate in a clause's body: its atoms, and what their parameters depend on."""

    def __init__(
        self,
        control: Control,
        atoms: tuple[int, ...],
        given: Mapping[Node, Word],
        subjects: Sequence[frozenset[Node]],
        used: int,
    ) -> None:
        self.control = control
        self.atoms = atoms
        self.used = used
        numbers = {p: k for k, p in enumerate(given)}
        words = [frozenset(map(abs, word)) - {TRUE} for word in given.values()]
        self.varying = [(1 << k, word) for k, word in enumerate(words) if word]
        self.constant = sum(1 << k for k, word in enumerate(words) if not word)
        about = (sum(1 << numbers[p] for p in found) for found in subjects)
        self.literals = [
            (k, abs(x) - 1, x > 0, mask)
            for k, (x, mask) in enumerate(zip(atoms, about, strict=True), 1)
        ]

    def lifted_cube(self, model: Sequence[int], reasons: set[int] | None) -> Cube:
        """Return the atoms about parameters that mattered, or all without reasons."""
        matter = self.constant
        for bit, word in self.varying:
            if reasons is None or not reasons.isdisjoint(word):
                matter |= bit
        return frozenset(
            k if (model[v] > 0) == positive else -k
            for k, v, positive, mask in self.literals
            if not mask & ~matter
        )


class TransitionQuery:
    """The clauses that lead to one control, or to a failed assertion (None)."""

    def __init__(
        self, vocabulary: PredicateTable, control: Control | None, incoming: Sequence[Clause]
    ) -> None:
        self.vocabulary = vocabulary
        self.control = control
        self.circuit = Circuit()
        self.instance = Instance(self.circuit)
        self.incoming = tuple(incoming)
        self.real = self.circuit.fresh()
        self.plain: dict[Control, _PredicateStart] = {}
        self.bodies: dict[Control, list[_PredicateStart]] = {}
        self.selectors: list[int] = []
        self.conditions: list[int] = []
        self.starts: list[tuple[_PredicateStart, ...]] = []
        self.after: list[tuple[int, ...]] = []
        count = 0 if control is None else len(vocabulary.atoms[control])
        self.primed = self.circuit.word(count)
        self.atom_of = {v: k for k, v in enumerate(self.primed, 1)}
        for node in vocabulary.always:
            self.circuit.require(*self.instance.word(node))
        for clause in incoming:
            self._add_clause(clause)
        self.circuit.require(*self.selectors)
        self.solver = Solver(SOLVER, bootstrap_with=self.circuit.clauses)
        self.levels: list[int] = []

    def _add_clause(self, clause: Clause) -> None:
        circuit, finite = self.circuit, self.vocabulary.finite
        selector = circuit.fresh()
        (condition,) = self.instance.word(finite(clause.constraint))
        circuit.require(-selector, condition)
        starts = tuple(self._predicate_start(a) for a in clause.body)
        if starts:
            circuit.require(-selector, self.real)
        for start in starts:
            circuit.require(-selector, start.used)
        after = () if clause.head is None else self._atoms_over(clause.head)[0]
        for before, x in zip(self.primed, after, strict=True):
            circuit.require(-selector, -before, x)
            circuit.require(-selector, before, -x)
        self.selectors.append(selector)
        self.conditions.append(condition)
        self.starts.append(starts)
        self.after.append(after)

    def _predicate_start(self, a: Atom) -> _PredicateStart:
        plain = a.arguments == self.vocabulary.system.parameters[a.control]
        if plain and a.control in self.plain:
            return self.plain[a.control]
        atoms, given = self._atoms_over(a)
        subjects = self.vocabulary.subjects[a.control]
        start = _PredicateStart(a.control, atoms, given, subjects, self.circuit.fresh())
        self.bodies.setdefault(a.control, []).append(start)
        if plain:
            self.plain[a.control] = start
        return start

    def _atoms_over(self, a: Atom) -> tuple[tuple[int, ...], dict[Node, Word]]:
        """Return the atoms of a predicate over its arguments, and these."""
        v = self.vocabulary
        words = (self.instance.word(v.finite(x)) for x in a.arguments)
        given = dict(zip(v.parameters[a.control], words, strict=True))
        return tuple(self.instance.where(x, given)[0] for x in v.atoms[a.control]), given

    def _level_literal(self, level: int) -> int:
        while len(self.levels) <= level:
            self.levels.append(self.circuit.fresh())
        return self.levels[level]

    def add_lemma(self, control: Control, cube: Cube, level: int) -> None:
        """Take note that a control has no states in a cube, within `level` steps."""
        if control in self.bodies:
            self.exclude_cube(control, cube, self._level_literal(level))

    def exclude_cube(self, control: Control, cube: Cube, condition: int = TRUE) -> None:
        """Take note that a control has no states in a cube, under a condition."""
        for start in self.bodies.get(control, ()):
            own = start.atoms
            negated = [-own[x - 1] if x > 0 else own[-x - 1] for x in cube]
            self.solver.add_clause([-condition, -start.used, *negated])

    def _assumptions(self, cube: Iterable[Literal], level: int) -> list[int]:
        out = [self.primed[x - 1] if x > 0 else -self.primed[-x - 1] for x in sorted(cube)]
        if level == 0:
            # No steps at all: only clauses without a body count, which is boot.
            return [-self.real, *out]
        self._level_literal(level)
        return [self.real, *self.levels[level:], *out]

    def is_reachable(self, cube: Cube, level: int) -> bool:
        """Tell whether a cube is reached from states within `level` steps."""
        return bool(self.solver.solve(assumptions=self._assumptions(cube, level)))

    def find_predecessor(self, cube: Cube, level: int) -> Predecessor | None:
        """Return a step from states within `level` steps to a cube, None if there is none."""
        if not self.is_reachable(cube, level):
            return None
        model = self.solver.get_model()
        chosen = next(k for k, s in enumerate(self.selectors) if model[s - 1] > 0)
        return Predecessor(chosen, cube, model)

    def lifted_predecessors(self, step: Predecessor) -> tuple[State, ...]:
        """Return what must hold before a step (lifting); nothing where its cube holds at boot."""
        reasons, starts = self._reasons(step), self.starts[step.clause]
        return tuple((s.control, s.lifted_cube(step.model, reasons)) for s in starts)

    def _reasons(self, step: Predecessor) -> set[int]:
        """Return the variables on which it hangs that a step is one, and leads to its cube."""
        after = self.after[step.clause]
        ends = (after[abs(x) - 1] for x in step.cube)
        return self.circuit.reasons((self.conditions[step.clause], *ends), step.model)

    def full_predecessors(self, step: Predecessor) -> tuple[State, ...]:
        """Return all that holds before a step."""
        return tuple((s.control, s.lifted_cube(step.model, None)) for s in self.starts[step.clause])

    def decisive_values(self, step: Predecessor) -> DecisiveValues:
        """Return what a step, which is not boot, and its cube hang on in the state before."""
        start = self.incoming[step.clause].body[0]
        reasons = self._reasons(step)
        finite = self.vocabulary.finite
        parameters = self.vocabulary.system.parameters[start.control]
        found: list[tuple[z3.ExprRef, z3.ExprRef | int]] = []
        for parameter, x in zip(parameters, start.arguments, strict=True):
            word = self.instance.word(finite(x))
            if not reasons.isdisjoint(set(map(abs, word)) - {TRUE}):
                bits = [(step.model[abs(b) - 1] > 0) == (b > 0) for b in word]
                found.append((parameter, finite.read_value(parameter, bits)))
        return DecisiveValues(start.control, tuple(found))

    def successor_state(self, step: Predecessor) -> Cube:
        """Return the state that a step leads to."""
        return self._primed_cube(step.model)

    def forward_image(self, step: Predecessor, starts: Sequence[Cube]) -> Cube | None:
        """Return a successor of given states in the cube that a step leads to, or None."""
        found = self.find_step(step.clause, starts, step.cube)
        return None if found is None else self._primed_cube(found.model)

    def find_step(self, clause: int, starts: Sequence[Cube], cube: Cube) -> Predecessor | None:
        """Return a step by a clause from given states to a cube, or None."""
        assumptions = self._assumptions(cube, len(self.levels))
        assumptions.append(self.selectors[clause])
        for start, state in zip(self.starts[clause], starts, strict=True):
            own = start.atoms
            assumptions += [own[x - 1] if x > 0 else -own[-x - 1] for x in state]
        if not self.solver.solve(assumptions=assumptions):
            return None
        return Predecessor(clause, cube, self.solver.get_model())

    def _primed_cube(self, model: Sequence[int]) -> Cube:
        """Return the atoms at the end of a step."""
        return frozenset(k if model[v - 1] > 0 else -k for k, v in enumerate(self.primed, 1))

    def unreachable_core(self) -> Cube:
        """Return the part of the cube last asked about that was out of reach."""
        found = ((abs(x), x) for x in self.solver.get_core() or ())
        return frozenset(
            self.atom_of[v] if x > 0 else -self.atom_of[v] for v, x in found if v in self.atom_of
        )

    def relatively_inductive_core(self, cube: Cube, level: int) -> Cube | None:
        """Return a part of a cube that no state outside of it leads to; None where one does."""
        assert self.control is not None
        assumptions = self._assumptions(cube, level)
        if level == 0:
            return None if self.solver.solve(assumptions=assumptions) else self.unreachable_core()
        here = self.circuit.fresh()
        # Induction: the cube is out of reach if only itself leads to it. At level 0 there is
        # nothing before boot that could be excluded.
        self.exclude_cube(self.control, cube, here)
        reached = self.solver.solve(assumptions=[*assumptions, here])
        core = None if reached else self.unreachable_core()
        self.solver.add_clause([-here])
        return core
