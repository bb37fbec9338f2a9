"""Which flusher makes the call that a claim speaks of, as flushers are interchangeable.

In: a program whose call witnesses name their threads. Out: for each such name the flushers that are
enough. Where code compares its own number with these names alone, a run with two flushers
exchanged is a run, so the first call may be one of the first flusher, the second one of the first
two, and so on.

Lemma L33 of docs/soundness.md.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from flushproof.ir.analysis.def_use import (
    defined_local,
    operand_expressions,
    subexpressions_of,
)
from flushproof.ir.code import Binary, Expr, Field, Local, Read, Self, Var
from flushproof.ir.program import Operation, Program


def choose_callers(program: Program, vcpus: int, flushers: int) -> Mapping[str, range]:
    """Return the numbers that are enough for each witness that names the thread of a call.

    A thread knows itself by its number plus one, so that of the first flusher is `vcpus` + 1.
    """
    alike = are_flushers_alike(program)
    return {
        f.name: range(vcpus + 1, vcpus + 1 + (min(k + 1, flushers) if alike else flushers))
        for k, f in enumerate(program.callers)
    }


def are_flushers_alike(program: Program) -> bool:
    """Tell whether code asks for its thread's number only to compare it with a chosen caller's."""
    return all(_asks_for_callers_alone(o, program.callers) for o in program.operations)


def _asks_for_callers_alone(operation: Operation, callers: tuple[Field, ...]) -> bool:
    known = set(_locals_holding(operation, callers))
    inside = [
        x for i in operation.code for e in operand_expressions(i) for x in subexpressions_of(e)
    ]
    compared = sum(_compares_caller(x, known) for x in inside)
    own_numbers = sum(isinstance(x, Self) for x in inside)
    callers_used = sum(isinstance(x, Var) and x.local in known for x in inside)
    return compared == own_numbers == callers_used


def _locals_holding(operation: Operation, callers: tuple[Field, ...]) -> Iterator[Local]:
    """Yield the locals that never hold anything but the number of a chosen caller."""
    sources: dict[Local, set[bool]] = {}
    for i in operation.code:
        target = defined_local(i)
        if target is not None:
            reads = isinstance(i, Read) and i.field in callers
            sources.setdefault(target, set()).add(reads)
    return (x for x, reads in sources.items() if reads == {True})


def _compares_caller(e: Expr, known: set[Local]) -> bool:
    match e:
        case Binary("==", Var(local), Self()):
            return local in known
        case _:
            return False
