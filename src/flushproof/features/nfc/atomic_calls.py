"""Whether comparing whole calls of two variants, one after the other, loses nothing.

It loses nothing where each call is one atomic step of all threads there are, the flushers among
each other included: then every interleaving comes to the same as some order of whole calls (Lipton,
CACM 1975). With store buffers the accesses to each field that is stored to must be under one lock
as well, so that nobody can tell a store that waits from one that is made at once (as in Owens,
ECOOP 2010: without races the program's executions are sequentially consistent).

Lemma L25 of docs/soundness.md.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from flushproof.frontend.setup import Bounds
from flushproof.ir.program import Program, Role
from flushproof.machine.store_buffers.buffered_fields import buffered_fields
from flushproof.support.memory_model import MemoryModel
from flushproof.support.record import Record
from flushproof.support.source import Span

WHOLE_CALLS = "calls one after the other"
EVERY = "every interleaving (each call is one atomic step)"
SEVERAL = 2
"""Calls of so many flushers stand for those of any number: steps are compared in pairs."""


class Cuts(Record, frozen=True):
    """The places at which others may see a variant in the middle of a call."""

    places: tuple[Span, ...]

    def words(self) -> str:
        """Name the places."""
        lines = sorted({s.line for s in self.places})
        noun = "line" if len(lines) == 1 else "lines"
        return f"{self.places[0].file}, {noun} {', '.join(map(str, lines))}"


def find_cuts(program: Program, vcpus: int | None, flushers: int) -> Cuts | None:
    """Return where calls are not atomic, None where all are; `vcpus` None is any number."""
    from flushproof.engines.reduction.commutativity import ThreadCounts
    from flushproof.engines.reduction.step_plan import make_plan

    plan = make_plan(program, ThreadCounts(vcpus, flushers))
    found = tuple(_places(program, plan.boundaries))
    return Cuts(found) if found else None


def _places(program: Program, boundaries: Mapping[str, frozenset[int]]) -> Iterator[Span]:
    for o in (*program.of(Role.FLUSH), *program.of(Role.LOAD)):
        for at in sorted(boundaries[o.name] - {0}):
            yield o.code[at].span or o.span


class Loss(Record, frozen=True):
    """What is not compared where whole calls are."""

    text: str


def describe_loss(old: Program, new: Program, bounds: Bounds, memory: MemoryModel) -> Loss | None:
    """Return what comparing whole calls within bounds loses, if anything."""
    was, now = (find_cuts(p, bounds.vcpus[1], bounds.flushers) for p in (old, new))
    if was is not None:
        which = was if now is None else now
        return Loss(f"what others see within a call is not compared ({which.words()})")
    if now is not None:
        return Loss(
            "whole calls are alike, but others can see the new code in the middle of a call "
            f"({now.words()}), and the old code not"
        )
    return late_stores(old, new, memory)


def late_stores(old: Program, new: Program, memory: MemoryModel) -> Loss | None:
    """Return which stores may be seen late where there are store buffers, if any."""
    if memory is MemoryModel.SC:
        return None
    late = sorted({f.label for p in (old, new) for f in buffered_fields(p, frozenset())})
    if not late:
        return None
    names = ", ".join(f"`{name}`" for name in late)
    return Loss(f"under {memory} stores to {names} may be seen late, which is not compared")
