"""Property-directed reachability: find an invariant that makes every clause true, or give up.

IC3 (Bradley, VMCAI 2011) for Horn clauses (Hoder and Bjorner, SAT 2012), with lemmas over a fixed
finite set of atoms (implicit predicate abstraction: Cimatti et al., TACAS 2014). What cannot be
blocked in terms of these atoms is not refined: the answer is then that there is no invariant.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import z3

from flushproof.engines.unbounded.atoms import atoms
from flushproof.engines.unbounded.clauses import Clause, Control, System

Literal = int
"""The number of an atom, plus one; negative where the atom is false."""

Cube = frozenset[int]

Pairs = list[tuple[z3.ExprRef, z3.ExprRef]]


@dataclass(frozen=True, slots=True)
class Invariant:
    """For each control the lemmas that hold there, each a disjunction over its parameters."""

    lemmas: Mapping[Control, tuple[z3.BoolRef, ...]]

    def formula(self, control: Control) -> z3.BoolRef:
        """Return what holds at a control."""
        return z3.And(*self.lemmas.get(control, ()))


class Exhausted(Exception):  # noqa: N818 - a limit, no error
    """The search took more steps than it was given."""


@dataclass(slots=True)
class Lemma:
    """No state at `control` is in `cube`, as far as `level` steps can tell."""

    control: Control
    cube: Cube
    level: int


def find_invariant(system: System, effort: int) -> Invariant | str:
    """Return an invariant, or why there is none; `effort` limits the number of queries."""
    search = _Search(system, effort)
    try:
        found = search.run()
    except Exhausted:
        return "the search for an invariant took too many steps"
    return found or "the abstraction is too coarse"


class _Search:
    def __init__(self, system: System, effort: int) -> None:
        self.system = system
        self.effort = effort
        self.clauses: dict[tuple[Control, Cube], z3.BoolRef] = {}
        self.atoms = atoms(system)
        self.lemmas: list[Lemma] = []
        self.posts: dict[Control | None, _Post] = {}
        heads = [*system.parameters, None]
        for control in heads:
            incoming = [
                c for c in system.clauses if (c.head.control if c.head else None) == control
            ]
            self.posts[control] = _Post(self, control, incoming)
        self.top = 0

    def run(self) -> Invariant | None:
        """Raise the level until some level's lemmas hold at the next, too."""
        while True:
            self.top += 1
            if not self._block(None, frozenset(), self.top):
                return None
            done = self._push()
            if done is not None:
                return self._invariant(done)

    def spend(self) -> None:
        """Count one query."""
        self.effort -= 1
        if self.effort < 0:
            raise Exhausted

    def _block(self, control: Control | None, cube: Cube, level: int) -> bool:
        """Make sure that no state of a cube is reached within `level` steps; False if one is."""
        post = self.posts[control]
        while True:
            before = post.predecessor(cube, level - 1)
            if before is None:
                break
            if not before:
                return False
            if not any(self._block(c, pre, level - 1) for c, pre in reversed(before)):
                return False
        if control is not None:
            self._learn(control, post.generalise(level - 1), level)
        return True

    def _learn(self, control: Control, cube: Cube, level: int) -> None:
        while level < self.top and self.posts[control].predecessor(cube, level) is None:
            level += 1
        lemma = Lemma(control, cube, level)
        kept = []
        for old in self.lemmas:
            if old.control == control and old.level <= level and cube <= old.cube:
                continue
            kept.append(old)
        self.lemmas = [*kept, lemma]
        self.tell(lemma)

    def tell(self, lemma: Lemma) -> None:
        """Let every clause that starts from the lemma's control know of it."""
        for post in self.posts.values():
            post.add(lemma.control, lemma.cube, lemma.level)

    def _push(self) -> int | None:
        """Raise lemmas that also hold one level up; return a level that has none of its own."""
        for level in range(1, self.top + 1):
            for lemma in [x for x in self.lemmas if x.level == level]:
                if self.posts[lemma.control].predecessor(lemma.cube, level) is None:
                    lemma.level = level + 1
                    self.tell(lemma)
            if not any(x.level == level for x in self.lemmas) and self._safe(level):
                return level
        return None

    def _safe(self, level: int) -> bool:
        """Tell whether no assertion fails where the lemmas of a level hold."""
        return self.posts[None].predecessor(frozenset(), level) is None

    def _invariant(self, level: int) -> Invariant:
        lemmas: dict[Control, list[z3.BoolRef]] = {}
        for x in self.lemmas:
            if x.level > level:
                lemmas.setdefault(x.control, []).append(self.clause(x.control, x.cube))
        return Invariant({c: tuple(found) for c, found in lemmas.items()})

    def clause(self, control: Control, cube: Cube) -> z3.BoolRef:
        """Return the negation of a cube."""
        if (control, cube) not in self.clauses:
            self.clauses[control, cube] = self._negated(control, cube)
        return self.clauses[control, cube]

    def _negated(self, control: Control, cube: Cube) -> z3.BoolRef:
        known = self.atoms[control]
        parts = [z3.Not(known[x - 1]) if x > 0 else known[-x - 1] for x in sorted(cube, key=abs)]
        return z3.Or(*parts) if len(parts) != 1 else parts[0]


