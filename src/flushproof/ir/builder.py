"""A growing piece of code with labels; `finish` turns labels into positions."""

from __future__ import annotations

from collections.abc import Iterable
from typing import ClassVar

from flushproof.ir.analysis.control_flow import simplify_code
from flushproof.ir.code import (
    Assign,
    Branch,
    CallWitness,
    Check,
    Const,
    Expr,
    Instr,
    Jump,
    Local,
    LocalOrigin,
    Stop,
    Var,
)
from flushproof.ir.types import Type
from flushproof.support.diagnostics import Diagnostic, InputError
from flushproof.support.record import Record, replace
from flushproof.support.source import Span

LIMIT = 20_000


class Label(Record, frozen=True):
    """A place in the code, not yet a position; also used as a jump target while emitting."""

    number: int


class Emitter:
    """Collects instructions whose jump targets are label numbers until `finish`.

    While `from_claim` is true, what is appended is marked as woven in for a claim.
    """

    def __init__(self, name: str, temporary: str = "%", *, from_claim: bool = False) -> None:
        self.name = name
        self.temporary = temporary
        self.from_claim = from_claim
        self.code: list[Instr] = []
        self._places: dict[int, int] = {}
        self._labels = 0
        self._names: dict[str, int] = {}
        self._reserved: set[str] = set()

    def local(
        self, name: str, t: Type, origin: LocalOrigin | CallWitness = LocalOrigin.VARIABLE
    ) -> Local:
        """Return a new local whose name begins with `name`."""
        while True:
            count = self._names.get(name, 0)
            self._names[name] = count + 1
            found = f"{name}.{count}" if count else name
            if found not in self._reserved:
                return Local(found, t, origin)

    def reserve(self, names: Iterable[str]) -> None:
        """Give no new local one of these names, which code that is copied has."""
        self._reserved.update(names)

    def temp(self, t: Type, origin: LocalOrigin | CallWitness = LocalOrigin.TEMPORARY) -> Local:
        """Return a new nameless local, which is to be assigned once."""
        return self.local(self.temporary, t, origin)

    def label(self) -> Label:
        """Return a label to be placed later."""
        self._labels += 1
        return Label(self._labels)

    def place(self, label: Label) -> None:
        """Let `label` stand for the next instruction."""
        self._places[label.number] = len(self.code)

    def emit(self, instr: Instr) -> None:
        """Append one instruction.

        Raises:
            InputError: the code grew past the limit.
        """
        self.copy(replace(instr, from_claim=True) if self.from_claim else instr)

    def copy(self, instr: Instr) -> None:
        """Append an instruction that stays what it is, the code's or a claim's.

        Raises:
            InputError: the code grew past the limit.
        """
        if len(self.code) >= LIMIT:
            raise InputError(OperationTooLarge(span=instr.span, name=self.name, limit=LIMIT))
        self.code.append(instr)

    def fill(self, at: int, instr: Instr) -> None:
        """Put an instruction in the place of one that was appended to be replaced."""
        self.code[at] = replace(instr, from_claim=self.from_claim)

    def assign(self, target: Local, value: Expr, span: Span | None) -> None:
        """Append an assignment."""
        self.emit(Assign(target, value, span))

    def keep(self, value: Expr, span: Span | None) -> Expr:
        """Return an expression for the present value of `value`, whatever is assigned later."""
        temp = self.temp(value.type)
        self.assign(temp, value, span)
        return Var(temp)

    def check(self, condition: Expr, text: str, span: Span) -> None:
        """Append a check for undefined behaviour unless the condition surely holds."""
        if not (isinstance(condition, Const) and condition.value):
            self.emit(Check(condition, text, span))

    def jump(self, label: Label, span: Span | None) -> None:
        """Append a jump."""
        self.emit(Jump(label.number, span))

    def branch(self, condition: Expr, then: Label, otherwise: Label, span: Span | None) -> None:
        """Append a two-way branch, or a jump where the condition is known."""
        if isinstance(condition, Const):
            self.jump(then if condition.value else otherwise, span)
            return
        self.emit(Branch(condition, then.number, otherwise.number, span))

    def finish(self) -> tuple[Instr, ...]:
        """Return the code with positions for labels; unplaced labels are a programming error."""
        self.emit(Stop(None))
        return simplify_code(tuple(self._resolved(i) for i in self.code))

    def _resolved(self, instr: Instr) -> Instr:
        match instr:
            case Jump(target):
                return replace(instr, target=self._places[target])
            case Branch(_, then, otherwise):
                return replace(instr, then=self._places[then], otherwise=self._places[otherwise])
            case _:
                return instr


class OperationTooLarge(Diagnostic, frozen=True, kw_only=True):
    """An operation with too many instructions to go on."""

    CODE: ClassVar[str] = "FP0421"
    TITLE: ClassVar[str] = "`{name}` is too large: more than {limit} instructions after inlining"
    name: str
    limit: int
