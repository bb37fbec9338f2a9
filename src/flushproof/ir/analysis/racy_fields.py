"""Fields without a lock that guards them, which cost a scheduling point at each access.

In: a program. Out: the names of those whose values a proof may well do without. What is returned is
a guess at what `verify/proof_checker/havoc_fields.py` may leave out; nothing rests on it.
"""

from __future__ import annotations

from collections.abc import Iterator

from flushproof.ir.analysis.def_use import fields_of
from flushproof.ir.analysis.held_locks import Held, surely_held
from flushproof.ir.analysis.representation import Representation, infer_kinds
from flushproof.ir.code import Exchange, Field, Instr, Write
from flushproof.ir.program import Program
from flushproof.ir.types import LockWord


def find_racy_fields(program: Program) -> frozenset[str]:
    """Return the fields that hold no root, are written and read, and have an empty lockset."""
    held = surely_held(program.operations)
    locks: dict[Field, Held] = {}
    for o in program.operations:
        for at, instr in enumerate(o.code):
            for f in fields_of(instr):
                locks[f] = locks.get(f, held[o.name][at]) & held[o.name][at]
    code = [i for o in program.operations for i in o.code]
    spoken_of = {f for i in code if i.from_claim for f in fields_of(i)}
    changing = set(_written(code)) - spoken_of
    kinds = infer_kinds(program)
    return frozenset(
        f.name
        for f in changing
        if not locks[f]
        and not f.ghost
        and not isinstance(f.type, LockWord)
        and kinds.field(f) is not Representation.ROOT
    )


def _written(code: list[Instr]) -> Iterator[Field]:
    return (i.field for i in code if isinstance(i, (Write, Exchange)))
