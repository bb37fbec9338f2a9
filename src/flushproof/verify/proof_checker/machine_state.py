"""The shared state as terms: a term for each field, an array over vCPUs where each has its own."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from flushproof.ir.code import LOCKS, Expr, Field, FieldScope, Local
from flushproof.ir.program import BOOT_VCPU, Program
from flushproof.ir.types import U64, VCPU, LockWord
from flushproof.support.record import Record
from flushproof.verify.proof_checker import terms as t
from flushproof.verify.proof_checker.code_paths import NotUnderstood, written_fields
from flushproof.verify.proof_checker.expressions import Evaluation, Surroundings
from flushproof.verify.proof_checker.locks import HeldLock
from flushproof.verify.proof_checker.script import Script

COUNT = t.quote_name("N")


def _array(element: str) -> str:
    return f"(Array {t.sort_of(t.THREAD)} {element})"


READS_SORT = _array(t.sort_of(t.THREAD))
"""How often each thread is a reader of a lock."""


class StateTerms(Record, frozen=True):
    """A state: the terms of fields, and of who reads each lock, by names."""

    fields: Mapping[str, str]
    reads: Mapping[str, str]

    def with_field(self, name: str, value: str) -> StateTerms:
        """Return a state in which a field has another value."""
        return StateTerms({**self.fields, name: value}, self.reads)

    def with_reads(self, name: str, value: str) -> StateTerms:
        """Return a state in which a lock has other readers."""
        return StateTerms(self.fields, {**self.reads, name: value})


class StateSpace:
    """The fields of a program, and what does not change about them."""

    def __init__(self, program: Program, script: Script, history: str = "") -> None:
        self.program = program
        self.script = script
        script.declare("N", t.sort_of(t.THREAD))
        self.fields = {f.name: f for f in program.fields}
        self.written = written_fields(program) | ({history} if history else set())
        self.boot: Mapping[Field, Expr] = dict(program.boot)
        self.locks = tuple(f for f in program.fields if isinstance(f.type, LockWord))
        self.changing = tuple(f for f in program.fields if f.name in self.written)
        self.rigid = {
            f.name: script.declare(f"m:{f.name}", t.sort_of(f.type))
            for f in program.witnesses
            if f.scope is FieldScope.VM
        }
        if len(self.rigid) != len(program.witnesses):
            raise NotUnderstood("a witness of each vCPU")
        if any(f.type == VCPU and f.name in self.written for f in program.witnesses):
            raise NotUnderstood("a witness that is a vCPU and is written")

    def fresh(self, prefix: str) -> StateTerms:
        """Return a state of which nothing is known."""
        fields = {
            f.name: self.script.declare(f"{prefix}{f.name}", self.field_sort(f))
            for f in self.changing
        }
        shared = (f for f in self.locks if is_shared(f))
        return StateTerms(fields, {f.name: self._fresh_reads(prefix, f) for f in shared})

    def _fresh_reads(self, prefix: str, f: Field) -> str:
        return self.script.declare(f"{prefix}{f.name}.reads", READS_SORT)

    def field_sort(self, f: Field) -> str:
        """Return the sort of a field's term."""
        return t.sort_of(f.type) if f.scope is FieldScope.VM else _array(t.sort_of(f.type))

    def read(self, state: StateTerms, f: Field, index: str | None) -> str:
        """Return what a field holds."""
        if f.name not in self.written:
            return self.rigid[f.name] if f.name in self.rigid else self.first_value(f, index)
        value = state.fields[f.name]
        return value if index is None else f"(select {value} {index})"

    def write(self, state: StateTerms, f: Field, index: str | None, value: str) -> StateTerms:
        """Return the state after a store."""
        if index is not None:
            value = f"(store {state.fields[f.name]} {index} {value})"
        return state.with_field(f.name, self.script.define(value, self.field_sort(f)))

    def first_value(self, f: Field, index: str | None) -> str:
        """Return what a field holds at boot, unless it is a witness."""
        if f not in self.boot:
            return t.make_constant(0, f.type)
        values: Mapping[Local, str] = {} if index is None else {BOOT_VCPU: index}
        around = Surroundings(
            values.__getitem__, COUNT, t.make_constant(-1, t.THREAD), _none, _none
        )
        return Evaluation(around).value(self.boot[f])

    # Locks -----------------------------------------------------------------------------------

    def reader_count(self, state: StateTerms, lock: str, thread: str) -> str:
        """Return how often a thread is a reader, 0 of a lock without readers."""
        if lock not in state.reads:
            return t.make_constant(0, t.THREAD)
        return f"(select {state.reads[lock]} {thread})"

    def no_other_reads(self, f: Field) -> str:
        """Return that no thread is a reader of a lock but those whose reading is known."""
        return self.script.declare(f"rest:{f.name}", "Bool")

    def facts_of_held(
        self, state: StateTerms, held: HeldLock, thread: str, others: tuple[str, ...]
    ) -> Iterator[str]:
        """Yield what holding a lock implies; `others` are threads that then are no readers."""
        zero, word = t.make_constant(0, t.THREAD), self._word(state, held.lock)
        if held.shared:
            yield t.make_equality(word, zero)
            yield t.negate_term(t.make_equality(self.reader_count(state, held.lock, thread), zero))
            return
        yield t.make_equality(word, holder_word(thread))
        if held.lock in state.reads:
            yield self.no_other_reads(self.fields[held.lock])
        for other in (thread, *others):
            yield t.make_equality(self.reader_count(state, held.lock, other), zero)

    def facts_of_words(self, state: StateTerms, vcpus: tuple[str, ...], most: str) -> Iterator[str]:
        """Yield that nobody but a thread holds a lock: each word is 0 or a number plus one.

        `most` is the largest number that a thread may have, one more.
        """
        for f in self.locks:
            for index in (None,) if f.scope is FieldScope.VM else vcpus:
                word = self.read(state, f, index)
                yield f"(bvsle {t.make_constant(0, t.THREAD)} {word})"
                yield f"(bvsle {word} {most})"

    def facts_of_unheld(self, state: StateTerms, lock: str, thread: str) -> Iterator[str]:
        """Yield what a thread's not holding a lock implies."""
        yield t.negate_term(t.make_equality(self._word(state, lock), holder_word(thread)))
        zero = t.make_constant(0, t.THREAD)
        yield t.make_equality(self.reader_count(state, lock, thread), zero)

    def _word(self, state: StateTerms, lock: str) -> str:
        return self.read(state, self.fields[lock], None)

    def lock_set(self, state: StateTerms, thread: str) -> str:
        """Return the set of the locks that a thread holds, as `HeldLocks` has it.

        Raises:
            NotUnderstood: vCPUs have locks of their own.
        """
        if any(f.scope is FieldScope.VCPU for f in self.locks):
            raise NotUnderstood("a set of locks of vCPUs")
        total = t.make_constant(0, U64)
        for k, f in enumerate(self.locks):
            sole = t.make_equality(self.read(state, f, None), holder_word(thread))
            zero = t.make_constant(0, t.THREAD)
            reads = t.negate_term(t.make_equality(self.reader_count(state, f.name, thread), zero))
            for bits, mine in (((1 << k) | (1 << (LOCKS + k)), sole), (1 << k, reads)):
                chosen = t.make_choice(mine, t.make_constant(bits, U64), t.make_constant(0, U64))
                total = f"(bvor {total} {chosen})"
        return self.script.define(total, t.sort_of(U64))

    def lock_is_free(
        self,
        state: StateTerms,
        f: Field,
        index: str | None,
        *,
        shared: bool,
        known: tuple[str, ...],
    ) -> str:
        """Return a condition without which a lock cannot be taken; of readers `known` are seen."""
        zero = t.make_constant(0, t.THREAD)
        free = [t.make_equality(self.read(state, f, index), zero)]
        if not shared and is_shared(f):
            free += [t.make_equality(self.reader_count(state, f.name, x), zero) for x in known]
        return t.all_of(free)


def is_shared(f: Field) -> bool:
    """Tell whether a lock may have readers."""
    return isinstance(f.type, LockWord) and f.type.shared


def holder_word(thread: str) -> str:
    """Return what the word of a lock is while a thread holds it alone."""
    return f"(bvadd {thread} {t.make_constant(1, t.THREAD)})"


def _none() -> str:
    raise NotUnderstood("locks at boot")