class _Post:
    """The clauses that lead to one control, or to a failed assertion."""

    def __init__(self, owner: _Search, control: Control | None, incoming: list[Clause]) -> None:
        self.owner = owner
        self.control = control
        self.incoming = incoming
        self.solver = z3.Solver()
        self.solver.add(*owner.system.axioms, *owner.system.known)
        name = "error" if control is None else control.name
        self.selectors = [z3.Bool(f"clause {k} to {name}") for k in range(len(incoming))]
        self.solver.add(z3.Or(*self.selectors))
        self.real = z3.Bool("a step")
        self.levels: list[z3.BoolRef] = []
        self.literals: list[tuple[z3.BoolRef, z3.BoolRef]] = []
        self.bodies: dict[Control, list[tuple[z3.BoolRef, Pairs]]] = {}
        self.starts: list[list[tuple[Control, Pairs]]] = []
        parameters = () if control is None else owner.system.parameters[control]
        after = [z3.Const(f"{p.decl().name()}'", p.sort()) for p in parameters]
        for selector, clause in zip(self.selectors, incoming, strict=True):
            self._add_clause(selector, clause, after)
        if control is not None:
            pairs = list(zip(parameters, after, strict=True))
            for k, atom in enumerate(owner.atoms[control]):
                primed = z3.substitute(atom, *pairs)
                yes, no = z3.Bool(f"yes {k}"), z3.Bool(f"no {k}")
                self.solver.add(z3.Implies(yes, primed), z3.Implies(no, z3.Not(primed)))
                self.literals.append((yes, no))
        self.numbers = {
            x.get_id(): (k + 1) * sign
            for k, pair in enumerate(self.literals)
            for x, sign in zip(pair, (1, -1), strict=True)
        }
        self.relative = 0
        self.instances: dict[int, list[z3.BoolRef]] = {}

    def _add_clause(self, selector: z3.BoolRef, clause: Clause, after: list[z3.ExprRef]) -> None:
        parts = [clause.constraint]
        if clause.head is not None:
            parts += [x == y for x, y in zip(after, clause.head.arguments, strict=True)]
        if clause.body:
            parts.append(self.real)
        self.solver.add(z3.Implies(selector, z3.And(*parts)))
        starts: list[tuple[Control, Pairs]] = []
        for atom in clause.body:
            parameters = self.owner.system.parameters[atom.control]
            pairs = [(p, a) for p, a in zip(parameters, atom.arguments, strict=True) if not p.eq(a)]
            starts.append((atom.control, pairs))
            self.bodies.setdefault(atom.control, []).append((selector, pairs))
        self.starts.append(starts)

    def _level(self, level: int) -> z3.BoolRef:
        while len(self.levels) <= level:
            self.levels.append(z3.Bool(f"level {len(self.levels)}"))
        return self.levels[level]

    def add(self, control: Control, cube: Cube, level: int) -> None:
        """Take note of a lemma about a control that some clause starts from."""
        for guard, clause in self._instances(control, cube):
            self.solver.add(z3.Or(z3.Not(self._level(level)), z3.Not(guard), clause))

    def _instances(self, control: Control, cube: Cube) -> list[tuple[z3.BoolRef, z3.BoolRef]]:
        clause = self.owner.clause(control, cube)
        plain = [s for s, pairs in self.bodies.get(control, ()) if not pairs]
        out = [(z3.Or(*plain), clause)] if plain else []
        out += [
            (s, z3.substitute(clause, *pairs)) for s, pairs in self.bodies.get(control, ()) if pairs
        ]
        return out

    def _assumptions(self, cube: Cube, level: int) -> list[z3.BoolRef]:
        out = [self.literals[abs(x) - 1][x < 0] for x in cube]
        if level == 0:
            return [*out, z3.Not(self.real)]
        self._level(level)
        return [*out, self.real, *self.levels[level:]]

    def predecessor(self, cube: Cube, level: int) -> list[tuple[Control, Cube]] | None:
        """Return states within `level` steps from which a cube is reached, None if there are none.

        The list is empty where the cube holds at boot.
        """
        self.owner.spend()
        answer = self.solver.check(*self._assumptions(cube, level))
        if answer == z3.unsat:
            return None
        if answer == z3.unknown:
            raise Exhausted
        model = self.solver.model()
        chosen = next(
            starts
            for s, starts in zip(self.selectors, self.starts, strict=True)
            if z3.is_true(model.eval(s))
        )
        return [(control, self._cube(model, control, pairs)) for control, pairs in chosen]

    def _cube(self, model: z3.ModelRef, control: Control, pairs: Pairs) -> Cube:
        terms = self._instanced(control, pairs)
        return frozenset(k + 1 if is_true(model, term) else -k - 1 for k, term in enumerate(terms))

    def _instanced(self, control: Control, pairs: Pairs) -> list[z3.BoolRef]:
        """Return a control's atoms for one clause that starts from it."""
        atoms_ = self.owner.atoms[control]
        if not pairs:
            return list(atoms_)
        key = id(pairs)
        if key not in self.instances:
            self.instances[key] = [z3.substitute(a, *pairs) for a in atoms_]
        return self.instances[key]

    def generalise(self, level: int) -> Cube:
        """Drop literals of the cube just asked about, as long as it stays out of reach."""
        small = self._core()
        if not self._relative(small, level):
            return small
        for x in sorted(small):
            if x not in small:
                continue
            fewer = small - {x}
            core = self._relative(fewer, level)
            if core is not None:
                small = core
        return small

    def _core(self) -> Cube:
        found = (self.numbers.get(x.get_id()) for x in self.solver.unsat_core())
        return frozenset(x for x in found if x is not None)

    def _relative(self, cube: Cube, level: int) -> Cube | None:
        """Return a part of a cube that no state outside it leads to; None where one does."""
        self.owner.spend()
        assert self.control is not None
        extra: list[z3.BoolRef] = []
        if level > 0:
            self.relative += 1
            here = z3.Bool(f"relative {self.relative}")
            for guard, clause in self._instances(self.control, cube):
                self.solver.add(z3.Or(z3.Not(here), z3.Not(guard), clause))
            extra.append(here)
        answer = self.solver.check(*self._assumptions(cube, level), *extra)
        return self._core() if answer == z3.unsat else None


def is_true(model: z3.ModelRef, term: z3.BoolRef) -> bool:
    """Evaluate a condition, without wrapping the result: this is most of the search's own work."""
    context = term.ctx.ref()
    found = (z3.Ast * 1)()
    z3.Z3_model_eval(context, model.model, term.as_ast(), True, found)  # noqa: FBT003
    return bool(z3.Z3_get_bool_value(context, found[0]) == 1)
