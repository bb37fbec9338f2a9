"""The unknown state that predicates range over, and its representation as terms.

Lemma L18 of docs/soundness.md.
"""

from __future__ import annotations

from collections.abc import Mapping

import z3

from flushproof.engines.bounded.threads import written_fields
from flushproof.engines.smt import terms as t
from flushproof.engines.symbolic.boot import FirstValue, boot_value, unwritten_boot_values
from flushproof.engines.symbolic.cells import TrackedCells
from flushproof.engines.symbolic.locations import SHARED, Location, OwnCell, location_name
from flushproof.engines.symbolic.step import World
from flushproof.engines.symbolic.values import Algebra, Root, Unfit, Value
from flushproof.engines.unbounded.history_variable import HISTORY, with_history
from flushproof.engines.unbounded.reader_counting import tracked_locations, tracked_readers
from flushproof.engines.unbounded.thresholds import find_largest_threshold
from flushproof.ir.analysis.representation import Kinds
from flushproof.ir.code import Field, FieldScope
from flushproof.ir.program import MOST_THREADS, MOST_VCPUS, Program
from flushproof.ir.types import BOOL, ROOT, VCPU
from flushproof.support.record import Record


def flatten_value(algebra: Algebra, value: Value) -> tuple[z3.ExprRef, ...]:
    """Return the terms that make up a value."""
    match value:
        case Root(page, bits):
            return (algebra.page_term(page), *(t.z3_bool(b) for b in bits))
        case bool():
            return (z3.BoolVal(value),)
        case int():
            return (z3.IntVal(value),)
        case _:
            return (value,)


class TrackedInstances(Record, frozen=True):
    """Which vCPUs are tracked, and what is known of others.

    Tracked are the claim's witnesses, which are all one vCPU if `merged`, else all different. With
    `generic` it is one vCPU, any: what is known of it is known of each, and where a claim fails it
    is the witness. With `history` one more is tracked, at which the claim took note of something;
    with both it is the one that is any.
    """

    generic: bool = False
    merged: bool = False
    history: bool = False


class Space(Record, frozen=True):
    """What predicates range over.

    `flusher` is the number of the tracked flusher, which is any of them if there are `many`, each
    of which has a number from that of vCPUs on. `arbitrary` is the tracked vCPU that is no witness
    but any, where there is one. `rigid` never changes: the number of vCPUs, the flusher, the
    tracked vCPUs, the witnesses. `state` gives the unknown for every location that changes, `boot`
    its first value, `known` what holds of all of them at any time, and `ranges` what of that the
    types of `state` say; failures of the claim are looked at where `failing` holds, as it does of
    one of the cases if it fails. `unfit`: when a sum in a first value leaves its type.
    """

    program: Program
    algebra: Algebra
    case: TrackedInstances
    count: z3.ArithRef
    flusher: z3.ArithRef
    many: bool
    tracked: tuple[z3.ArithRef, ...]
    arbitrary: z3.ArithRef | None
    rigid: tuple[z3.ExprRef, ...]
    fixed: Mapping[Location, Value]
    state: Mapping[Location, Value]
    boot: Mapping[Location, Value]
    known: tuple[z3.BoolRef, ...]
    ranges: tuple[z3.BoolRef, ...]
    failing: tuple[z3.BoolRef, ...]
    constant: Mapping[str, FirstValue]
    unfit: tuple[Unfit, ...]

    def world(self, vcpu: z3.ArithRef | None = None, flusher: z3.ArithRef | None = None) -> World:
        """Return a world with cells for the tracked threads and for one vCPU or flusher more."""
        vcpus = (*self.tracked, *(() if vcpu is None else (vcpu,)))
        threads = (*vcpus, *(() if flusher is None else (flusher,)))
        cells = TrackedCells(vcpus, self.constant, self.algebra)
        readers = tracked_readers(self.flusher, threads)
        return World(self.program, self.algebra, 0, readers, self.count, cells, self.fixed)

    def is_flusher(self, number: z3.ArithRef) -> z3.BoolRef:
        """Return that a number may be that of a flusher."""
        return _may_flush(self.count, number)


