"""Which slots guarantee that every interleaving is covered.

Swapping neighbouring steps that commute turns any interleaving into one that fits: give each step
the least round in which all steps before it, that it does not commute with, have happened. A new
round is needed only where such a predecessor is of a thread later in the order. A chain of such
steps goes down the order at most once for each step of a thread other than the first, so one round
more than those suffices; and threads that commute with each other count as one.
"""

from __future__ import annotations

from flushproof.engines.symbolic.steps import ThreadSteps
from flushproof.engines.symbolic.wiring import Slot
from flushproof.ir.program import Role


def slots_for(
    threads: tuple[ThreadSteps, ...], first: tuple[int, ...], rounds: int | None = None
) -> tuple[tuple[Slot, ...], int]:
    """Return slots that cover every interleaving, and the number of rounds they make.

    `first` are positions of threads that commute with each other; `rounds` lowers the number.
    """
    acting = [p for p, x in enumerate(threads) if x.role in (Role.LOAD, Role.FLUSH)]
    others = [p for p in acting if p not in first]
    if len(others) == 1 and rounds is None:
        slots, count = _one_by_one(threads, first, others[0])
    else:
        needed = 1 + sum(len(threads[p].steps) for p in others)
        count = needed if rounds is None else min(rounds, needed)
        slots = tuple(_whole(threads, p) for _ in range(count) for p in (*first, *others))
    return (*_of(threads, Role.OBSERVE), *slots, *_of(threads, Role.END)), count


def _of(threads: tuple[ThreadSteps, ...], role: Role) -> tuple[Slot, ...]:
    return tuple(_whole(threads, p) for p, x in enumerate(threads) if x.role is role)


def _whole(threads: tuple[ThreadSteps, ...], position: int) -> Slot:
    return Slot(position, 0, len(threads[position].steps))


def _one_by_one(
    threads: tuple[ThreadSteps, ...], first: tuple[int, ...], lead: int
) -> tuple[tuple[Slot, ...], int]:
    """One step of the only other thread a round."""
    slots: list[Slot] = []
    for at in range(len(threads[lead].steps)):
        slots += [_whole(threads, p) for p in first]
        slots.append(Slot(lead, at, at + 1))
    slots += [_whole(threads, p) for p in first]
    return tuple(slots), len(threads[lead].steps) + 1
