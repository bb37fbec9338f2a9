"""Property-directed reachability: find an invariant that makes every clause true, or give up.

IC3 (Bradley, VMCAI 2011) for Horn clauses (Hoder and Bjorner, SAT 2012), with lemmas over a fixed
finite set of atoms (implicit predicate abstraction: Cimatti et al., TACAS 2014). What cannot be
blocked in terms of these atoms is not refined: the answer is then that there is no invariant. The
search takes place over small finite domains; what it finds must be checked in the unbounded ones.

Lemma L22 of docs/soundness.md.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence

import z3

from flushproof.engines.unbounded.horn_clauses import Control, System
from flushproof.engines.unbounded.one_step_query import (
    Cube,
    DecisiveValues,
    Literal,
    Predecessor,
    PredicateTable,
    State,
    TransitionQuery,
)
from flushproof.engines.unbounded.predicates import collect_predicates
from flushproof.support.record import Record


class Invariant(Record, frozen=True):
    """For each control the lemmas that hold there, each a disjunction over its parameters."""

    lemmas: Mapping[Control, tuple[z3.BoolRef, ...]]

    def formula(self, control: Control) -> z3.BoolRef:
        """Return what holds at a control."""
        return z3.And(*self.lemmas.get(control, ()))


class Exhausted(Exception):  # noqa: N818 - a limit, no error
    """The search took more steps than it was given."""


class Origin(Record, frozen=True):
    """How a state was found to be reached: by which clause, from which states."""

    clause: int
    starts: tuple[Cube, ...]


class Lemma(Record):
    """No state at `control` is in `cube`, as far as `level` steps can tell.

    `reached` are states, found before, from which the cube is reached in one more step.
    """

    control: Control
    cube: Cube
    level: int
    reached: tuple[State, ...] | None = None


class Ic3:
    """One search for an invariant, with those in `known` to start from, over the same names."""

    def __init__(self, system: System, effort: int, known: Iterable[Invariant] = ()) -> None:
        self.effort = effort
        self.atoms = collect_predicates(system)
        self.lemmas: list[Lemma] = []
        vocabulary = PredicateTable(system, self.atoms)
        self.posts: dict[Control | None, TransitionQuery] = {}
        for control in (*system.parameters, None):
            incoming = [
                c for c in system.clauses if (c.head.control if c.head else None) == control
            ]
            self.posts[control] = TransitionQuery(vocabulary, control, incoming)
        self.known = list(self._import_lemmas(known))
        for control, cube in self.known:
            for post in self.posts.values():
                post.exclude_cube(control, cube)
        self.reached: dict[Control | None, list[Cube]] = {}
        self.top = 0
        self.led: dict[tuple[Control | None, Cube], Origin] = {}
        self.score: dict[tuple[Control, int], int] = {}

    def run(self) -> Invariant | None:
        """Raise the level until some level's lemmas hold at the next, too."""
        while True:
            self.top += 1
            # The failure is reached over the atoms, which is no counterexample: with more atoms it
            # might not be. It only ends this search (L22).
            if self._block_cube(None, frozenset(), self.top) is not None:
                return None
            done = self._push_lemmas()
            if done is not None:
                return self._make_invariant(done)

    def inductive_subset(self) -> Invariant:
        """Return what a search that failed has learned and holds at any time: an invariant, too.

        Lemmas that the others and what was known do not keep up are dropped until none is (Houdini:
        Flanagan and Leino, FME 2001).
        """
        left, level = self.lemmas, self.top + 2
        while True:
            for x in left:
                self._add_lemma(Lemma(x.control, x.cube, level))
            stay = [x for x in left if not self.posts[x.control].is_reachable(x.cube, level)]
            if len(stay) == len(left):
                return self._exclude_cubes((x.control, x.cube) for x in stay)
            left, level = stay, level + 1

    def list_unexcluded(self) -> Iterator[DecisiveValues]:
        """Yield the states on the way to the failure that was reached, the last one first."""
        control: Control | None = None
        state = next(iter(self.reached.get(None, ())), None)
        seen: set[State] = set()
        while state is not None and (control, state) in self.led:
            origin = self.led[control, state]
            post = self.posts[control]
            step = post.find_step(origin.clause, origin.starts, state)
            if step is None:
                return
            found = post.decisive_values(step)
            yield found
            control, state = found.control, origin.starts[0]
            if (control, state) in seen:
                return
            seen.add((control, state))

    def _spend_effort(self) -> None:
        self.effort -= 1
        if self.effort < 0:
            raise Exhausted

    def _is_reachable(self, control: Control | None, cube: Cube, level: int) -> bool:
        self._spend_effort()
        return self.posts[control].is_reachable(cube, level)

    def _block_cube(self, control: Control | None, cube: Cube, level: int) -> Cube | None:
        """Make sure that no state of a cube is reached within `level` steps, or return one that is.

        States known to be reached make short work of cubes that cannot be blocked (must summaries:
        Ivrii and Gurfinkel, FMCAD 2015).
        """
        post = self.posts[control]
        while True:
            known = self._known_reachable_state(control, cube)
            if known is not None:
                return known
            self._spend_effort()
            step = post.find_predecessor(cube, level - 1)
            if step is None:
                break
            state = self._confirm_reachable(post, step, level - 1)
            if state is not None:
                self.reached.setdefault(control, []).append(state)
                return state
        if control is not None:
            self._learn_lemma(control, self._generalise_cube(control, level - 1), level)
        return None

    def _confirm_reachable(
        self, post: TransitionQuery, step: Predecessor, level: int
    ) -> Cube | None:
        """Return a successor of known-reachable states in the predecessor's cube, or None."""
        starts = self._reach_all(post.lifted_predecessors(step), level)
        if starts is None:
            return None
        if not starts:
            return post.successor_state(step)
        self._spend_effort()
        # Atoms do not tell all of a state, so from another state of the lifted cube this step may
        # not lead there. Only then is the one state of the model asked for, all atoms of it.
        state = post.forward_image(step, starts)
        if state is None:
            full = self._reach_all(post.full_predecessors(step), level)
            if full is None:
                return None
            starts, state = full, post.successor_state(step)
        self.led[post.control, state] = Origin(step.clause, tuple(starts))
        return state

    def _reach_all(self, wanted: Sequence[State], level: int) -> list[Cube] | None:
        """Return states that are reached, one for each cube; None where one is blocked."""
        starts: list[Cube] = []
        for control, cube in reversed(wanted):
            state = self._block_cube(control, cube, level)
            if state is None:
                return None
            starts.append(state)
        return starts[::-1]

    def _known_reachable_state(self, control: Control | None, cube: Cube) -> Cube | None:
        """Return a state of a cube that is known to be reached."""
        return next((x for x in self.reached.get(control, ()) if cube <= x), None)

    def _generalise_cube(self, control: Control, level: int) -> Cube:
        """Drop literals of the cube just asked about, as long as it stays out of reach.

        Those that many lemmas have are tried last.
        """
        post = self.posts[control]
        small = post.unreachable_core()
        self._spend_effort()
        for x in sorted(small, key=lambda x: (self.score.get((control, x), 0), x)):
            # A cube with a state that is reached cannot be blocked: no need to ask.
            if x in small and self._known_reachable_state(control, small - {x}) is None:
                self._spend_effort()
                core = post.relatively_inductive_core(small - {x}, level)
                if core is not None:
                    small = core
        return small

    def _learn_lemma(self, control: Control, cube: Cube, level: int) -> None:
        while level < self.top and not self._is_reachable(control, cube, level):
            level += 1
        self.lemmas = [
            old
            for old in self.lemmas
            if not (old.control == control and old.level <= level and cube <= old.cube)
        ]
        self.lemmas.append(Lemma(control, cube, level))
        self._add_lemma(self.lemmas[-1])
        for x in cube:
            self.score[control, x] = self.score.get((control, x), 0) + 1

    def _add_lemma(self, lemma: Lemma) -> None:
        for post in self.posts.values():
            post.add_lemma(lemma.control, lemma.cube, lemma.level)

    def _push_lemmas(self) -> int | None:
        """Raise lemmas that also hold one level up; return a level that has none of its own."""
        for level in range(1, self.top + 1):
            for lemma in [x for x in self.lemmas if x.level == level]:
                if not self._stays_at_level(lemma):
                    lemma.level = level + 1
                    lemma.reached = None
                    self._add_lemma(lemma)
            if not any(x.level == level for x in self.lemmas) and self._is_safe(level):
                return level
        return None

    def _stays_at_level(self, lemma: Lemma) -> bool:
        """Tell whether a lemma's cube can be reached from its own level."""
        if lemma.reached is None or any(self._is_excluded(x, lemma.level) for x in lemma.reached):
            self._spend_effort()
            post = self.posts[lemma.control]
            step = post.find_predecessor(lemma.cube, lemma.level)
            lemma.reached = None if step is None else post.full_predecessors(step)
        return lemma.reached is not None

    def _is_excluded(self, state: State, level: int) -> bool:
        """Tell whether a state is known to be out of reach within `level` steps."""
        control, cube = state
        return any(
            x.level >= level and x.control == control and x.cube <= cube for x in self.lemmas
        )

    def _is_safe(self, level: int) -> bool:
        """Tell whether no assertion fails where the lemmas of a level hold."""
        return not self._is_reachable(None, frozenset(), level)

    def _make_invariant(self, level: int) -> Invariant:
        found = ((x.control, x.cube) for x in self.lemmas if x.level > level)
        return self._exclude_cubes(dict.fromkeys((*self.known, *found)))

    def _exclude_cubes(self, excluded: Iterable[State]) -> Invariant:
        """Return the invariant that no state is in one of some cubes."""
        lemmas: dict[Control, list[z3.BoolRef]] = {}
        for control, cube in excluded:
            literals = self._negate_cube(control, cube)
            lemma = z3.Or(*literals) if len(literals) != 1 else literals[0]
            lemmas.setdefault(control, []).append(lemma)
        return Invariant({c: tuple(found) for c, found in lemmas.items()})

    def _import_lemmas(self, known: Iterable[Invariant]) -> Iterator[State]:
        """Yield the lemmas of invariants that are made of this search's atoms."""
        for invariant in known:
            for control, lemmas in invariant.lemmas.items():
                numbers = {x.get_id(): k for k, x in enumerate(self.atoms.get(control, ()), 1)}
                cubes = (_excluded_cube(lemma, numbers) for lemma in lemmas)
                yield from ((control, cube) for cube in cubes if cube is not None)

    def _negate_cube(self, control: Control, cube: Cube) -> list[z3.BoolRef]:
        """Return the negation of a cube."""
        known = self.atoms[control]
        return [z3.Not(known[x - 1]) if x > 0 else known[-x - 1] for x in sorted(cube, key=abs)]


def _excluded_cube(lemma: z3.BoolRef, numbers: Mapping[int, Literal]) -> Cube | None:
    """Return the cube that a lemma excludes, by the numbers of atoms; None if one has none."""
    found: set[Literal] = set()
    for x in lemma.children() if z3.is_or(lemma) else (lemma,):
        negated = z3.is_not(x)
        number = numbers.get((x.arg(0) if negated else x).get_id())
        if number is None:
            return None
        found.add(number if negated else -number)
    return frozenset(found)
