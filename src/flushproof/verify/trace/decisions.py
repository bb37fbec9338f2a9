"""Why a vCPU was left out: the branches at which the call at fault passed a hypercall by.

In: what the interpreter saw of the call. Out: for the vCPU that a claim speaks of, each branch on
what that vCPU holds after which a hypercall is not reached that the other way leads to, with the
values that it went by.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from functools import lru_cache, partial

from flushproof.engines.interpreter.interpreter import Decision, Happening, State
from flushproof.frontend.spec.syntax import ClaimSpec
from flushproof.ir.analysis.def_use import locals_of
from flushproof.ir.code import (
    Assign,
    Branch,
    Hypercall,
    Instr,
    Jump,
    Local,
    LocalOrigin,
    Mode,
    Read,
    Var,
)
from flushproof.ir.program import Role
from flushproof.ir.types import VcpuRef
from flushproof.support.record import Record
from flushproof.verify.trace.value_names import PLAIN, Names, place_name


class Skipped(Record, frozen=True):
    """A decision that left a vCPU out; `at` is how much had happened before it."""

    at: int
    decision: Decision
    text: str


def skipping_decisions(
    claim: ClaimSpec, state: State, call: tuple[int, int], names: Names
) -> tuple[Skipped, ...]:
    """Return the decisions of a flush that left out the vCPU that a claim is about."""
    operation = next(
        (d.operation for d in state.decisions if (d.thread, d.call) == call),
        None,
    )
    witnesses = [f"{claim.name}:{w.name}" for w in claim.witnesses if w.kind == "vcpu"]
    known = next((o for o in state.program.operations if o.name == operation), None)
    if not witnesses or known is None or known.role is not Role.FLUSH:
        return ()
    chosen = {state.memory[name, None] for name in witnesses if (name, None) in state.memory}
    sources = _sources(known.code)
    passing = lru_cache(partial(_passes_by, known.code))
    found = []
    for decision in state.decisions:
        way = (decision.instr.then, decision.instr.otherwise)
        if (decision.thread, decision.call) == call and passing(
            *(way if decision.then else way[::-1])
        ):
            seen = list(_values(decision, state.happenings, sources))
            about = {w.location[1] for _, w in seen if w is not None and w.location is not None}
            for vcpu in sorted(v for v in about if v is not None and v in chosen):
                told = ", ".join(_told(x, w, decision, names) for x, w in seen)
                found.append(Skipped(decision.at, decision, f"skips vCPU{vcpu}: {told}"))
    return tuple(found)


def _passes_by(code: tuple[Instr, ...], taken: int, other: int) -> bool:
    """Tell whether the other way leads to a hypercall, without another round, and this does not."""
    calls = {k for k, instr in enumerate(code) if isinstance(instr, Hypercall)}
    return bool(calls & (_ahead(code, other) - _ahead(code, taken)))


def _ahead(code: tuple[Instr, ...], start: int) -> frozenset[int]:
    """Return the positions that may be reached from one without going back."""
    seen: set[int] = set()
    todo = [start]
    while todo:
        at = todo.pop()
        if at in seen or at >= len(code):
            continue
        seen.add(at)
        todo += (x for x in _next(code[at], at) if x > at)
    return frozenset(seen)


def _next(instr: Instr, at: int) -> tuple[int, ...]:
    match instr:
        case Jump(target):
            return (target,)
        case Branch(_, then, otherwise):
            return then, otherwise
        case _:
            return (at + 1,)


def _sources(code: tuple[Instr, ...]) -> Mapping[Local, Local]:
    """Return what locals are copies of, where each is assigned in one place only."""
    assigned: dict[Local, list[Assign]] = {}
    for instr in code:
        if isinstance(instr, Assign):
            assigned.setdefault(instr.target, []).append(instr)
    single = {x: found[0].value for x, found in assigned.items() if len(found) == 1}
    return {x: value.local for x, value in single.items() if isinstance(value, Var)}


def _values(
    decision: Decision, happenings: list[Happening], sources: Mapping[Local, Local]
) -> Iterator[tuple[Local, Happening | None]]:
    """Yield each local that a decision goes by, with the read that it is from, if any."""
    for local in dict.fromkeys(locals_of(decision.instr.condition)):
        origin, passed = local, {local}
        while origin in sources and sources[origin] not in passed:
            origin = sources[origin]
            passed.add(origin)
        read = _last_read(origin, decision, happenings)
        named = local.origin is not LocalOrigin.TEMPORARY and not isinstance(local.type, VcpuRef)
        if local in decision.values and (read is not None or named):
            yield local, read


def _last_read(local: Local, decision: Decision, happenings: list[Happening]) -> Happening | None:
    for h in reversed(happenings[: decision.at]):
        if (h.thread, h.call) != (decision.thread, decision.call):
            continue
        if isinstance(h.instr, Read) and h.instr.target == local:
            return None if h.instr.mode is Mode.GHOST else h
    return None


def _told(local: Local, read: Happening | None, decision: Decision, names: Names) -> str:
    value = decision.values[local]
    if read is not None and read.location is not None and isinstance(read.instr, Read):
        field = read.instr.field
        return f"{place_name(field, read.location)} = {names.field(field, value)}"
    root = value in names.letters or (value in PLAIN and value > 1)
    return f"{local.name} = {names.root(value) if root else names.typed(local.type, value)}"