def make_state_space(
    program: Program, kinds: Kinds, case: TrackedInstances, *, many: bool = False
) -> Space:
    """Make the space of a program, with `many` flushers or one; sums do not wrap around."""
    program = with_history(program) if case.history else program
    count = z3.Int("N")
    flushers: tuple[z3.ArithRef, ...] = (z3.Int("flusher"),) if many else ()
    flusher = flushers[0] if many else count
    algebra = Algebra(kinds, [], count, small=find_largest_threshold(program))
    witnesses = _witnesses(program, algebra, case)
    named = {f: w for f, w in witnesses.items() if isinstance(w, z3.ArithRef) and f.type == VCPU}
    tracked = [] if case.generic else list({w.get_id(): w for w in named.values()}.values())
    arbitrary = z3.Int("any:vcpu") if case.generic or case.history else None
    tracked += [] if arbitrary is None else [arbitrary]
    others = [(f, w) for f, w in witnesses.items() if case.generic or f not in named]
    constant = unwritten_boot_values(program, algebra, count)
    written = written_fields(program)
    cells = TrackedCells(tuple(tracked), constant, algebra)
    readers = tracked_readers(flusher, tuple(tracked))
    world = World(program, algebra, 0, readers, count, cells, {})
    state = {
        where: algebra.fresh(location_name(where), f.type, kinds.field(f))
        for f in program.fields
        if f.name in written or f == HISTORY
        for where in tracked_locations(world, f)
    }
    fields = {f.name: f for f in program.fields}
    free: dict[Location, Value] = {(f.name, SHARED): w for f, w in witnesses.items()}

    def at_boot(where: Location) -> Value:
        name, cell = where
        vcpu = tracked[cell.number] if isinstance(cell, OwnCell) else None
        return boot_value(program, algebra, count, fields[name], vcpu)

    boot = free | {where: at_boot(where) for where in state if where not in free}
    ranges = tuple(_limits(algebra, count, [(fields[n], v) for (n, _), v in state.items()]))
    known = [_may_flush(count, x) for x in flushers]
    known += [*_population(count, tracked), *_limits(algebra, count, others)]
    return Space(
        program=program,
        algebra=algebra,
        case=case,
        count=count,
        flusher=flusher,
        many=many,
        tracked=tuple(tracked),
        arbitrary=arbitrary,
        rigid=(
            *(count, *flushers, *tracked),
            *(x for _, w in others for x in flatten_value(algebra, w)),
        ),
        fixed=_fixed(program, algebra, count, witnesses),
        state=state,
        boot=boot,
        known=(*known, *(w >= 0 for w in named.values()), *ranges),
        ranges=ranges,
        failing=_failing(case, tracked, [*named.values()]),
        constant=constant,
        unfit=algebra.forget_noted(),
    )


def _failing(
    case: TrackedInstances, tracked: list[z3.ArithRef], witnesses: list[z3.ArithRef]
) -> tuple[z3.BoolRef, ...]:
    """Return that the one vCPU that is any is the one witness; two are not always one."""
    alone = case.generic and not case.history and len(witnesses) == 1
    return (tracked[0] == witnesses[0],) if alone else ()


def _witnesses(program: Program, algebra: Algebra, case: TrackedInstances) -> dict[Field, Value]:
    found = {f: algebra.fresh(f.name, f.type, algebra.kinds.field(f)) for f in program.witnesses}
    vcpus = [w for f, w in found.items() if f.type == VCPU]
    if case.merged:
        found = {f: vcpus[0] if f.type == VCPU else w for f, w in found.items()}
    return found


def _fixed(
    program: Program, algebra: Algebra, count: z3.ArithRef, witnesses: Mapping[Field, Value]
) -> dict[Location, Value]:
    """Return the values of locations that nothing writes."""
    written = written_fields(program)
    fixed: dict[Location, Value] = {
        (f.name, SHARED): w for f, w in witnesses.items() if f.name not in written
    }
    for f in program.fields:
        if f not in witnesses and f.name not in written and f.scope is FieldScope.VM:
            fixed[f.name, SHARED] = boot_value(program, algebra, count, f, None)
    return fixed


def _may_flush(count: z3.ArithRef, number: z3.ArithRef) -> z3.BoolRef:
    """Return that a number may be that of a flusher: no vCPU's, nor that of an observer."""
    return z3.And(number >= count, number != count + 1, number <= MOST_THREADS)


def _population(count: z3.ArithRef, tracked: list[z3.ArithRef]) -> list[z3.BoolRef]:
    """Return what is known of the number of vCPUs and of the tracked ones."""
    known = [count >= 1, count <= MOST_VCPUS]
    known += [c for v in tracked for c in (v >= 0, v < count)]
    if len(tracked) > 1:
        known.append(z3.Distinct(*tracked))
    return known


def _limits(
    algebra: Algebra, count: z3.ArithRef, values: list[tuple[Field, Value]]
) -> list[z3.BoolRef]:
    return [
        c for f, v in values if f.type not in (BOOL, ROOT) for c in algebra.limits(v, f.type, count)
    ]
