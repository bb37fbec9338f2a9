"""The shape of code: successors, and simplification of jumps."""

from __future__ import annotations

from itertools import takewhile

from flushproof.ir.code import Branch, Instr, Jump, Stop
from flushproof.support.record import replace


def insert_code(code: tuple[Instr, ...], at: int, more: tuple[Instr, ...]) -> tuple[Instr, ...]:
    """Put instructions that do not jump before position `at`; jumps to it then skip them."""
    moved = {i: i + (len(more) if i >= at else 0) for i in range(len(code) + 1)}
    shifted = tuple(_moved(i, moved) for i in code)
    return (*shifted[:at], *more, *shifted[at:])


def simplify_code(code: tuple[Instr, ...]) -> tuple[Instr, ...]:
    """Thread jumps and drop what cannot be reached or decided; positions are renumbered."""
    final = _finals(code)
    threaded = tuple(_threaded(final, i) for i in code)
    return _compact(threaded, {0, *reachable_positions(threaded, 0, frozenset())})


def _finals(code: tuple[Instr, ...]) -> dict[int, int]:
    """Return where each position leads; jumps in a circle lead to where it is entered."""
    final: dict[int, int] = {}
    for start in range(len(code)):
        path: dict[int, None] = {}
        at = start
        while at not in final and at not in path and isinstance(instr := code[at], Jump):
            path[at] = None
            at = instr.target
        circle = at in path
        end = final.get(at, at)
        outside = takewhile(at.__ne__, path) if circle else path
        final.update((x, end) for x in outside)
        final.update((x, x) for x in path if x not in final)
        final.setdefault(at, end)
    return final


def _threaded(final: dict[int, int], instr: Instr) -> Instr:
    match instr:
        case Jump(target):
            return replace(instr, target=final[target])
        case Branch(_, then, otherwise):
            if final[then] == final[otherwise]:
                return Jump(final[then], instr.span)
            return replace(instr, then=final[then], otherwise=final[otherwise])
        case _:
            return instr


def reachable_positions(
    code: tuple[Instr, ...], start: int, ends: frozenset[int]
) -> frozenset[int]:
    """Return the positions that may follow a position, as far as to those in `ends`, without them.

    The position itself is one of them if one can come back to it.
    """
    seen: set[int] = set()
    work = [start]
    while work:
        for to in successor_positions(code, work.pop()):
            if to not in ends and to not in seen:
                seen.add(to)
                work.append(to)
    return frozenset(seen)


def successor_positions(code: tuple[Instr, ...], at: int) -> tuple[int, ...]:
    """Return the positions that may follow position `at`."""
    match code[at]:
        case Jump(target):
            return (target,)
        case Branch(_, then, otherwise):
            return (then, otherwise)
        case Stop():
            return ()
        case _:
            return (at + 1,)


def _compact(code: tuple[Instr, ...], live: set[int]) -> tuple[Instr, ...]:
    kept = [at for at in sorted(live) if not _falls_through(code, at, live)]
    position = {at: number for number, at in enumerate(kept)}
    following = -1
    for at in sorted(live, reverse=True):
        if at not in position:
            position[at] = position[following]
        following = at
    return tuple(_moved(code[at], position) for at in kept)


def _falls_through(code: tuple[Instr, ...], at: int, live: set[int]) -> bool:
    instr = code[at]
    if not isinstance(instr, Jump) or instr.target <= at:
        return False
    return not any(a in live for a in range(at + 1, instr.target))


def _moved(instr: Instr, position: dict[int, int]) -> Instr:
    match instr:
        case Jump(target):
            return replace(instr, target=position[target])
        case Branch(_, then, otherwise):
            return replace(instr, then=position[then], otherwise=position[otherwise])
        case _:
            return instr
