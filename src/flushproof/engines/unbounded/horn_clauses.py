"""Constrained Horn clauses: what the rest of the engine speaks of.

A control says where the tracked threads are. For each there is one unknown predicate, over the
values that are live there. A clause says that its head holds wherever its body does; a head of None
stands for a failed assertion.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import assert_never

import z3

from flushproof.engines.reduction.commutativity import Site
from flushproof.engines.smt.term_constructors import children
from flushproof.support.record import Record


class FlusherThread(Record, frozen=True):
    """The tracked flusher: the only one, or any of them."""


class LoadThread(Record, frozen=True):
    """The loads of a tracked vCPU, by its place among these."""

    vcpu: int


class BystanderThread(Record, frozen=True):
    """Whoever runs a pseudo-operation, which is one step."""


class OtherThread(Record, frozen=True):
    """The loads of a vCPU that is not tracked, behind so many that are."""

    tracked: int


class OtherFlusherThread(Record, frozen=True):
    """A flusher that is not tracked."""


Untracked = OtherThread | OtherFlusherThread
Located = FlusherThread | LoadThread | BystanderThread
"""A thread of which a control says where it is."""

FLUSHER = FlusherThread()
BYSTANDER = BystanderThread()


def thread_label(thread: Located | Untracked) -> str:
    """Return what tells a thread in the names of terms; nothing is read off it."""
    match thread:
        case FlusherThread():
            return "0"
        case LoadThread(vcpu):
            return str(vcpu + 1)
        case BystanderThread():
            return "-2"
        case OtherThread(tracked):
            return f"other:{tracked + 1}"
        case OtherFlusherThread():
            return "other:0"
        case other:
            assert_never(other)


class Control(Record, frozen=True):
    """Where the flusher and the loads of tracked vCPUs are; None between calls.

    `running` is the thread that is in the middle of a step, None where any thread may step; a
    pseudo-operation that runs is at `bystander`.
    """

    flusher: Site | None
    loads: tuple[Site | None, ...]
    running: Located | None = None
    bystander: Site | None = None

    @property
    def name(self) -> str:
        """A name for the predicate."""
        words = [_word(self.flusher), *map(_word, self.loads)]
        if self.bystander is not None:
            words.append(_word(self.bystander))
        running = "" if self.running is None else f"!{thread_label(self.running)}"
        return "/".join(words) + running


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


class LocalVariable(Record, frozen=True):
    """What is one variable to a reader of the code, wherever the thread is: a local by its name."""

    thread: Located | Untracked
    operation: str
    name: str


class ClaimNotes(Record, frozen=True):
    """All that a claim keeps: what one of its notes is compared with is of use for the others."""


Variable = LocalVariable | ClaimNotes


class System(Record, frozen=True):
    """All clauses about one program; `parameters` are the variables of each predicate.

    `axioms` hold of the constants that occur, `known` of the parameters at any time; `ranges` are
    what their types allow them to be, which each clause is to show of its head; `counters` are
    the parameters, by the identity of their terms, that count something, `indices` the number of
    vCPUs and those that name one; `variables` tells which of the parameters are one variable;
    `sizes` are numbers that stay small in small domains; comparisons in `offered` are atoms, too,
    wherever they can be.
    """

    clauses: tuple[Clause, ...]
    parameters: dict[Control, tuple[z3.ExprRef, ...]]
    axioms: tuple[z3.BoolRef, ...]
    known: tuple[z3.BoolRef, ...]
    ranges: dict[Control, tuple[z3.BoolRef, ...]]
    counters: frozenset[int]
    indices: frozenset[int]
    variables: Mapping[int, Variable]
    sizes: tuple[z3.ArithRef, ...]
    offered: tuple[z3.BoolRef, ...] = ()


def name_variable(system: System, v: z3.ExprRef) -> Variable | int:
    """Return which variable a parameter is, wherever threads are; most are one of their own."""
    return system.variables.get(v.get_id(), int(v.get_id()))


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
