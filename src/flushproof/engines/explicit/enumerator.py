"""The enumerator: every interleaving of every visible instruction, state by state. No solver.

In: an instrumented program and how many threads and calls there are. Out: the smallest
counterexample, or that there is none. It shares the IR and the interpreter with the other engines
and nothing else, so that agreement with them means something.

Nothing is abstracted but values: roots, ranges, results and witnesses come from the small sets of
`explicit/domains.py`. A witness is chosen when something first looks at it, which is no different
from choosing it beforehand: until then it has had no effect.
"""

from __future__ import annotations

from collections import deque
from itertools import pairwise

from flushproof.engines.counterexample import Counterexample
from flushproof.engines.explicit.domains import Touch
from flushproof.engines.explicit.path import schedule_of_path
from flushproof.engines.explicit.search import Graph, Move, Sizes
from flushproof.engines.explicit.steps import State
from flushproof.engines.interpreter import interpreter
from flushproof.engines.outcome import NOTHING_FAILS, Outcome, Undecided, undefined_in_claim
from flushproof.ir.program import Program, Role
from flushproof.support.record import Record

MOST_STATES = 2_000_000

Cost = tuple[int, int]

__all__ = ["MOST_STATES", "ExplicitEngine", "SearchOutcome", "Sizes", "enumerate_claim"]


class SearchOutcome(Record, frozen=True):
    """What was found in `states` states; no counterexample has fewer calls, then fewer roots.

    `undefined` describes undefined behaviour of the code that was met, `in_claim` that of handlers
    of the claim; executions are not followed past it. `complete` is false where the search ended at
    the limit, or at a step that was too long to be made.
    """

    found: Counterexample | None
    states: int
    undefined: Counterexample | None
    complete: bool = True
    in_claim: Undecided | None = None


def enumerate_claim(
    program: Program,
    sizes: Sizes,
    claim: str | None,
    most: int = MOST_STATES,
    *,
    depth_first: bool = False,
) -> SearchOutcome:
    """Explore all interleavings of a program made by `Machine.with_claims((claim,))`.

    Of what has as few calls and roots as any, the fewest steps are found first; with `depth_first`
    any, which takes fewer states where a claim is asked only at the end.
    """
    program.require(sizes.loads, sizes.flushes, sizes.flushers)
    accesses: tuple[Touch, ...] = ()
    if program.accesses:
        nobody = ((0, 0, 0, 0, 0),)
        graph = Graph(program, sizes, claim, nobody)
        first = _StateSearch(graph, claim, most, depth_first=depth_first).run()
        if first.found or not first.complete:
            return first
        accesses = graph.accesses()
    return _StateSearch(
        Graph(program, sizes, claim, accesses), claim, most, depth_first=depth_first
    ).run()


class ExplicitEngine:
    """Decides claims about one program for one number of vCPUs after the other."""

    exact_roots = True

    def __init__(self, program: Program, most: Sizes, limit: int = MOST_STATES) -> None:
        self.program = program
        self.most = most
        self.limit = limit

    def every_interleaving(self, _vcpus: int) -> bool:
        """Tell that nothing is left out; where something is, there is no answer."""
        return True

    def claim(self, name: str, vcpus: int) -> Outcome:
        """Decide a claim: the smallest counterexample, that there is none, or why neither is known.

        Executions with undefined behaviour do not count; `undefined` finds those.
        """
        outcome = self._run(name, vcpus)
        return outcome.found or self._limit(outcome, vcpus) or outcome.in_claim or NOTHING_FAILS

    def undefined(self, vcpus: int) -> Outcome:
        """Look for undefined behaviour in the same way."""
        outcome = self._run(None, vcpus)
        return outcome.undefined or self._limit(outcome, vcpus) or NOTHING_FAILS

    def _run(self, claim: str | None, vcpus: int) -> SearchOutcome:
        sizes = Sizes(vcpus, self.most.loads, self.most.flushes, self.most.flushers)
        return enumerate_claim(self.program, sizes, claim, self.limit)

    def _limit(self, outcome: SearchOutcome, vcpus: int) -> Undecided | None:
        if outcome.complete:
            return None
        if outcome.states <= self.limit:
            return Undecided("a step has more instructions than are made")
        return Undecided(f"there are more than {self.limit} states with {vcpus} vCPUs")


