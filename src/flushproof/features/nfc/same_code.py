"""Whether two programs are one but for the names in them and the places where things stand.

Such are equal whatever anybody does, with any number of vCPUs, any locks and any interleaving.
"""

from __future__ import annotations

from collections.abc import Iterator

from flushproof.features.nfc.operation_pairing import pair_up
from flushproof.ir.analysis.def_use import defined_local, fields_of, map_expr, map_operands
from flushproof.ir.code import Check, Exchange, Expr, Field, Instr, Local, Uninit, Var
from flushproof.ir.program import Operation, Program
from flushproof.support.record import replace

SAME_CODE = "the code of both is the same but for names and places"


def is_same_code(old: Program, new: Program) -> bool:
    """Tell whether the plain programs of two variants differ in names and places only.

    Raises:
        InputError: the operations of the two do not correspond.
    """
    pairs = pair_up(old, new)
    first = _NumberedNames(old, tuple(p.old for p in pairs))
    second = _NumberedNames(new, tuple(p.new for p in pairs))
    return first.operations == second.operations and first.boot == second.boot


class _NumberedNames:
    """A program with numbers for names, in the order in which they occur."""

    def __init__(self, program: Program, operations: tuple[Operation, ...]) -> None:
        self.fields: dict[Field, Field] = {f: f for f in program.witnesses}
        self.locals: dict[Local, Local] = {}
        self.operations = [tuple(self._operation(o)) for o in operations]
        self.boot = {self._field(f): e for f, e in program.boot if f in self.fields}

    def _operation(self, operation: Operation) -> Iterator[object]:
        self.locals = {}
        p = operation.parameters
        slots = (p.vcpu, p.root, p.whole, p.start, p.pages, *p.others, *p.free)
        yield operation.word
        yield tuple(None if x is None else self._local(x) for x in slots)
        yield from map(self._instr, operation.code)

    def _local(self, x: Local) -> Local:
        return self.locals.setdefault(x, Local(str(len(self.locals)), x.type))

    def _field(self, f: Field) -> Field:
        """Return a field without its names; those of the machine and of other files keep theirs."""
        if f.ghost:
            return self.fields.setdefault(f, f)
        new = Field(str(len(self.fields)), "", f.scope, f.type)
        return self.fields.setdefault(f, new)

    def _var(self, x: Local) -> Expr:
        return Var(self._local(x))

    def _instr(self, i: Instr) -> object:
        """Return an instruction without names."""
        new = map_operands(i, self._var)
        if isinstance(new, Exchange) and new.old is not None:
            own, old = new.old, self._local(new.old)
            value = map_expr(new.value, lambda x: Var(old if x == own else x))
            new = replace(new, old=old, value=value)
        if (target := defined_local(i)) is not None:
            new = replace(new, target=self._local(target))
        for f in fields_of(i):
            new = replace(new, field=self._field(f))
        match new:
            case Check():
                return replace(new, text="")
            case Uninit():
                return replace(new, label="")
            case _:
                return new
