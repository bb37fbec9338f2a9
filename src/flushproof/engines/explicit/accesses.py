"""Accesses to shared fields that runs were seen to make, as a witness fixes them."""

from __future__ import annotations

from flushproof.engines.explicit.domains import Touch
from flushproof.engines.interpreter.interpreter import Happening
from flushproof.ir.code import Access, Exchange, Read, Write
from flushproof.ir.program import Program
from flushproof.machine.instrument import PLACE_STRIDE


def is_access(happening: Happening) -> bool:
    """Tell whether an executed instruction is an access by the code to a shared field."""
    match happening.instr:
        case Read(_, f, _, mode) | Write(f, _, _, mode):
            return not f.ghost and not mode.unseen
        case Exchange(_, f) | Access(f):
            return not f.ghost
        case _:
            return False


def touch_of_access(program: Program, thread: int, happening: Happening, held: int) -> Touch:
    """Return an access by its parts; `held` are the locks that the thread held."""
    shared = [f for f in program.fields if not f.ghost]
    assert happening.location is not None
    assert isinstance(happening.instr, (Read, Write, Exchange, Access))
    place = shared.index(happening.instr.field) * PLACE_STRIDE + (happening.location[1] or 0)
    once = isinstance(happening.instr, Exchange) or happening.instr.mode.marked
    return (thread + 1, place, int(happening.writes), int(once), held)