class _StateSearch:
    """One exploration, by the number of calls, then of roots, then of steps."""

    def __init__(self, graph: Graph, claim: str | None, most: int, *, depth_first: bool) -> None:
        self.depth_first = depth_first
        self.graph = graph
        self.claim = claim
        self.most = most
        self.before: dict[State, State | None] = {}
        self.waiting: dict[Cost, deque[State]] = {}
        self.best: tuple[Cost, State, Move] | None = None
        self.undefined: tuple[State, Move] | None = None
        self.in_claim: Undecided | None = None
        self.too_long = False

    def run(self) -> SearchOutcome:
        """Explore the cheapest states first, until nothing cheaper than what was found is left."""
        self._boot()
        while self.waiting and len(self.before) <= self.most:
            cost = min(self.waiting)
            if self.best is not None and self.best[0] <= cost:
                break
            bucket = self.waiting[cost]
            state = bucket.pop() if self.depth_first else bucket.popleft()
            if not bucket:
                del self.waiting[cost]
            try:
                self._expand(state)
            except interpreter.Endless:
                self.too_long = True
                break
        ended = not self.too_long and len(self.before) <= self.most
        complete = self.best is not None or ended
        undefined = self._undefined()
        return SearchOutcome(self._found(), len(self.before), undefined, complete, self.in_claim)

    def _expand(self, state: State) -> None:
        """Take every move from a state.

        Raises:
            Endless: one is too long to be made.
        """
        if self.graph.is_over(state):
            for move in self.graph.looks(Role.END, state):
                self._note(state, move)
        for move in self.graph.moves(state):
            self._take(state, move)

    def _boot(self) -> None:
        """Start with the states after whoever observes the boot state."""
        boot = self.graph.boot
        moves = list(self.graph.looks(Role.OBSERVE, boot))
        if not moves or any(m.after == boot for m in moves):
            self._reach(boot, None)
        self.before[boot] = None
        for move in moves:
            self._take(boot, move)

    def _take(self, state: State, move: Move) -> None:
        """Note what a move shows, and go on behind it where something can follow."""
        leaf = move.leaf
        if leaf.violated or leaf.undefined:
            self._note(state, move)
        if _goes_on(move) and move.after not in self.before:
            self._reach(move.after, state)

    def _reach(self, state: State, before: State | None) -> None:
        self.before[state] = before
        self.waiting.setdefault(self.graph.cost(state), deque()).append(state)

    def _note(self, state: State, move: Move) -> None:
        cost = self.graph.cost(move.after)
        if move.leaf.violated and (self.best is None or cost < self.best[0]):
            self.best = cost, state, move
        leaf = move.leaf
        if leaf.in_claim:
            span = None if leaf.culprit is None else leaf.culprit.span
            vcpus = self.graph.sizes.vcpus
            self.in_claim = self.in_claim or undefined_in_claim(leaf.undefined, span, vcpus)
        elif leaf.undefined and self.undefined is None:
            self.undefined = state, move

    # Paths -----------------------------------------------------------------------------------

    def _found(self) -> Counterexample | None:
        if self.best is None:
            return None
        (_, roots), state, move = self.best
        return self._counterexample(self.claim, state, move, roots)

    def _undefined(self) -> Counterexample | None:
        if self.undefined is None:
            return None
        state, move = self.undefined
        return self._counterexample(None, state, move, state[-1])

    def _counterexample(
        self, claim: str | None, state: State, move: Move, roots: int
    ) -> Counterexample:
        path = schedule_of_path(self.graph, [*self._path(state), move])
        acting = path.plans[: self.graph.sizes.acting]
        calls = sum(len(p.calls) for p in acting)
        return Counterexample(claim, path, self.graph.positions, calls, roots, move.leaf.undefined)

    def _path(self, state: State) -> list[Move]:
        """Return the moves that lead to a state, found again from one state to the next."""
        states = [state]
        while (earlier := self.before[states[-1]]) is not None:
            states.append(earlier)
        states.reverse()
        return [self._between(a, b) for a, b in pairwise(states)]

    def _between(self, state: State, after: State) -> Move:
        moves = self.graph.moves(state)
        if state == self.graph.boot:
            moves = [*self.graph.looks(Role.OBSERVE, state), *moves]
        return next(m for m in moves if m.after == after and _goes_on(m))


def _goes_on(move: Move) -> bool:
    return not move.leaf.blocked and not move.leaf.undefined
