"""What a step does to a state: its outputs, with the state's values for its unknown inputs.

Lemma L4, Lemma L7 of docs/soundness.md.
"""

from __future__ import annotations

from collections.abc import Iterator

import z3

from flushproof.engines.smt import terms as t
from flushproof.engines.smt.term_constructors import Substitution
from flushproof.engines.symbolic.locations import Location, location_name, location_order
from flushproof.engines.symbolic.step import SymbolicStep, World
from flushproof.engines.symbolic.values import Algebra, Root, Value
from flushproof.support.record import Record


class After(Record, frozen=True):
    """A state after a step, and which claims failed on the way.

    `known` is, for each way out of the step, its condition and the values of the thread's locals.
    """

    state: dict[Location, Value]
    enabled: t.Bool
    known: tuple[tuple[t.Bool, tuple[Value, ...]], ...]
    failures: tuple[tuple[str | None, t.Bool], ...]

    def failing(self, claim: str | None) -> t.Bool:
        """Return the condition that a claim fails in the step.

        None stands for definedness and, where it is noted, that a sum leaves its type.
        """
        return t.or_(*(broken for name, broken in self.failures if name == claim))


def start_state(world: World, steps: tuple[SymbolicStep, ...]) -> dict[Location, Value]:
    """Return an unknown state of everything that the steps touch."""
    touched = {w for s in steps for w in (*s.inputs, *s.outputs)}
    return {w: unknown_value(world, w) for w in sorted(touched, key=location_order)}


def unknown_value(world: World, where: Location) -> Value:
    """Return the unknown that stands for a location in a start state."""
    return world.unknown(f"start:{location_name(where)}", where)


def apply_step(algebra: Algebra, step: SymbolicStep, state: dict[Location, Value]) -> After:
    """Apply a step to a state."""
    put = Substitution(
        pair
        for where, input_ in step.inputs.items()
        for pair in _pairs(algebra, input_, state[where])
    )
    out = dict(state)
    for where, value in step.outputs.items():
        out[where] = _replace(value, put)
    failures: list[tuple[str | None, t.Bool]] = [(c.claim, c.broken) for c in step.claimed]
    failures += [(None, f.broken) for f in step.faults]
    failures += [(None, unfit.leaves) for _, unfit in step.overflows]
    return After(
        out,
        _bool(_replace(step.enabled, put)),
        tuple(
            (_bool(_replace(guard, put)), tuple(_replace(v, put) for v in locals_.values()))
            for guard, locals_ in step.exits
        ),
        tuple((name, _bool(_replace(b, put))) for name, b in failures),
    )


def _bool(value: Value) -> t.Bool:
    assert isinstance(value, (bool, z3.BoolRef))
    return value


def _pairs(
    algebra: Algebra, unknown_: Value, value: Value
) -> Iterator[tuple[z3.ExprRef, z3.ExprRef]]:
    match unknown_, value:
        case Root(p, bits), Root(q, others):
            yield from _pair(p, algebra.page_term(q))
            for x, y in zip(bits, others, strict=True):
                yield from _pair(x, y)
        case _:
            yield from _pair(unknown_, value)


def _pair(x: object, y: object) -> Iterator[tuple[z3.ExprRef, z3.ExprRef]]:
    if isinstance(x, z3.ExprRef):
        yield x, _term(y)


def _term(y: object) -> z3.ExprRef:
    if isinstance(y, bool):
        return z3.BoolVal(y)
    if isinstance(y, int):
        return z3.IntVal(y)
    assert isinstance(y, z3.ExprRef)
    return y


def _replace(value: Value, put: Substitution) -> Value:
    match value:
        case Root(page, bits):
            new = put(page) if isinstance(page, z3.ExprRef) else page
            return Root(new, tuple(b if isinstance(b, bool) else put(b) for b in bits))
        case bool() | int():
            return value
        case _:
            replaced: Value = put(value)
            return replaced
