"""A counterexample made small: calls, roots, vCPUs, context switches, steps, then oddities.

In: a question that has a model. Out: the model of a small counterexample, and whether there is none
smaller. Each number is fixed before the next is lowered: with fewer calls it may take more roots,
and a reader follows calls first. It ends with the best model so far when its budget of the
solver's own steps is spent, which is as many on any machine.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

import z3

from flushproof.engines.bounded.query import BoundedQuery
from flushproof.engines.smt import terms as t
from flushproof.engines.smt.model_search import Implication, ModelSearch
from flushproof.ir.program import Role

SHARE = 4
"""One question may take this part of what is left, so that one that is hard is not the last."""


def is_true(model: z3.ModelRef, b: t.Bool) -> bool:
    """Tell whether a condition holds in a model."""
    return b if isinstance(b, bool) else z3.is_true(model.eval(b, model_completion=True))


class Minimiser:
    """Lowers one number after the other; `model` is the best one so far."""

    def __init__(
        self,
        p: BoundedQuery,
        constraints: Iterable[z3.BoolRef],
        model: z3.ModelRef,
        budget: int,
    ) -> None:
        self.p = p
        self.model = model
        self.budget = budget
        self.least = True
        self._constraints = list(constraints)
        self._left = budget

    def run(self, *, calls_only: bool = False) -> int:
        """Make the model small, or only its number of calls, and return that number."""
        calls = [t.z3_bool(c) for c in self.p.calls() if c is not False]
        more = _Calls(self.p)
        search = self._lower_calls(calls, () if calls_only else more.implications)
        count = self._count(calls)
        if calls_only:
            return count
        if calls:
            self._constraints.append(z3.AtMost(*calls, count))
        self._note_impossible(search, more)
        self._lower_roots_and_vcpus(count)
        rest = (self.p.switches(), self.p.moments(), self.p.oddities())
        self._lower_steps([[t.z3_bool(c) for c in part if c is not False] for part in rest])
        return count

    def _lower_calls(self, calls: Sequence[z3.BoolRef], more: Iterable[Implication]) -> ModelSearch:
        """Let as few calls happen as can; return what was asked, with `more` said of names."""
        names = _names("call", len(calls))
        search = ModelSearch(self._constraints, (*_implications(calls, names), *more))
        self._lower(search, calls, names)
        return search

    def _lower_steps(self, parts: Sequence[Sequence[z3.BoolRef]]) -> None:
        """Let as few conditions hold as can, of each part in turn."""
        named = [_names(f"part {n}", len(part)) for n, part in enumerate(parts)]
        pairs = list(zip(parts, named, strict=True))
        implied = (i for part, names in pairs for i in _implications(part, names))
        search = ModelSearch(self._constraints, implied)
        for part, names in pairs:
            self._lower(search, part, names)

    def _lower(
        self, search: ModelSearch, conditions: Sequence[z3.BoolRef], names: Sequence[z3.BoolRef]
    ) -> None:
        """Let as few conditions hold as can."""
        while (count := self._count(conditions)) > 0:
            if not self._improve(search, z3.AtMost(*names, count - 1)):
                search.keep(z3.AtMost(*names, count))
                return
        search.keep(*(z3.Not(name) for name in names))

    def _count(self, conditions: Sequence[z3.BoolRef]) -> int:
        return sum(is_true(self.model, c) for c in conditions)

    def _lower_roots_and_vcpus(self, calls: int) -> None:
        """Keep to as few roots as possible, then to vCPUs with low numbers.

        The latter are not left to the solver's choice. What cannot happen any more is noted.
        """
        roots = _Roots(self.p, calls)
        begins = [t.z3_bool(t.or_(*self.p.begun(v))) for v in self.p.counts.loading]
        vcpus = list(zip(_names("loads", len(begins)), begins, strict=True))
        more = _Calls(self.p)
        implied = [*roots.implications, *(Implication(b, name) for name, b in vcpus)]
        implied += more.implications
        search = ModelSearch(self._constraints, implied)
        for count in range(1, roots.most + 1):
            if self._improve(search, *roots.named_among(count)):
                search.keep(*roots.named_among(count))
                self._constraints += roots.among(count)
                break
        for name, loads in reversed(vcpus):
            if not is_true(self.model, loads) or self._improve(search, z3.Not(name)):
                search.keep(z3.Not(name))
                self._constraints.append(z3.Not(loads))
        self._note_impossible(search, more)

    def _note_impossible(self, search: ModelSearch, more: _Calls) -> None:
        """Note which calls cannot be begun any more, so that the next question is a small one."""
        for calls in more.threads:
            for name, begun in calls:
                if not is_true(self.model, begun):
                    if self._ask(search, name) is False:
                        self._constraints.append(z3.Not(begun))
                    break

    def _improve(self, search: ModelSearch, *constraints: z3.BoolRef) -> bool:
        """Take a model under more constraints for the best one, if there is one."""
        found = self._ask(search, *constraints)
        if isinstance(found, bool):
            self.least &= not found
            return False
        self.model = found
        return True

    def _ask(self, search: ModelSearch, *constraints: z3.BoolRef) -> z3.ModelRef | bool:
        before = search.spent
        found = search.find_model(self._left // SHARE, *constraints)
        self._left -= search.spent - before
        return found


class _Calls:
    """The calls of each thread in order, named where they are begun."""

    def __init__(self, p: BoundedQuery) -> None:
        acting = [n for n, x in enumerate(p.threads) if x.role in (Role.LOAD, Role.FLUSH)]
        begun = ([t.z3_bool(b) for b in p.begun(n)] for n in acting)
        self.threads = [
            list(zip(_names(f"more {n}", len(calls)), calls, strict=True))
            for n, calls in zip(acting, begun, strict=True)
        ]

    @property
    def implications(self) -> Iterator[Implication]:
        """What the names have to do with the calls."""
        return (Implication(name, begun) for calls in self.threads for name, begun in calls)


class _Roots:
    """The roots of loads, and names of which of a few roots each is."""

    def __init__(self, p: BoundedQuery, most: int) -> None:
        roots = [(t.z3_bool(begun), root) for begun, root in p.roots()]
        self.most = min(most, len(roots))
        few = [p.root_name(k) for k in range(self.most)]
        self._begun = [begun for begun, _ in roots]
        self._same = [[t.z3_bool(p.algebra.equal(root, x)) for x in few] for _, root in roots]
        self._named_begun = _names("begun", len(roots))
        self._named_same = [_names(f"root {k}", self.most) for k in range(len(roots))]

    @property
    def implications(self) -> Iterator[Implication]:
        """What the names have to do with the loads."""
        yield from _implications(self._begun, self._named_begun)
        for names, same in zip(self._named_same, self._same, strict=True):
            yield from _implications(names, same)

    def named_among(self, count: int) -> list[z3.BoolRef]:
        """Return in names that there are so many roots at most."""
        return _one_of(self._named_begun, self._named_same, count)

    def among(self, count: int) -> list[z3.BoolRef]:
        """Return that there are so many roots at most."""
        return _one_of(self._begun, self._same, count)


def _one_of(
    begun: Sequence[z3.BoolRef], same: Sequence[Sequence[z3.BoolRef]], count: int
) -> list[z3.BoolRef]:
    return [z3.Or(z3.Not(b), *s[:count]) for b, s in zip(begun, same, strict=True)]


def _names(what: str, count: int) -> list[z3.BoolRef]:
    # With a space, so that no name of the program is alike.
    return [z3.Bool(f"small {what}.{k}") for k in range(count)]


def _implications(
    premises: Sequence[z3.BoolRef], conclusions: Sequence[z3.BoolRef]
) -> Iterator[Implication]:
    return (Implication(a, b) for a, b in zip(premises, conclusions, strict=True))
