"""Clean-up of freshly lowered code. Accesses to shared state are never removed or moved.

* `propagate_copies`: temporaries with a copy or a once-used expression are put where they are
  used, copies of parameters that keep their value everywhere, and a variable compared with itself
  is decided;
* `discharge_checks`: checks that surely hold are dropped (definite assignment, pointers surely
  not NULL);
* `prune_assignments`: assignments that nothing reads are dropped.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import partial
from operator import and_

from flushproof.ir.analysis.control_flow import simplify_code, successor_positions
from flushproof.ir.analysis.dataflow import fact_behind, flow_along, solve_backward, solve_forward
from flushproof.ir.analysis.def_use import (
    defined_local,
    locals_of,
    map_operands,
    operand_expressions,
    used_locals,
)
from flushproof.ir.code import (
    Assign,
    Binary,
    Branch,
    Cast,
    Check,
    Const,
    Expr,
    Havoc,
    Instr,
    Jump,
    Local,
    LocalOrigin,
    Uninit,
    Var,
)
from flushproof.ir.types import BOOL, NO_VCPU, VCPU
from flushproof.support.record import Record

Code = tuple[Instr, ...]
Live = frozenset[Local]
Idle = Callable[[Instr, frozenset[Local]], bool]
"""Tells of an instruction, by what is live behind it, whether it does nothing."""


def clean_code(code: Code) -> Code:
    """Run all passes until nothing changes."""
    while True:
        after = prune_assignments(discharge_checks(propagate_copies(code)))
        if after == code:
            return code
        code = after


def _without(code: Code, dead: set[int]) -> Code:
    kept = (Jump(at + 1, i.span) if at in dead else i for at, i in enumerate(code))
    return simplify_code(tuple(kept))


# Propagation -----------------------------------------------------------------------------------


def propagate_copies(code: Code) -> Code:
    """Substitute temporaries within straight-line stretches, and copies of parameters."""
    counts = Counter(x for i in code for x in _uses(i))
    leaders = {t for at in range(len(code)) for t in successor_positions(code, at) if t != at + 1}
    joins = leaders | {
        t
        for at, i in enumerate(code)
        if isinstance(i, Branch)
        for t in successor_positions(code, at)
    }
    known = _Known({}, {})
    renamed = _parameter_copies(code)
    out: list[Instr] = []
    for at, instr in enumerate(code):
        if at in joins:
            known = _Known({}, {})
            for target, value in renamed.get(at, ()):
                known.learn(target, value)
        new = _decided(_substituted(instr, known.values))
        out.append(new)
        _learn(known, new, counts)
    return simplify_code(tuple(out))


Copy = tuple[Local, Var]


def _parameter_copies(code: Code) -> dict[int, frozenset[Copy]]:
    """Return which locals are copies of a parameter that keeps its value, before each position.

    So it is seen of a pointer that was made from a vCPU's own that it is that vCPU's.
    """
    assigned = {defined_local(i) for i in code}
    copies = {
        at: (i.target, i.value)
        for at, i in enumerate(code)
        if isinstance(i, Assign) and isinstance(i.value, Var) and i.value.local not in assigned
    }
    if not copies:
        return {}

    def after(at: int, before: frozenset[Copy]) -> frozenset[Copy]:
        target = defined_local(code[at])
        kept = frozenset(c for c in before if c[0] != target)
        return kept | {copies[at]} if at in copies else kept

    return solve_forward(frozenset[Copy](), flow_along(code, after), and_)


class _Known(Record, frozen=True):
    """What locals are known to hold, and for each local whose value may speak of it."""

    values: dict[Local, Expr]
    readers: dict[Local, list[Local]]

    def forget(self, target: Local) -> None:
        """Drop what is known of a local and of all that depend on it."""
        self.values.pop(target, None)
        for x in self.readers.pop(target, ()):
            if x in self.values and target in set(locals_of(self.values[x])):
                del self.values[x]

    def learn(self, target: Local, value: Expr) -> None:
        """Note what a local holds."""
        self.values[target] = value
        for x in locals_of(value):
            self.readers.setdefault(x, []).append(target)


def _substituted(instr: Instr, known: Mapping[Local, Expr]) -> Instr:
    return map_operands(instr, lambda x: known.get(x, Var(x)))


def _decided(instr: Instr) -> Instr:
    """Replace a branch on whether a variable equals itself."""
    match instr:
        case Branch(Binary("==", Var() as a, Var() as b), then, _, span) if a == b:
            return Jump(then, span)
        case Branch(Binary("!=", Var() as a, Var() as b), _, otherwise, span) if a == b:
            return Jump(otherwise, span)
        case _:
            return instr


def _uses(i: Instr) -> Iterator[Local]:
    for e in operand_expressions(i):
        yield from locals_of(e)


def _learn(known: _Known, instr: Instr, counts: Counter[Local]) -> None:
    target = defined_local(instr)
    if target is None:
        return
    known.forget(target)
    if not isinstance(instr, Assign) or target in set(locals_of(instr.value)):
        return
    copy = isinstance(instr.value, (Const, Var))
    temporary = target.origin is LocalOrigin.TEMPORARY
    if copy or (temporary and counts[target] == 1):
        known.learn(target, instr.value)


# Discharge -------------------------------------------------------------------------------------

Facts = frozenset[Local]


def discharge_checks(code: Code) -> Code:
    """Drop `Uninit` and `Check` where the condition holds on every path."""
    facts = _facts(code)
    dead = {at for at, i in enumerate(code) if at in facts and _holds(i, facts[at])}
    return _without(code, dead) if dead else code


def _holds(i: Instr, facts: Facts) -> bool:
    match i:
        case Uninit(_, condition) | Check(condition):
            return _true(condition, facts)
        case _:
            return False


def _true(e: Expr, facts: Facts) -> bool:
    match e:
        case Const(value, t) if t == BOOL:
            return value == 1
        case Var(local):
            return local in facts
        case Binary("!=", a, Const(value)) if value == NO_VCPU:
            return _nonnull(a, facts)
        case Binary("&", a, b, t) if t == BOOL:
            return _true(a, facts) and _true(b, facts)
        case _:
            return False


def _nonnull(e: Expr, facts: Facts) -> bool:
    match e:
        case Var(local):
            return local in facts
        case Const(value):
            return value != NO_VCPU
        case Cast(_, t):
            return t == VCPU
        case _:
            return False


def _facts(code: Code) -> dict[int, Facts]:
    """Locals known to be true or not NULL before each reachable position (a must-analysis)."""
    given = {x for i in code for x in used_locals(i) if x.type == VCPU}
    start = frozenset(given - {defined_local(i) for i in code})
    return solve_forward(start, partial(_flow, code), and_)


def _flow(code: Code, at: int, facts: Facts) -> Iterator[tuple[int, Facts]]:
    instr = code[at]
    if isinstance(instr, Branch):
        yield instr.then, facts | _implied(instr.condition)
        yield instr.otherwise, facts
        return
    after = _transfer(instr, facts)
    for target in successor_positions(code, at):
        yield target, after


def _implied(e: Expr) -> Facts:
    match e:
        case Var(local):
            return frozenset({local})
        case Binary("!=", Var(local), Const(value)) if value == NO_VCPU and local.type == VCPU:
            return frozenset({local})
        case Binary("&", a, b, t) if t == BOOL:
            return _implied(a) | _implied(b)
        case _:
            return frozenset()


def _transfer(instr: Instr, facts: Facts) -> Facts:
    if isinstance(instr, Check):
        return facts | _implied(instr.condition)
    target = defined_local(instr)
    if target is None:
        return facts
    if isinstance(instr, Assign):
        sure = _nonnull if target.type == VCPU else _true
        if sure(instr.value, facts):
            return facts | {target}
    return facts - {target}


# Pruning ---------------------------------------------------------------------------------------


def prune_assignments(code: Code) -> Code:
    """Drop assignments to locals on which nothing depends afterwards."""
    dead = find_idle(code, sets_unused)
    return _without(code, dead) if dead else code


def find_idle(code: Code, idle: Idle) -> set[int]:
    """Return the positions of instructions that do nothing, if those that are idle do nothing."""
    live = _live(code, idle)
    following = (successor_positions(code, at) for at in range(len(code)))
    behind = (fact_behind(live, then, _join_live) for then in following)
    return {at for at, (i, out) in enumerate(zip(code, behind, strict=True)) if idle(i, out)}


def sets_unused(i: Instr, out: frozenset[Local]) -> bool:
    """Tell whether all that an instruction does is to set what nothing depends on."""
    return isinstance(i, (Assign, Havoc)) and i.target not in out


def live_locals(code: Code) -> tuple[Live, ...]:
    """Return the locals that may still be read, before each position."""
    return _live(code, lambda _i, _out: False)


def _live(code: Code, idle: Idle) -> tuple[Live, ...]:
    """Return the locals that may still be read by something that is not idle."""
    about = [(i, {defined_local(i)}, used_locals(i)) for i in code]

    def transfer(at: int, out: Live) -> Live:
        instr, written, read = about[at]
        return out if idle(instr, out) else (out - written) | read

    return solve_backward(code, Live(), transfer, _join_live)


def _join_live(following: Sequence[Live]) -> Live:
    return Live().union(*following)
