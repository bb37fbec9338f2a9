"""Fields that a proof may well do without: those no lock guards, and those nothing depends on.

Each access without a lock costs a scheduling point, and a counter that nobody looks at has no
bound. In: a program. Out: names of fields. They are a guess at what
`ir/passes/havoc_fields.py` may leave out; no verdict rests on it.
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial

from flushproof.ir.analysis.def_use import fields_of, may_wait
from flushproof.ir.analysis.held_locks import Held, surely_held
from flushproof.ir.analysis.representation import Representation, infer_kinds
from flushproof.ir.code import Exchange, Field, Instr, Local, Read, Write
from flushproof.ir.passes.cleanup import find_idle, sets_unused
from flushproof.ir.program import Operation, Program
from flushproof.ir.types import LockWord


def find_dispensable_fields(program: Program) -> frozenset[str]:
    """Return the fields that no claim reads and that are racy, or that nothing depends on.

    What a thread waits for is none.
    """
    code = [i for o in program.operations for i in o.code]
    spoken_of = {f for i in code if i.from_claim or may_wait(i) for f in fields_of(i)}
    changing = {
        f
        for f in _written(code)
        if f not in spoken_of and not f.ghost and not isinstance(f.type, LockWord)
    }
    found = _racy(program, changing) | _idle(program, frozenset(changing))
    return frozenset(f.name for f in found)


def _racy(program: Program, changing: set[Field]) -> frozenset[Field]:
    """Return the fields that hold no root and have an empty lockset."""
    held = surely_held(program.operations)
    locks: dict[Field, Held] = {}
    for o in program.operations:
        for at, instr in enumerate(o.code):
            for f in fields_of(instr):
                locks[f] = locks.get(f, held[o.name][at]) & held[o.name][at]
    kinds = infer_kinds(program)
    return frozenset(
        f for f in changing if not locks[f] and kinds.field(f) is not Representation.ROOT
    )


def _idle(program: Program, changing: frozenset[Field]) -> frozenset[Field]:
    """Return the fields whose values go nowhere but into such fields."""
    live = {f for o in program.operations for f in _read_for_use(o, changing)}
    return changing if not live else _idle(program, changing - live)


def _read_for_use(operation: Operation, fields: frozenset[Field]) -> Iterator[Field]:
    """Yield those of some fields that are read for more than to be written there again."""
    idle = find_idle(operation.code, partial(_feeds_only, fields))
    for at, i in enumerate(operation.code):
        if at not in idle and isinstance(i, (Read, Exchange)) and i.field in fields:
            yield i.field


def _feeds_only(fields: frozenset[Field], i: Instr, out: frozenset[Local]) -> bool:
    """Tell whether an instruction does nothing but for some fields."""
    match i:
        case Write(field=f):
            return f in fields
        case Exchange(field=f):
            return f in fields and i.target not in out
        case Read():
            return i.target not in out
        case _:
            return sets_unused(i, out)


def _written(code: list[Instr]) -> Iterator[Field]:
    return (i.field for i in code if isinstance(i, (Write, Exchange)))
