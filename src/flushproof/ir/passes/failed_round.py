"""Rounds of a loop that change nothing, so that its thread is where it was before.

A round begins at an access; what follows it when it fails leads back to it. It changes nothing that
anybody can tell where it has no event and no effect on shared state, and leaves the locals that
are read afterwards as they were.

Lemma L11 of docs/soundness.md.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable

from flushproof.ir.analysis.control_flow import reachable_positions, successor_positions
from flushproof.ir.analysis.def_use import defined_local, used_locals
from flushproof.ir.code import (
    Assign,
    Branch,
    Check,
    Fence,
    Havoc,
    Jump,
    Local,
    StoreFence,
    Uninit,
)
from flushproof.ir.passes.cleanup import Code, live_locals

SILENT = (Assign, Havoc, Fence, StoreFence, Jump, Branch, Check, Uninit)
"""Instructions that nobody notices but their own thread."""


def silently_leading(
    code: Code, end: int, also: Collection[int] = (), kept: Collection[Local] = ()
) -> frozenset[int]:
    """Return the positions from which every way leads to `end`, and nobody notices.

    What is done at those of `also` is noticed by nobody either. None of the `kept` locals is given
    a value.
    """
    found: set[int] = set()
    while more := {
        at
        for at, instr in enumerate(code)
        if at != end
        and at not in found
        and (isinstance(instr, SILENT) or at in also)
        and defined_local(instr) not in kept
        and all(to == end or to in found for to in successor_positions(code, at))
    }:
        found |= more
    return frozenset(found)


def silent_region(code: Code, start: int, end: int) -> frozenset[int] | None:
    """Return the positions from `start` on up to `end`; None unless all lead there unnoticed."""
    if start == end:
        return frozenset()
    if start not in silently_leading(code, end):
        return None
    return frozenset({start}) | reachable_positions(code, start, frozenset({end}))


def is_unnoticed(code: Code, at: int, passed: Iterable[int], region: frozenset[int]) -> bool:
    """Tell whether an access begins again with the values it began with.

    `passed` lies between the access and where it has failed for sure, `region` behind that.
    """
    round_ = {at, *passed, *region}
    changed = {x for k in round_ if (x := defined_local(code[k])) is not None}

    def settled(k: int) -> bool:
        """Tell whether every way to the access leads through `k`, and does the same there.

        From `k` on all is within the round, which changes nothing that `k` depends on.
        """
        fixed = changed.isdisjoint(used_locals(code[k]))
        return k in region and fixed and not is_led_to(code, at, without=k)

    checks = (k for k in round_ if isinstance(code[k], (Check, Uninit)))
    again = (_setter(code, x, round_) for x in live_locals(code)[at] & changed)
    return all(k is not None and settled(k) for k in (*checks, *again))


def _setter(code: Code, x: Local, round_: Collection[int]) -> int | None:
    """Return the one place in a round that gives a local its value; None if it is none."""
    match [k for k in round_ if defined_local(code[k]) == x]:
        case [place] if isinstance(code[place], Assign):
            return place
        case _:
            return None


def is_led_to(code: Code, end: int, without: int) -> bool:
    """Tell whether one can get from the beginning to a position without coming to another."""
    if 0 in (end, without):
        return end == 0
    return end in reachable_positions(code, 0, frozenset({without} - {end}))
