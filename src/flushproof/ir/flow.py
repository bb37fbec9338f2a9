"""The shape of code: successors, and simplification of jumps."""

from __future__ import annotations

from dataclasses import replace

from flushproof.ir.code import Branch, Instr, Jump, Stop


def insert(code: tuple[Instr, ...], at: int, more: tuple[Instr, ...]) -> tuple[Instr, ...]:
    """Put instructions that do not jump before position `at`; jumps to it then skip them."""
    moved = {i: i + (len(more) if i >= at else 0) for i in range(len(code) + 1)}
    shifted = tuple(_moved(i, moved) for i in code)
    return (*shifted[:at], *more, *shifted[at:])


def simplify(code: tuple[Instr, ...]) -> tuple[Instr, ...]:
    """Thread jumps to jumps and drop what cannot be reached; positions are renumbered."""
    threaded = tuple(_threaded(code, i) for i in code)
    return _compact(threaded, _reachable(threaded))


def _final(code: tuple[Instr, ...], at: int) -> int:
    seen: set[int] = set()
    while isinstance(instr := code[at], Jump) and at not in seen:
        seen.add(at)
        at = instr.target
    return at


def _threaded(code: tuple[Instr, ...], instr: Instr) -> Instr:
    match instr:
        case Jump(target):
            return replace(instr, target=_final(code, target))
        case Branch(_, then, otherwise):
            return replace(instr, then=_final(code, then), otherwise=_final(code, otherwise))
        case _:
            return instr


def _reachable(code: tuple[Instr, ...]) -> set[int]:
    seen: set[int] = set()
    work = [0]
    while work:
        at = work.pop()
        if at not in seen:
            seen.add(at)
            work.extend(successors(code, at))
    return seen


def successors(code: tuple[Instr, ...], at: int) -> tuple[int, ...]:
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
    for at in sorted(live, reverse=True):
        if at not in position:
            position[at] = position[_after(at, live)]
    return tuple(_moved(code[at], position) for at in kept)


def _after(at: int, live: set[int]) -> int:
    return min(a for a in live if a > at)


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
