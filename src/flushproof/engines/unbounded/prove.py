"""Claims proved for every number of vCPUs, loads and flushes, by invariants.

A claim is first tried with its witnesses tracked, then with a generic vCPU as well. An invariant
counts only after z3 has confirmed it, clause by clause.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from flushproof.engines.symbolic.values import NotExact
from flushproof.engines.unbounded.build import Builder
from flushproof.engines.unbounded.clauses import System
from flushproof.engines.unbounded.frames import Frames
from flushproof.engines.unbounded.pdr import Invariant, find_invariant
from flushproof.engines.unbounded.recheck import failing, supported
from flushproof.engines.unbounded.state import Case, Space, space
from flushproof.ir.code import Scope
from flushproof.ir.kinds import Kinds
from flushproof.ir.program import Program, Role
from flushproof.ir.types import VCPU, LockWord

EFFORT = 30_000
"""Questions that one search may ask, with the claim's witnesses tracked."""

MORE_EFFORT = 80_000
"""The same with one more vCPU tracked."""


@dataclass(frozen=True, slots=True)
class Part:
    """An invariant that was confirmed, of what, and for which case."""

    case: Case
    space: Space
    frames: Frames
    system: System
    invariant: Invariant


@dataclass(frozen=True, slots=True)
class Proof:
    """The invariants that prove a claim, one for each case of its witnesses."""

    parts: tuple[Part, ...]


@dataclass(frozen=True, slots=True)
class Subject:
    """A program with claims, the kinds of its values, and where its steps begin.

    `code` names the files of the code proper, whose sums are looked at by themselves; None where
    this program is the one that is looked at for that, and for undefined behaviour.
    """

    program: Program
    kinds: Kinds
    boundaries: Mapping[str, frozenset[int]]
    code: frozenset[str] | None


def prove(subject: Subject) -> Proof | str:
    """Return a proof for every number of vCPUs, or why there is none."""
    reason = out_of_reach(subject.program)
    if reason:
        return reason
    named = sum(f.type == VCPU for f in subject.program.witnesses)
    try:
        found = _proof(subject, _plain(named), EFFORT)
        if isinstance(found, Proof) or named > 1:
            return found
        return _proof(subject, _generic(named), MORE_EFFORT)
    except NotExact:
        return "the code does arithmetic that has no exact counterpart"


def out_of_reach(program: Program) -> str:
    """Return what keeps a program from being looked at for every number of vCPUs; "" if nothing."""
    if program.of(Role.DEADLOCK):
        return "deadlock is looked for among a given number of vCPUs"
    locks = [f for f in program.fields if isinstance(f.type, LockWord)]
    if any(f.type.shared for f in locks if isinstance(f.type, LockWord)):
        return "there is a lock for readers and writers"
    if any(f.scope is Scope.VCPU for f in locks):
        return "every vCPU has a lock of its own"
    if sum(f.type == VCPU for f in program.witnesses) > MOST_WITNESSES:
        return "the claim speaks of more than two vCPUs"
    return ""


MOST_WITNESSES = 2


def _plain(named: int) -> Iterator[Case]:
    """Yield the cases of the witnesses: two vCPUs may be one and the same."""
    yield Case()
    if named == MOST_WITNESSES:
        yield Case(merged=True)


def _generic(named: int) -> Iterator[Case]:
    """Yield the cases with a generic vCPU: there may be none beside the witness."""
    yield Case(generic=True)
    if named:
        yield Case(alone=True)


def _proof(subject: Subject, cases: Iterator[Case], effort: int) -> Proof | str:
    parts: list[Part] = []
    for case in cases:
        found = _part(subject, case, effort)
        if isinstance(found, str):
            return found
        parts.append(found)
    return Proof(tuple(parts))


def _part(subject: Subject, case: Case, effort: int) -> Part | str:
    where = space(subject.program, subject.kinds, case)
    builder = Builder(where, subject.boundaries, subject.code)
    system = builder.run()
    invariant = find_invariant(system, effort)
    if isinstance(invariant, str):
        return invariant
    if failing(system, invariant):
        return "an invariant was found that holds for few vCPUs only"
    return Part(case, where, builder.frames, system, supported(system, invariant))
