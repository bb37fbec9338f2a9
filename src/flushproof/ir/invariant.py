"""Claimed invariants as plain data: for each place where threads can be, facts in C's terms.

A proof for every number of vCPUs is a set of these. Whoever finds one need not be believed:
`verify/proof_checker/` decides whether it is a proof.
"""

from __future__ import annotations

from typing import Literal

from flushproof.ir.code import Relation
from flushproof.support.record import Record

FLUSHER = 0
OBSERVER = -1
ANY = ""
"""In place of a witness: the tracked vCPU is any vCPU."""


class Position(Record, frozen=True, order=True):
    """A position in the code of an operation."""

    operation: str
    at: int


class Location(Record, frozen=True):
    """Where the flusher, the loads of tracked vCPUs and an observer are; None between calls.

    Thread `FLUSHER` is the flusher, k + 1 the load of tracked vCPU k, `OBSERVER` whoever runs a
    pseudo-operation. `running` is the thread that is in the middle of a step, None where any may
    step.
    """

    flusher: Position | None
    loads: tuple[Position | None, ...]
    observer: Position | None = None
    running: int | None = None


BitOperator = Literal["&", "|", "^", ">>"]


class FixedNumber(Record, frozen=True):
    """A number."""

    value: int


class VcpuCount(Record, frozen=True):
    """How many vCPUs there are."""


class FlusherNumber(Record, frozen=True):
    """The number of the flusher, as a thread: of one alone the number of vCPUs."""


class TrackedVcpu(Record, frozen=True):
    """The number of tracked vCPU `k`."""

    k: int


class Cell(Record, frozen=True):
    """A field of the VM, or with `vcpu` that of a tracked vCPU.

    Of a lock it is the number of its one holder plus one, 0 if there is none.
    """

    field: str
    vcpu: int | None = None


class ReaderCount(Record, frozen=True):
    """How often a thread is a reader of a lock."""

    lock: str
    thread: int


class ThreadLocal(Record, frozen=True):
    """A local of the operation that a thread is in."""

    thread: int
    name: str


class Bitwise(Record, frozen=True):
    """Two values joined bit by bit, or with `>>` the first shifted; each extended by its sign."""

    op: BitOperator
    left: Term
    right: Term


class Sum(Record, frozen=True):
    """An exact sum, which does not wrap around."""

    terms: tuple[Term, ...]


Leaf = Cell | ReaderCount | ThreadLocal
Term = FixedNumber | VcpuCount | FlusherNumber | TrackedVcpu | Leaf | Bitwise | Sum


class FactComparison(Record, frozen=True):
    """Two values compared as integers, each extended by its own sign."""

    relation: Relation
    left: Term
    right: Term


Fact = tuple[FactComparison, ...]
"""One of these comparisons holds."""


class CaseInvariant(Record, frozen=True):
    """The facts for one case: which vCPUs are tracked, and in which ways the claim may fail.

    `tracked` names each one's witness, or `ANY`; with `merged` all witnesses that are vCPUs are the
    first. With `history` a field has the vCPU that the flusher was at when the claim first changed
    its record; `walkers` are the locals that say at which it is, by positions. `excluded` are
    branches into a failure that another case is about.
    """

    tracked: tuple[str, ...]
    merged: bool
    history: bool
    walkers: tuple[tuple[Position, str], ...]
    excluded: tuple[Position, ...]
    facts: tuple[tuple[Location, tuple[Fact, ...]], ...]


class CutPoint(Record, frozen=True):
    """A position at which code is cut: a step begins there, or every round of a loop comes there.

    `facts` are those about locals, of thread `FLUSHER` whichever it is, that hold there whatever
    others do. Of the head of a loop `rank` is a tuple of differences, each of two values of locals,
    which falls from round to round in lexicographic order; empty where none is known.
    """

    at: Position
    boundary: bool
    head: bool
    facts: tuple[Fact, ...] = ()
    rank: tuple[tuple[Term, Term], ...] = ()


class ClaimedProof(Record, frozen=True):
    """A claimed proof of a program: where it is cut, why loops end, the invariants of each case.

    Others may step in at boundaries, and at other cuts nobody does. `values` are facts about single
    fields that always hold, each about `Cell(field)`, also where each vCPU has such a field. With
    `many` it is about any number of flushers at work at once, of which the flusher is any; else
    there is one. A read of a field in `havocked` gives any value, and nothing else is known of it.
    """

    cuts: tuple[CutPoint, ...]
    values: tuple[tuple[str, Fact], ...]
    cases: tuple[CaseInvariant, ...]
    many: bool = False
    havocked: tuple[str, ...] = ()
