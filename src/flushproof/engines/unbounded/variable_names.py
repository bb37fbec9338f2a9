"""What the variables of predicates, and places of threads, are called in C."""

from __future__ import annotations

from collections.abc import Mapping
from typing import assert_never

import z3

from flushproof.engines.symbolic.locations import (
    Cell,
    ElsewhereReads,
    FlusherReads,
    OwnCell,
    SharedCell,
    UnseenCell,
)
from flushproof.engines.symbolic.values import INVALID, Root
from flushproof.engines.unbounded.control_locations import Frames
from flushproof.engines.unbounded.horn_clauses import (
    BystanderThread,
    Control,
    FlusherThread,
    LoadThread,
    Located,
    System,
)
from flushproof.engines.unbounded.relations import RELATIONS
from flushproof.engines.unbounded.state_space import Space, flatten_value
from flushproof.ir.code import OPPOSITE, Field, FieldScope
from flushproof.ir.types import NONE

LARGE = 9
"""Larger bits are easier to read in hexadecimal."""

CONSTANTS = {0: "0", INVALID: "INVALID_PAGE", NONE: "NONE"}


class VariableNames:
    """What the variables of predicates are called in C."""

    def __init__(self, space: Space, frames: Frames, system: System) -> None:
        self.space = space
        self.frames = frames
        self.vcpus = [
            "v" if v is space.arbitrary else _bare(str(v.decl().name())) for v in space.tracked
        ]
        self.names: dict[int, str] = {space.count.get_id(): "the number of vCPUs"}
        fields = {f.name: f for f in space.program.fields}
        for v, name in zip(space.tracked, self.vcpus, strict=True):
            self.names[v.get_id()] = name
        for (name, cell), value in space.state.items():
            self._name(value, self._place(fields[name], cell))
        for page, term in space.algebra.known_pages().items():
            self.names[term.get_id()] = self._constant(page)
        for parameters in system.parameters.values():
            for p in parameters:
                self.names.setdefault(p.get_id(), _bare(str(p.decl().name())))

    def _place(self, field: Field, cell: Cell) -> str:
        """Return what a location of the state is called."""
        match cell:
            case FlusherReads():
                who = "flusher"
            case OwnCell(number):
                who = self.vcpus[number]
            case SharedCell() | ElsewhereReads() | UnseenCell():
                who = ""
            case other:
                assert_never(other)
        if who and field.scope is FieldScope.VM:
            return f"{field.label}.reads[{who}]"
        return field.at(who) if who else field.label

    def _name(self, value: object, name: str) -> None:
        if isinstance(value, Root):
            page, *bits = flatten_value(self.space.algebra, value)
            self.names[page.get_id()] = f"page({name})" if bits else name
            for b, mask in zip(bits, self.space.algebra.masks, strict=True):
                self.names[b.get_id()] = f"({name} & {mask:#x}) != 0"
        elif isinstance(value, z3.ExprRef):
            self.names[value.get_id()] = name

    def _constant(self, page: int) -> str:
        algebra = self.space.algebra
        if not algebra.masks:
            return CONSTANTS.get(page, f"{page:#x}")
        known = {algebra.split(value)[0]: name for value, name in CONSTANTS.items()}
        return f"page({known[page]})" if page in known else f"page {page:#x}"

    def cast(self) -> str:
        """Return what vCPUs are spoken of."""
        if not self.vcpus:
            return "for every number of vCPUs"
        case = self.space.case
        if case.generic:
            return "for every vCPU v"
        if case.history:
            return "for every vCPU v, at which the claim may have taken note of something"
        return f"for every vCPU {' and '.join(self.vcpus)}"

    def place(self, control: Control) -> str:
        """Return where threads are, in words."""
        words = []
        for thread in self.frames.threads:
            site = self.frames.position(control, thread)
            if site is not None:
                span = self.frames.operations[site.operation].code[site.at].span
                line = "" if span is None else f" at line {span.line}"
                words.append(f"{self._who(thread)} is in {site.operation}(){line}")
        return ", ".join(words) or "between calls"

    def _who(self, thread: Located) -> str:
        match thread:
            case FlusherThread():
                return "the flusher"
            case LoadThread(vcpu):
                return self.vcpus[vcpu]
            case BystanderThread():
                return "the claim"
            case other:
                assert_never(other)

    def text(self, term: z3.ExprRef, *, top: bool = False) -> str:
        """Return a term as a C expression."""
        if term.get_id() in self.names and not z3.is_bool(term):
            return self.names[term.get_id()]
        if z3.is_or(term):
            words = " || ".join(self.text(x) for x in term.children())
            return words if top else f"({words})"
        if z3.is_not(term):
            return self._negated(term.arg(0))
        if term.num_args() == 2 and term.decl().kind() in _BITWISE:
            return f"({self._compared(term, _BITWISE)})"
        if term.num_args() == 2:
            return self._compared(term, _SIGNS)
        if z3.is_bv_value(term) and term.as_long() > LARGE:
            return f"{term.as_long():#x}"
        return self.names.get(term.get_id(), _bare(str(term)))

    def _negated(self, term: z3.ExprRef) -> str:
        if term.num_args() == 2 and term.decl().kind() in _OPPOSITE:
            return self._compared(term, _OPPOSITE)
        words = self.text(term)
        if words.endswith(") != 0"):
            return words.removesuffix("!= 0") + "== 0"
        return f"!{words}"

    def _compared(self, term: z3.ExprRef, signs: Mapping[int, str]) -> str:
        if z3.is_add(term.arg(1)) and _is_minus_one(term.arg(1).arg(1)):
            less = {"<=": "<", ">": ">="}.get(signs[term.decl().kind()])
            if less is not None:
                return f"{self.text(term.arg(0))} {less} {self.text(term.arg(1).arg(0))}"
        a, b = (self.text(x) for x in term.children())
        if z3.is_int_value(term.arg(0)) or a in CONSTANTS.values():
            turned = _TURNED[signs[term.decl().kind()]]
            return f"{b} {turned} {a}"
        sign = signs.get(term.decl().kind(), str(term.decl().name()))
        return f"{a} {sign} {b}".replace("+ -", "- ")


def _is_minus_one(term: z3.ExprRef) -> bool:
    return bool(z3.is_int_value(term)) and int(term.as_long()) == -1


def _bare(name: str) -> str:
    """Return a variable's own name, without what it belongs to."""
    return name.rpartition(":")[2].removesuffix("[-1]")


_SIGNS: Mapping[int, str] = {**RELATIONS, z3.Z3_OP_ADD: "+"}
_BITWISE = {
    z3.Z3_OP_BAND: "&",
    z3.Z3_OP_BOR: "|",
    z3.Z3_OP_BXOR: "^",
    z3.Z3_OP_BLSHR: ">>",
}
"""Below comparisons in C, so they stand in brackets."""
_OPPOSITE = {kind: OPPOSITE[relation] for kind, relation in RELATIONS.items()}
_TURNED = {"==": "==", "!=": "!=", "<=": ">=", ">=": "<=", "<": ">", ">": "<"}
