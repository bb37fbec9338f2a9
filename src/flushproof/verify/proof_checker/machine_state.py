"""The shared state as terms: a term for each field, an array over vCPUs where each has its own.

Threads are numbered: vCPUs from 0 to N - 1, one flusher alone N, of many each any number from N on.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from flushproof.ir.code import AllFree, Expr, Field, FieldScope, HeldLocks, Local
from flushproof.ir.program import BOOT_VCPU, MOST_THREADS, MOST_VCPUS, Program
from flushproof.ir.types import VCPU, LockWord
from flushproof.verify.proof_checker import terms as t
from flushproof.verify.proof_checker.code_paths import NotUnderstood, written_fields
from flushproof.verify.proof_checker.expressions import Evaluation
from flushproof.verify.proof_checker.script import Script

State = Mapping[str, str]
"""The terms of what changes, by names: fields, and how often each thread reads a lock."""


class StateSpace:
    """The fields of a program, and what does not change about them."""

    def __init__(self, program: Program, script: Script, history: str = "") -> None:
        self.program = program
        self.script = script
        script.declare("N", t.THREAD_SORT)
        self.fields = {f.name: f for f in program.fields}
        self.written = written_fields(program) | ({history} if history else set())
        self.boot: Mapping[Field, Expr] = dict(program.boot)
        self.locks = tuple(f for f in program.fields if isinstance(f.type, LockWord))
        self.sorts = {f.name: _sort_of(f) for f in program.fields if f.name in self.written}
        self.sorts |= {
            readers_of(f.name): _array(t.THREAD_SORT) for f in self.locks if is_shared(f)
        }
        self.rigid = {
            f.name: script.declare(f"m:{f.name}", t.sort_of(f.type))
            for f in program.witnesses
            if f.scope is FieldScope.VM
        }
        if len(self.rigid) != len(program.witnesses):
            raise NotUnderstood("a witness of each vCPU")
        witnesses = [f.name for f in program.witnesses if f.type == VCPU]
        if self.written & {*witnesses}:
            raise NotUnderstood("a witness that is a vCPU and is written")
        self.vcpu_witnesses = {name: self.rigid[name] for name in witnesses}

    def fresh(self, prefix: str) -> State:
        """Return a state of which nothing is known."""
        return {name: self.script.declare(prefix + name, sort) for name, sort in self.sorts.items()}

    def join(self, ways: Sequence[tuple[str, State]]) -> State:
        """Return the state after one of several ways, each with its guard."""
        return {
            name: self.choose([(guard, state[name]) for guard, state in ways], sort)
            for name, sort in self.sorts.items()
        }

    def choose(self, ways: Sequence[tuple[str, str]], sort: str) -> str:
        """Return the first term whose guard holds, the last one if no other's does."""
        term = ways[-1][1]
        for guard, value in reversed(ways[:-1]):
            term = t.make_choice(guard, value, term)
        return self.script.define(term, sort)

    def read(self, state: State, f: Field, index: str | None) -> str:
        """Return what a field holds."""
        if f.name not in self.written:
            return self.rigid[f.name] if f.name in self.rigid else self.first_value(f, index)
        value = state[f.name]
        return value if index is None else f"(select {value} {index})"

    def write(self, state: State, name: str, index: str | None, value: str) -> State:
        """Return the state after a store."""
        if index is not None:
            value = f"(store {state[name]} {index} {value})"
        return {**state, name: self.script.define(value, self.sorts[name])}

    def first_value(self, f: Field, index: str | None) -> str:
        """Return what a field holds at boot, unless it is a witness."""
        if f not in self.boot:
            return t.make_constant(0, f.type)
        values: Mapping[Local, str] = {} if index is None else {BOOT_VCPU: index}
        return Evaluation(values.__getitem__, t.make_number(-1), _no_locks).value(self.boot[f])

    # Threads ---------------------------------------------------------------------------------

    def threads_exist(self) -> Iterator[str]:
        """Yield how many vCPUs there may be, and that witnesses are some of them."""
        yield t.in_range(t.make_number(1), t.COUNT, t.make_number(MOST_VCPUS))
        yield from map(t.is_vcpu, self.vcpu_witnesses.values())

    def declare_thread(self, name: str) -> str:
        """Return an unknown that is the number of a thread."""
        return self.script.declare(name, t.THREAD_SORT)


def is_flusher(number: str) -> str:
    """Return that a number may be that of a flusher where there are many."""
    return t.in_range(t.COUNT, number, t.make_number(MOST_THREADS))


def is_shared(f: Field) -> bool:
    """Tell whether a lock may have readers."""
    return isinstance(f.type, LockWord) and f.type.shared


def readers_of(lock: str) -> str:
    """Name the part of a state that says how often each thread is a reader of a lock."""
    return f"{lock}.reads"


def _sort_of(f: Field) -> str:
    return t.sort_of(f.type) if f.scope is FieldScope.VM else _array(t.sort_of(f.type))


def _array(element: str) -> str:
    return f"(Array {t.THREAD_SORT} {element})"


def _no_locks(_: HeldLocks | AllFree) -> str:
    raise NotUnderstood("locks at boot")
