"""Fields whose values do not matter, so that accesses to them are no scheduling points.

In: a program and names of fields. Out: the program in which each read of them has any value and no
write is kept, nor what is computed for such writes alone. Each run of the program is one of it, so
what no run of it fails holds; it has fewer visible instructions, and its steps are larger.

Lemma L34 of docs/soundness.md.
"""

from __future__ import annotations

from flushproof.ir.analysis.control_flow import successor_positions
from flushproof.ir.analysis.def_use import fields_of, may_wait
from flushproof.ir.code import (
    Acquire,
    BeginAtomic,
    Every,
    Exchange,
    Fence,
    Field,
    Havoc,
    Hypercall,
    Instr,
    Jump,
    Mode,
    Read,
    Release,
    Return,
    TryAcquire,
    Write,
)
from flushproof.ir.passes.cleanup import find_idle, sets_unused
from flushproof.ir.program import Operation, Program
from flushproof.ir.types import LockWord
from flushproof.support.record import replace


class CannotHavocError(Exception):
    """A field cannot be given up."""


def havoc_fields(program: Program, names: frozenset[str]) -> Program:
    """Return a program that any value of these fields may be read in, position by position.

    Raises:
        CannotHavocError: there is no such field, it is a ghost or a lock, a claim speaks of it, or
            a claim looks at what its accesses lead to.
    """
    known = {f.name: f for f in program.fields}
    for name in sorted(names):
        if name not in known or known[name].ghost or isinstance(known[name].type, LockWord):
            raise CannotHavocError(f"`{name}` is no field that could be given up")
    return replace(
        program,
        fields=tuple(f for f in program.fields if f.name not in names),
        operations=tuple(_without(o, names) for o in program.operations),
        boot=tuple((f, e) for f, e in program.boot if f.name not in names),
        witnesses=tuple(f for f in program.witnesses if f.name not in names),
    )


def _without(operation: Operation, names: frozenset[str]) -> Operation:
    code = operation.code
    given_up = tuple(_any_value(code, at, names) for at in range(len(code)))
    return replace(operation, code=_without_unused(given_up) if given_up != code else code)


def _without_unused(code: tuple[Instr, ...]) -> tuple[Instr, ...]:
    """Leave out what the code proper computes and nothing uses."""
    idle = find_idle(code, lambda i, out: not i.from_claim and sets_unused(i, out))
    return tuple(Jump(at + 1, i.span) if at in idle else i for at, i in enumerate(code))


def _any_value(code: tuple[Instr, ...], at: int, names: frozenset[str]) -> Instr:
    instr = code[at]
    touched = [f for f in fields_of(instr) if f.name in names]
    if not touched:
        return instr
    if instr.from_claim or isinstance(instr, Every) or may_wait(instr):
        raise _spoken_of(touched[0])
    watched = _is_watched(code, at, names)
    match instr:
        case Read(target=target, span=span) | Exchange(target=target, span=span) if not watched:
            return Havoc(target, span)
        case Write(span=span) if watched and instr.mode is not Mode.ATOMIC:
            # Others may step in before it, and a claim looks at what there is after it.
            return Fence(span)
        case Write(span=span):
            return Jump(at + 1, span)
        case _:
            raise _spoken_of(touched[0])


def _is_watched(code: tuple[Instr, ...], at: int, names: frozenset[str]) -> bool:
    """Tell whether code that a claim added comes before what is visible next.

    It runs at the moment of the access, and so it might see what others did just before.
    """
    seen: set[int] = set()
    work = list(successor_positions(code, at))
    while work:
        to = work.pop()
        if code[to].from_claim:
            return True
        if to not in seen and not _is_surely_visible(code[to], names):
            seen.add(to)
            work += successor_positions(code, to)
    return False


def _is_surely_visible(instr: Instr, names: frozenset[str]) -> bool:
    match instr:
        case Acquire() | TryAcquire() | Release() | Fence() | Hypercall() | Return():
            return True
        case BeginAtomic():
            return True
        case Write(field=f, mode=mode):
            return not f.ghost and f.name not in names and mode is not Mode.ATOMIC
        case _:
            return False


def _spoken_of(f: Field) -> CannotHavocError:
    return CannotHavocError(f"a claim looks at `{f.label}`, or at accesses to it")
