"""The questions that the search asks: what can lead to a control, as clauses for a SAT solver."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

import z3
from pysat.solvers import Solver

from flushproof.engines.unbounded.clauses import Clause, Control, System
from flushproof.engines.unbounded.finite import MANY, Clauses, Finite, clauses

Literal = int
"""The number of an atom, plus one; negative where the atom is false."""

Cube = frozenset[Literal]

Pairs = list[tuple[z3.ExprRef, z3.ExprRef]]
Atoms = Mapping[Control, Sequence[z3.BoolRef]]

SOLVER = "glucose4"


class Vocabulary:
    """The atoms of each control, over parameters and over what a clause puts in their place."""

    def __init__(self, system: System, atoms: Atoms, finite: Finite) -> None:
        self.system = system
        self.atoms = atoms
        self.finite = finite
        self.always = [finite(x) for x in (*system.axioms, *system.known)]
        self.always += [finite(n <= MANY) for n in system.sizes]

    def pairs(self, control: Control, arguments: Sequence[z3.ExprRef]) -> Pairs:
        """Return the parameters that a clause gives another value."""
        parameters = self.system.parameters[control]
        return [(p, a) for p, a in zip(parameters, arguments, strict=True) if not p.eq(a)]

    def instances(self, control: Control, pairs: Pairs) -> list[z3.BoolRef]:
        """Return the atoms over the arguments of a clause."""
        found = self.atoms[control]
        return [self.finite(z3.substitute(a, *pairs) if pairs else a) for a in found]


class Post:
    """The clauses that lead to one control, or to a failed assertion (None)."""

    def __init__(
        self, vocabulary: Vocabulary, control: Control | None, incoming: Sequence[Clause]
    ) -> None:
        self.vocabulary = vocabulary
        self.control = control
        self.bodies: dict[Control, list[tuple[int, tuple[int, ...]]]] = {}
        self.starts: list[list[tuple[Control, tuple[int, ...]]]] = []
        encoder = _Encoder(vocabulary)
        self.incoming = [encoder.step(k, clause) for k, clause in enumerate(incoming)]
        primed = () if control is None else encoder.after(control)
        found = encoder.clauses()
        numbers = found.numbers
        self.solver = Solver(SOLVER, bootstrap_with=found.clauses)
        self.variables = found.variables
        self.selectors = [numbers[f"step{k}"] for k in range(len(incoming))]
        self.solver.add_clause(self.selectors)
        self.real = numbers.get("real", self.fresh())
        self.primed = [numbers[name] for name in primed]
        self.atom_of = {v: k + 1 for k, v in enumerate(self.primed)}
        for selector, names in zip(self.selectors, self.incoming, strict=True):
            starts = [(c, tuple(numbers[n] for n in own)) for c, own in names]
            self.starts.append(starts)
            for c, own in starts:
                self.bodies.setdefault(c, []).append((selector, own))
        self.levels: list[int] = []

    def fresh(self) -> int:
        """Return a new variable."""
        self.variables += 1
        return self.variables

    def _level(self, level: int) -> int:
        while len(self.levels) <= level:
            self.levels.append(self.fresh())
        return self.levels[level]

    def add(self, control: Control, cube: Cube, level: int) -> None:
        """Take note that a control has no states in a cube, within `level` steps."""
        if control in self.bodies:
            self._exclude(control, cube, self._level(level))

    def trial(self, lemmas: Iterable[tuple[Control, Cube]]) -> int:
        """Return a literal that says that lemmas hold before a step."""
        trial = self.fresh()
        for control, cube in lemmas:
            if control in self.bodies:
                self._exclude(control, cube, trial)
        return trial

    def kept(self, cube: Cube, trial: int) -> bool:
        """Tell whether a cube is not there at boot, nor after a step that starts as tried."""
        start = self._assumptions(cube, 0)
        step = [self.real, trial, *start[1:]]
        return not any(self.solver.solve(assumptions=a) for a in (start, step))

    def settle(self, trial: int, *, good: bool) -> None:
        """Have what was tried hold from now on, or forget it."""
        self.solver.add_clause([trial if good else -trial])

    def _exclude(self, control: Control, cube: Cube, condition: int) -> None:
        for selector, own in self.bodies.get(control, ()):
            negated = [-own[x - 1] if x > 0 else own[-x - 1] for x in cube]
            self.solver.add_clause([-condition, -selector, -self.real, *negated])

    def _assumptions(self, cube: Iterable[Literal], level: int) -> list[int]:
        out = [self.primed[x - 1] if x > 0 else -self.primed[-x - 1] for x in sorted(cube)]
        if level == 0:
            return [-self.real, *out]
        self._level(level)
        return [self.real, *self.levels[level:], *out]

    def predecessor(self, cube: Cube, level: int) -> list[tuple[Control, Cube]] | None:
        """Return states within `level` steps from which a cube is reached, None if there are none.

        The list is empty where the cube holds at boot.
        """
        if not self.solver.solve(assumptions=self._assumptions(cube, level)):
            return None
        model = self.solver.get_model()
        chosen = next(
            starts
            for s, starts in zip(self.selectors, self.starts, strict=True)
            if model[s - 1] > 0
        )
        return [
            (c, frozenset(k if model[v - 1] > 0 else -k for k, v in enumerate(own, 1)))
            for c, own in chosen
        ]

    def core(self) -> Cube:
        """Return the part of the cube last asked about that was out of reach."""
        found = ((abs(x), x) for x in self.solver.get_core() or ())
        return frozenset(
            self.atom_of[v] if x > 0 else -self.atom_of[v] for v, x in found if v in self.atom_of
        )

    def outside(self, cube: Cube, level: int) -> Cube | None:
        """Return a part of a cube that no state outside of it leads to; None where one does."""
        assert self.control is not None
        assumptions = self._assumptions(cube, level)
        if level == 0:
            return None if self.solver.solve(assumptions=assumptions) else self.core()
        here = self.fresh()
        self._exclude(self.control, cube, here)
        reached = self.solver.solve(assumptions=[*assumptions, here])
        core = None if reached else self.core()
        self.solver.add_clause([-here])
        return core


class _Encoder:
    """Collects the formulas of one `Post`; literals are known by their names."""

    def __init__(self, vocabulary: Vocabulary) -> None:
        self.vocabulary = vocabulary
        self.formulas: list[z3.BoolRef] = list(vocabulary.always)
        self.arguments: list[tuple[z3.BoolRef, Sequence[z3.ExprRef]]] = []
        self.names: dict[tuple[Control, int], list[str]] = {}
        self.real = z3.Bool("real")
        self.formulas.append(z3.Or(self.real, z3.Not(self.real)))

    def step(self, number: int, clause: Clause) -> list[tuple[Control, list[str]]]:
        """Add a clause; return its body's controls and the names of their atoms."""
        finite = self.vocabulary.finite
        selector = z3.Bool(f"step{number}")
        parts = [finite(clause.constraint)]
        if clause.body:
            parts.append(self.real)
        self.formulas.append(z3.Implies(selector, z3.And(*parts)))
        if clause.head is not None:
            self.arguments.append((selector, clause.head.arguments))
        return [
            (a.control, self._atoms(a.control, self.vocabulary.pairs(a.control, a.arguments)))
            for a in clause.body
        ]

    def _atoms(self, control: Control, pairs: Pairs) -> list[str]:
        key = (control, 0 if not pairs else len(self.names) + 1)
        if key not in self.names:
            self.names[key] = self._defined(self.vocabulary.instances(control, pairs))
        return self.names[key]

    def _defined(self, terms: Iterable[z3.BoolRef]) -> list[str]:
        names = []
        for term in terms:
            names.append(f"atom{len(self.formulas)}")
            self.formulas.append(z3.Bool(names[-1]) == term)
        return names

    def after(self, control: Control) -> list[str]:
        """Add the atoms of the head."""
        finite = self.vocabulary.finite
        parameters = self.vocabulary.system.parameters[control]
        after = [z3.Const(f"{p.decl().name()}'", p.sort()) for p in parameters]
        for selector, arguments in self.arguments:
            same = [finite(x) == finite(y) for x, y in zip(after, arguments, strict=True)]
            self.formulas.append(z3.Implies(selector, z3.And(*same)))
        pairs = list(zip(parameters, after, strict=True))
        return self._defined(self.vocabulary.instances(control, pairs))

    def clauses(self) -> Clauses:
        """Return everything as clauses."""
        limits = self.vocabulary.finite.limits
        return clauses([*self.formulas, *limits])
