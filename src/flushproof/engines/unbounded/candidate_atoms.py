"""What `invariant` lines offer to a search: their conditions as terms over the state.

Of these only the comparisons are taken, as atoms (`predicates.py`). They are a vocabulary; what an
invariant says with them is found by the search, and checked like all that it finds (Lemma L22 of
docs/soundness.md).
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from itertools import product

import z3

from flushproof.engines.smt import terms as t
from flushproof.engines.symbolic.execute import Executor
from flushproof.engines.symbolic.unroll_layout import layout_operation
from flushproof.engines.symbolic.values import NotExact
from flushproof.engines.unbounded.state_space import Space
from flushproof.ir.analysis.def_use import fields_of
from flushproof.ir.analysis.representation import Kinds, infer_kinds
from flushproof.ir.candidate import Candidate
from flushproof.ir.program import Program
from flushproof.support.record import replace


def select_candidates(program: Program, candidates: Iterable[Candidate]) -> tuple[Candidate, ...]:
    """Return the candidates that speak of nothing but what a program has."""
    known = set(program.fields)
    return tuple(x for x in candidates if _fields(x) <= known)


def _fields(candidate: Candidate) -> set[object]:
    return {f for i in candidate.operation.code for f in fields_of(i)}


def widen_kinds(program: Program, kinds: Kinds, candidates: tuple[Candidate, ...]) -> Kinds:
    """Return representations in which candidates can be said as well, else those there are.

    Where roots would have to become bit-vectors for them, they do without.
    """
    if not candidates:
        return kinds
    operations = (*program.operations, *(x.operation for x in candidates))
    wider = infer_kinds(replace(program, operations=operations), exact_roots=kinds.exact_roots)
    return wider if wider.exact_roots == kinds.exact_roots else kinds


def list_offered(space: Space, candidates: Iterable[Candidate]) -> Iterator[z3.BoolRef]:
    """Yield what candidates say of the tracked vCPUs; nothing of what has no exact counterpart."""
    for candidate in candidates:
        for chosen in product(space.tracked, repeat=len(candidate.vcpus)):
            try:
                yield from _conditions(space, candidate, chosen)
            except NotExact:
                continue


def _conditions(
    space: Space, candidate: Candidate, chosen: tuple[z3.ArithRef, ...]
) -> Iterator[z3.BoolRef]:
    executor = Executor(space.world(), space.count + 1, lambda _: True, space.state)
    shape = layout_operation(candidate.operation, frozenset())
    given = dict(zip(candidate.vcpus, chosen, strict=True))
    step, _ = executor.alone_to(shape, 0, {**given}, "offered")
    yield from (t.z3_bool(x.broken) for x in step.claimed)
