"""The shared state as terms: a term for each field, an array over vCPUs where each has its own.

Threads are numbered: vCPUs from 0 to N - 1, one flusher alone N, of many each any number from N on.
The word of a lock is 0, or the number of the thread that holds it alone, plus one. Of a lock with
readers there is also how often each thread is one. Only of threads that are seen is that looked at;
whether any other thread reads is an unknown, which no step of those changes.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from flushproof.ir.code import LOCKS, AllFree, Expr, Field, FieldScope, HeldLocks, Local
from flushproof.ir.program import BOOT_VCPU, MOST_THREADS, MOST_VCPUS
from flushproof.ir.types import BOOL, U32, U64, VCPU, LockWord
from flushproof.verify.proof_checker import terms as t
from flushproof.verify.proof_checker.checked_program import CheckedProgram
from flushproof.verify.proof_checker.expressions import Evaluation, require_type
from flushproof.verify.proof_checker.locks import HeldLock
from flushproof.verify.proof_checker.terms import NotUnderstood, Script

ZERO, ONE = "0", "1"

State = Mapping[str, str]
"""The terms of what changes, by names: fields, and how often each thread reads a lock."""


class StateSpace:
    """The fields of a program, and what does not change about them."""

    def __init__(
        self, checked: CheckedProgram, script: Script, history: Field | None = None
    ) -> None:
        """Declare what does not change.

        `seen` are threads whose reading of locks is looked at, which may be said later. `history`
        is a field that no code writes, and that changes.
        """
        self.program = program = checked.program
        self.script = script
        self.seen: tuple[str, ...] = ()
        script.declare("N", t.THREAD)
        self.trusted = checked.trusted
        self.fields = dict(checked.fields)
        self.written = checked.written
        if history is not None:
            if history.name in self.fields:
                raise NotUnderstood(f"a field `{history.name}`")
            self.fields[history.name] = history
            self.written |= {history.name}
        self.boot: Mapping[Field, Expr] = dict(program.boot)
        self.locks = tuple(f for f in program.fields if isinstance(f.type, LockWord))
        self.types = {name: f.type for name, f in self.fields.items() if name in self.written}
        counts = {readers_of(f.name): U32 for f in self.locks if is_shared(f)}
        self.arrays = {n for n in self.types if self.fields[n].scope is FieldScope.VCPU}
        self.arrays |= counts.keys()
        self.types |= counts
        self.sorts = {
            n: t.array_of(x) if n in self.arrays else t.sort_of(x) for n, x in self.types.items()
        }
        if any(f.scope is FieldScope.VCPU for f in program.witnesses):
            raise NotUnderstood("a witness of each vCPU")
        self.rigid = {f.name: script.declare(f"m:{f.name}", f.type) for f in program.witnesses}
        self.vcpu_witnesses = {
            f.name: self.rigid[f.name] for f in program.witnesses if f.type == VCPU
        }
        if self.written & self.vcpu_witnesses.keys():
            raise NotUnderstood("a witness that is a vCPU and is written")

    def fresh(self, prefix: str) -> State:
        """Return a state of which nothing is known."""
        return {
            name: self.script.declare(prefix + name, type_, array=name in self.arrays)
            for name, type_ in self.types.items()
        }

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
        return value if index is None else self.script.select(value, index, f.type)

    def write(self, state: State, name: str, index: str | None, value: str) -> State:
        """Return the state after a store."""
        if index is not None:
            value = f"(store {state[name]} {index} {value})"
        return {**state, name: self.script.define(value, self.sorts[name])}

    def first_value(self, f: Field, index: str | None) -> str:
        """Return what a field holds at boot, unless it is a witness."""
        if f not in self.boot:
            return t.make_constant(0, f.type)
        require_type(self.boot[f].type, f.type)
        values: Mapping[Local, str] = {} if index is None else {BOOT_VCPU: index}
        return Evaluation(values.__getitem__, t.make_integer(-1), _no_locks).value(self.boot[f])

    # Threads ---------------------------------------------------------------------------------

    def declare_thread(self, name: str) -> str:
        """Return an unknown that is the number of a thread."""
        return self.script.declare(name, t.THREAD)

    def threads_exist(self) -> Iterator[str]:
        """Yield how many vCPUs there may be, and that witnesses are some of them."""
        yield t.in_range(ONE, t.COUNT, t.make_integer(MOST_VCPUS))
        yield from map(t.is_vcpu, self.vcpu_witnesses.values())

    # Locks -----------------------------------------------------------------------------------

    def reader_count(self, state: State, f: Field, thread: str) -> str:
        """Return how often a thread is a reader, 0 of what is no lock with readers."""
        if not is_shared(f):
            return ZERO
        return self.script.select(state[readers_of(f.name)], thread, U32)

    def is_free(self, state: State, f: Field, index: str | None, *, shared: bool) -> str:
        """Return that a lock can be taken."""
        free = [t.make_equality(self.read(state, f, index), ZERO)]
        if not shared and is_shared(f):
            free += [self.reads_not(state, f, thread) for thread in self.seen]
            free.append(self._no_others_read(f))
        return t.all_of(free)

    def take(
        self, state: State, f: Field, index: str | None, thread: str, *, shared: bool
    ) -> State:
        """Return the state once a thread has a lock."""
        if not shared:
            return self.write(state, f.name, index, _holder(thread))
        more = f"(+ {self.reader_count(state, f, thread)} {ONE})"
        return self.write(state, readers_of(f.name), thread, more)

    def release(
        self, state: State, f: Field, index: str | None, thread: str, *, shared: bool
    ) -> State:
        """Return the state after an unlock, which frees a lock whoever holds it."""
        if not shared:
            return self.write(state, f.name, index, ZERO)
        old = self.reader_count(state, f, thread)
        less = t.make_choice(t.make_equality(old, ZERO), old, f"(- {old} {ONE})")
        return self.write(state, readers_of(f.name), thread, less)

    def is_held(self, state: State, f: Field, index: str | None, thread: str, *, sole: bool) -> str:
        """Return that a thread holds a lock, with `sole` alone."""
        held = t.make_equality(self.read(state, f, index), _holder(thread))
        return held if sole else t.any_of((held, t.negate_term(self.reads_not(state, f, thread))))

    def all_free(self, state: State) -> str:
        """Return that no lock is held."""
        return t.all_of(self.is_free(state, f, None, shared=False) for f in self._all_of_the_vm())

    def set_of_held(self, state: State, thread: str) -> str:
        """Return the set of the locks that a thread holds, as `HeldLocks` has it."""
        total = zero = t.make_constant(0, U64)
        for k, f in enumerate(self._all_of_the_vm()):
            for bit, sole in ((1 << k, False), (1 << (LOCKS + k), True)):
                held = self.is_held(state, f, None, thread, sole=sole)
                total = f"(+ {total} {t.make_choice(held, t.make_constant(bit, U64), zero)})"
        return total

    def _all_of_the_vm(self) -> tuple[Field, ...]:
        if any(f.scope is FieldScope.VCPU for f in self.locks):
            raise NotUnderstood("all locks, where vCPUs have some of their own")
        return self.locks

    def facts_of_held(self, state: State, held: HeldLock, thread: str) -> Iterator[str]:
        """Yield what holding a lock implies: others then are no readers."""
        f = self.fields[held.lock]
        word = self.read(state, f, None)
        if held.shared:
            yield t.make_equality(word, ZERO)
            yield t.negate_term(self.reads_not(state, f, thread))
            return
        yield t.make_equality(word, _holder(thread))
        yield from (self.reads_not(state, f, other) for other in (thread, *self.seen))
        if is_shared(f):
            yield self._no_others_read(f)

    def facts_of_unheld(self, state: State, lock: str, thread: str) -> Iterator[str]:
        """Yield what a thread's not holding a lock implies."""
        f = self.fields[lock]
        yield t.make_difference(self.read(state, f, None), _holder(thread))
        yield self.reads_not(state, f, thread)

    def facts_of_words(self, state: State, vcpus: tuple[str, ...], most: str) -> Iterator[str]:
        """Yield that nobody but a thread, whose number is `most` at most, holds a lock."""
        for f in self.locks:
            for index in (None,) if f.scope is FieldScope.VM else vcpus:
                yield t.in_range(ZERO, self.read(state, f, index), _holder(most))

    def reads_not(self, state: State, f: Field, thread: str) -> str:
        """Return that a thread is no reader of a lock."""
        return t.make_equality(self.reader_count(state, f, thread), ZERO)

    def _no_others_read(self, f: Field) -> str:
        return self.script.declare(f"rest:{f.name}", BOOL)


def is_flusher(number: str) -> str:
    """Return that a number may be that of a flusher where there are many."""
    return t.in_range(t.COUNT, number, t.make_integer(MOST_THREADS))


def is_shared(f: Field) -> bool:
    """Tell whether a lock may have readers."""
    return isinstance(f.type, LockWord) and f.type.shared


def readers_of(lock: str) -> str:
    """Name the part of a state that says how often each thread is a reader of a lock."""
    return f"{lock}.reads"


def _holder(thread: str) -> str:
    return f"(+ {thread} {ONE})"


def _no_locks(_: HeldLocks | AllFree) -> str:
    raise NotUnderstood("locks at boot")
