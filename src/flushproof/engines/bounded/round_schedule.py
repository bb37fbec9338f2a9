"""Which slots guarantee that every interleaving is covered.

Take a thread order in which every step can be moved right past the steps of threads before it, as
far as loads are concerned. Then the loads between two steps of the one other thread, a flusher, can
be sorted by that order, so that one pass over all vCPUs before each step of the flusher, and one
after the last, covers every interleaving.

Where there is no such order, or more than one flusher: give each step the least round in which all
steps before it have happened. A new round is needed only where a step's predecessor is of a thread
later in the order, which happens at most once for each step of a thread other than the first, so
one round more than those suffices.

Lemma L14, Lemma L15 of docs/soundness.md.
"""

from __future__ import annotations

from flushproof.engines.bounded.scheduler_encoding import ScheduleSlot
from flushproof.engines.smt import terms as t
from flushproof.engines.symbolic.step import ThreadSteps
from flushproof.ir.program import Role
from flushproof.support.record import Record, replace


class LoadPass(Record, frozen=True):
    """One pass over load threads: positions, each with the condition that it belongs here."""

    threads: tuple[tuple[int, t.Bool], ...]


class Turns(Record, frozen=True):
    """Slots, the rounds they make, and the rounds that it takes to cover every interleaving."""

    slots: tuple[ScheduleSlot, ...]
    rounds: int
    needed: int

    @property
    def enough(self) -> bool:
        """True where every interleaving is covered."""
        return self.rounds == self.needed


def slots_for(
    threads: tuple[ThreadSteps, ...], windows: tuple[LoadPass, ...], rounds: int | None = None
) -> Turns:
    """Return slots that cover every interleaving, or as many as make a lower number of rounds.

    `windows` are the passes that sort all loads, empty if nothing does.
    """
    acting = [p for p, x in enumerate(threads) if x.role in (Role.LOAD, Role.FLUSH)]
    needed = _count_rounds(threads, windows, acting)
    count = needed if rounds is None else min(rounds, needed)
    flushers = [p for p in acting if threads[p].role is Role.FLUSH]
    # Between sorted loads each step of the one flusher needs one slot. With fewer rounds than that
    # some step would have none at all, so then every thread gets all rounds.
    if len(flushers) == 1 and windows and count == needed:
        slots = _one_by_one(threads, windows, flushers[0])
    else:
        slots = _rounds(threads, windows, acting, count)
    # Prefixes of runs are runs: whoever looks at the end may come once, after any part of one
    # (L13).
    last = (*_slots_of_role(threads, Role.DEADLOCK), *_slots_of_role(threads, Role.END))
    around = (*_slots_of_role(threads, Role.OBSERVE), *slots, *last)
    return Turns(around, count, needed)


def _count_rounds(
    threads: tuple[ThreadSteps, ...], windows: tuple[LoadPass, ...], acting: list[int]
) -> int:
    """Return how many rounds cover every interleaving; passes over all loads are one thread."""
    rest = _outside_passes(windows, acting)
    # A new round begins only behind a step of a thread that is not the first in the order (L15).
    # All loads of the passes count as one thread, which is the first.
    later = rest if windows else rest[1:]
    return 1 + sum(len(threads[p].steps) for p in later)


def _outside_passes(windows: tuple[LoadPass, ...], acting: list[int]) -> list[int]:
    together = {p for w in windows for p, _ in w.threads}
    return [p for p in acting if p not in together]


def _slots_of_role(threads: tuple[ThreadSteps, ...], role: Role) -> tuple[ScheduleSlot, ...]:
    return tuple(_whole_thread(threads, p) for p, x in enumerate(threads) if x.role is role)


def _whole_thread(threads: tuple[ThreadSteps, ...], position: int) -> ScheduleSlot:
    return ScheduleSlot(position, 0, len(threads[position].steps))


def _pass(threads: tuple[ThreadSteps, ...], windows: tuple[LoadPass, ...]) -> list[ScheduleSlot]:
    return [
        replace(_whole_thread(threads, p), gate=gate)
        for w in windows
        for p, gate in w.threads
        if gate is not False
    ]


def _one_by_one(
    threads: tuple[ThreadSteps, ...], windows: tuple[LoadPass, ...], lead: int
) -> tuple[ScheduleSlot, ...]:
    """One step of the flusher a round."""
    slots: list[ScheduleSlot] = []
    for at in range(len(threads[lead].steps)):
        slots += _pass(threads, windows)
        slots.append(ScheduleSlot(lead, at, at + 1))
    slots += _pass(threads, windows)
    return tuple(slots)


def _rounds(
    threads: tuple[ThreadSteps, ...],
    windows: tuple[LoadPass, ...],
    acting: list[int],
    count: int,
) -> tuple[ScheduleSlot, ...]:
    """Every thread in every round."""
    rest = _outside_passes(windows, acting)
    one = [*_pass(threads, windows), *(_whole_thread(threads, p) for p in rest)]
    return tuple(one * count)
