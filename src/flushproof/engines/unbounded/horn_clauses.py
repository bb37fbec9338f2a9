"""Constrained Horn clauses: what the rest of the engine speaks of.

A control says where the tracked threads are. For each there is one unknown predicate, over the
values that are live there. A clause says that its head holds wherever its body does; a head of None
stands for a failed assertion.
"""

from __future__ import annotations

from collections.abc import Iterator

import z3

from flushproof.engines.reduction.commutativity import Site
from flushproof.engines.smt.term_constructors import children
from flushproof.support.record import Record

NOBODY = -1
BYSTANDER = -2


class Control(Record, frozen=True):
    """Where the flusher and the loads of tracked vCPUs are; None between calls.

    `running` is the number of the thread (0 the flusher, k + 1 tracked vCPU k) that is in the
    middle of a step, `NOBODY` where any thread may step, `BYSTANDER` where a pseudo-operation is at
    `bystander`.
    """

    flusher: Site | None
    loads: tuple[Site | None, ...]
    running: int = NOBODY
    bystander: Site | None = None

    @property
    def name(self) -> str:
        """A name for the predicate."""
        words = [_word(self.flusher), *map(_word, self.loads)]
        if self.bystander is not None:
            words.append(_word(self.bystander))
        return "/".join(words) + ("" if self.running == NOBODY else f"!{self.running}")


def _word(site: Site | None) -> str:
    return "idle" if site is None else f"{site.operation}.{site.at}"


class Atom(Record, frozen=True):
    """A predicate applied to terms."""

    control: Control
    arguments: tuple[z3.ExprRef, ...]


class Clause(Record, frozen=True):
    """`body` and `constraint` imply `head`; `why` says what step it is, for a reader.

    `shown` holds wherever the clause is used, as another proof has shown: where claims are looked
    at, that no sum of the code proper leaves its type. A search does without it.
    """

    head: Atom | None
    body: tuple[Atom, ...]
    constraint: z3.BoolRef
    why: str
    shown: z3.BoolRef | None = None


class System(Record, frozen=True):
    """All clauses about one program; `parameters` are the variables of each predicate.

    `axioms` hold of the constants that occur, `known` of the parameters at any time; `ranges` are
    what their types allow them to be, which each clause is to show of its head; `counters` are
    the parameters, by the identity of their terms, that count something, `indices` the number of
    vCPUs and those that name one; `sizes` are numbers that stay small in small domains.
    """

    clauses: tuple[Clause, ...]
    parameters: dict[Control, tuple[z3.ExprRef, ...]]
    axioms: tuple[z3.BoolRef, ...]
    known: tuple[z3.BoolRef, ...]
    ranges: dict[Control, tuple[z3.BoolRef, ...]]
    counters: frozenset[int]
    indices: frozenset[int]
    sizes: tuple[z3.ArithRef, ...]


def uninterpreted_constants(*terms: z3.ExprRef) -> list[z3.ExprRef]:
    """Return the constants without a meaning that occur in terms."""
    found: dict[int, z3.ExprRef] = {}
    seen: set[int] = set()
    work = list(terms)
    while work:
        term = work.pop()
        if term.get_id() in seen:
            continue
        seen.add(term.get_id())
        if z3.is_const(term) and term.decl().kind() == z3.Z3_OP_UNINTERPRETED:
            found[term.get_id()] = term
        work.extend(children(term))
    return list(found.values())


def terms_of(clause: Clause) -> Iterator[z3.ExprRef]:
    """Yield every term of a clause."""
    yield clause.constraint
    for atom in (*clause.body, *((clause.head,) if clause.head else ())):
        yield from atom.arguments
