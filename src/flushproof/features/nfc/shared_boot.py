"""What both variants find in variables that another file defines: the same, whatever it is.

In: a joint program in which each side has fields of its own. Out: one in which both sides read one
field, a witness, for each such variable. A variable that code here writes has no such form.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from flushproof.features.nfc.rename_side import SideNames
from flushproof.ir.analysis.def_use import fields_of
from flushproof.ir.code import Every, Exchange, Field, Instr, Write
from flushproof.ir.program import Program
from flushproof.support.record import replace


def written_unknown(*programs: Program) -> tuple[Field, ...]:
    """Return the variables with any value at boot that a program also writes."""
    return tuple(
        f
        for p in programs
        for f in _unknown(p)
        if any(
            isinstance(i, Write | Exchange) and i.field == f for o in p.operations for i in o.code
        )
    )


def with_shared_boot(joint: Program, sides: Mapping[SideNames, Program]) -> Program:
    """Return a joint program whose sides read the same in what has any value at boot.

    None of it is written, see `written_unknown`.
    """
    one = {names.field(f): f for names, program in sides.items() for f in _unknown(program)}
    if not one:
        return joint
    operations = tuple(
        replace(o, code=tuple(_instr(i, one) for i in o.code)) for o in joint.operations
    )
    fields = tuple(dict.fromkeys(one.get(f, f) for f in joint.fields))
    shared = tuple(dict.fromkeys(one[f] for f in joint.fields if f in one))
    boot = tuple((f, e) for f, e in joint.boot if f not in one)
    return replace(
        joint,
        operations=operations,
        fields=fields,
        boot=boot,
        witnesses=(*joint.witnesses, *shared),
    )


def _unknown(program: Program) -> Iterator[Field]:
    return (f for f in program.witnesses if not f.ghost)


def _instr(i: Instr, one: Mapping[Field, Field]) -> Instr:
    if isinstance(i, Every):
        return replace(i, reads=tuple((x, one.get(f, f)) for x, f in i.reads))
    for f in fields_of(i):
        if f in one:
            return replace(i, field=one[f])
    return i
