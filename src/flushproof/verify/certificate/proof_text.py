"""Claimed proofs as JSON that people can read: facts are C-like expressions, by location.

In: a `ClaimedProof`. Out: a text; and back, with nothing left over.
"""

from __future__ import annotations

import msgspec

from flushproof.ir.invariant import (
    ANY,
    CaseInvariant,
    ClaimedProof,
    CutPoint,
    Fact,
    Location,
    Position,
)
from flushproof.ir.invariant_text import (
    NotAFact,
    fact_text,
    parse_fact,
    parse_term,
    parse_thread,
    term_text,
    thread_text,
)
from flushproof.support.record import Record

ANYBODY = "v"
"""What the tracked vCPU that is any is called."""

SELF: tuple[str, ...] = ()
"""Facts about locals alone name no vCPU; their thread, whichever it is, is called the flusher."""


class PositionText(Record, frozen=True, forbid_unknown_fields=True):
    """A position in the code of an operation."""

    operation: str
    at: int


class CutText(Record, frozen=True, forbid_unknown_fields=True):
    """A cut; `rank` has pairs of values."""

    operation: str
    at: int
    step_begins: bool
    loop_head: bool
    facts: tuple[str, ...] = ()
    rank: tuple[tuple[str, str], ...] = ()


class LocationText(Record, frozen=True, forbid_unknown_fields=True):
    """What holds where threads are somewhere; None is between calls."""

    flusher: PositionText | None
    loads: tuple[PositionText | None, ...]
    facts: tuple[str, ...]
    observer: PositionText | None = None
    running: str | None = None


class WalkerText(Record, frozen=True, forbid_unknown_fields=True):
    """Which local says at which vCPU the flusher is."""

    operation: str
    at: int
    local: str


class CaseText(Record, frozen=True, forbid_unknown_fields=True):
    """The invariant of one case."""

    tracked: tuple[str, ...]
    locations: tuple[LocationText, ...]
    merged: bool = False
    history: bool = False
    walkers: tuple[WalkerText, ...] = ()
    excluded: tuple[PositionText, ...] = ()


class ValueText(Record, frozen=True, forbid_unknown_fields=True):
    """What holds of a field at any time."""

    field: str
    fact: str


class ProofText(Record, frozen=True, forbid_unknown_fields=True):
    """A claimed proof."""

    cuts: tuple[CutText, ...]
    cases: tuple[CaseText, ...]
    values: tuple[ValueText, ...] = ()
    many_flushers: bool = False
    havocked: tuple[str, ...] = ()


def proof_to_text(proof: ClaimedProof) -> str:
    """Write a proof."""
    found = ProofText(
        tuple(map(_cut, proof.cuts)),
        tuple(map(_case, proof.cases)),
        tuple(ValueText(name, fact_text(fact, ())) for name, fact in proof.values),
        proof.many,
        proof.havocked,
    )
    return msgspec.json.format(msgspec.json.encode(found), indent=1).decode()


def _cut(p: CutPoint) -> CutText:
    return CutText(
        p.at.operation,
        p.at.at,
        p.boundary,
        p.head,
        tuple(fact_text(f, SELF) for f in p.facts),
        tuple((term_text(a, SELF), term_text(b, SELF)) for a, b in p.rank),
    )


def _names(tracked: tuple[str, ...]) -> tuple[str, ...]:
    return tuple(ANYBODY if name == ANY else name for name in tracked)


def _position(p: Position | None) -> PositionText | None:
    return None if p is None else PositionText(p.operation, p.at)


def _case(case: CaseInvariant) -> CaseText:
    names = _names(case.tracked)
    places = (_location(where, facts, names) for where, facts in case.facts)
    return CaseText(
        case.tracked,
        tuple(places),
        case.merged,
        case.history,
        tuple(WalkerText(p.operation, p.at, x) for p, x in case.walkers),
        tuple(PositionText(p.operation, p.at) for p in case.excluded),
    )


def _location(where: Location, facts: tuple[Fact, ...], names: tuple[str, ...]) -> LocationText:
    running = where.running
    return LocationText(
        _position(where.flusher),
        tuple(map(_position, where.loads)),
        tuple(fact_text(f, names) for f in facts),
        _position(where.observer),
        None if running is None else thread_text(running, names),
    )


# And back ------------------------------------------------------------------------------------


def text_to_proof(text: str) -> ClaimedProof:
    """Return the proof that a text is.

    Raises:
        NotAFact: it is none.
    """
    try:
        found = msgspec.json.decode(text, type=ProofText)
    except (msgspec.MsgspecError, RecursionError) as error:
        raise NotAFact(str(error)) from None
    return ClaimedProof(
        tuple(map(_read_cut, found.cuts)),
        tuple((v.field, parse_fact(v.fact, ())) for v in found.values),
        tuple(map(_read_case, found.cases)),
        found.many_flushers,
        found.havocked,
    )


def _read_cut(cut: CutText) -> CutPoint:
    return CutPoint(
        Position(cut.operation, cut.at),
        cut.step_begins,
        cut.loop_head,
        tuple(parse_fact(f, SELF) for f in cut.facts),
        tuple((parse_term(a, SELF), parse_term(b, SELF)) for a, b in cut.rank),
    )


def _read_position(p: PositionText | None) -> Position | None:
    return None if p is None else Position(p.operation, p.at)


def _read_case(case: CaseText) -> CaseInvariant:
    names = _names(case.tracked)
    return CaseInvariant(
        case.tracked,
        case.merged,
        case.history,
        tuple((Position(w.operation, w.at), w.local) for w in case.walkers),
        tuple(Position(p.operation, p.at) for p in case.excluded),
        tuple(_read_location(p, names) for p in case.locations),
    )


def _read_location(p: LocationText, names: tuple[str, ...]) -> tuple[Location, tuple[Fact, ...]]:
    running = None if p.running is None else parse_thread(p.running, names)
    loads = tuple(map(_read_position, p.loads))
    where = Location(_read_position(p.flusher), loads, _read_position(p.observer), running)
    return where, tuple(parse_fact(f, names) for f in p.facts)
