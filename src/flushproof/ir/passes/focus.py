"""Per-vCPU fields that a program only ever reads at one witness.

Of such a field one cell is enough: the one of the witness (cell morphing, Monniaux and Gonnord, SAS
2016). Writes to other cells are never seen.
"""

from __future__ import annotations

from collections.abc import Iterator

from flushproof.ir.analysis.def_use import defined_local, locals_of
from flushproof.ir.code import Every, Expr, Field, FieldScope, Instr, Read, Var
from flushproof.ir.program import BOOT_VCPU, Program


def focused_fields(program: Program) -> dict[str, str]:
    """Map the names of such ghost fields to the names of their witnesses."""
    witnesses = {f.name for f in program.witnesses}
    varying = {f for f, e in program.boot if BOOT_VCPU in set(locals_of(e))}
    found: dict[str, str] = {}
    for f in program.fields:
        if f.scope is FieldScope.VCPU and f.ghost and f not in varying:
            seen = {w for o in program.operations for w in _indices(o.code, f)}
            if len(seen) == 1 and seen <= witnesses:
                found[f.name] = seen.pop()
    return found


def _indices(code: tuple[Instr, ...], f: Field) -> Iterator[str]:
    """Yield the witnesses at which code reads a field; "" for any other index."""
    for instr in code:
        match instr:
            case Read(field=read, index=index) if read == f:
                yield _witness(code, index)
            case Every(reads=reads) if any(x == f for _, x in reads):
                yield ""
            case _:
                pass


def _witness(code: tuple[Instr, ...], index: Expr | None) -> str:
    if not isinstance(index, Var):
        return ""
    sources = {_source(i) for i in code if defined_local(i) == index.local}
    return sources.pop() if len(sources) == 1 else ""


def _source(instr: Instr) -> str:
    return instr.field.name if isinstance(instr, Read) and instr.index is None else ""
