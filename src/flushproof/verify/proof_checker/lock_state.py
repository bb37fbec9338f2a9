"""What is done to locks, and what holding one says of a state.

The word of a lock is 0, or the number of the thread that holds it alone, plus one. Of a lock with
readers there is also how often each thread is one. Only of threads that are looked at is that
known; whether any other thread reads is an unknown, which no step of those changes.
"""

from __future__ import annotations

from collections.abc import Iterator

from flushproof.ir.code import LOCKS, Field, FieldScope
from flushproof.ir.types import U64
from flushproof.verify.proof_checker import terms as t
from flushproof.verify.proof_checker.code_paths import NotUnderstood
from flushproof.verify.proof_checker.locks import HeldLock
from flushproof.verify.proof_checker.machine_state import (
    State,
    StateSpace,
    is_shared,
    readers_of,
)

_ZERO = t.make_number(0)


class LockTerms:
    """The locks of a program, as threads see them whose reading is known, `seen`."""

    def __init__(self, space: StateSpace, seen: tuple[str, ...]) -> None:
        self.space = space
        self.seen = seen

    def is_free(self, state: State, f: Field, index: str | None, *, shared: bool) -> str:
        """Return that a lock can be taken."""
        free = [t.make_equality(self.space.read(state, f, index), _ZERO)]
        if not shared and is_shared(f):
            free += [self._reads_not(state, f, thread) for thread in self.seen]
            free.append(self._no_others(f))
        return t.all_of(free)

    def take(
        self, state: State, f: Field, index: str | None, thread: str, *, shared: bool
    ) -> State:
        """Return the state once a thread has a lock."""
        if shared:
            more = f"(bvadd {self.reader_count(state, f, thread)} {t.make_number(1)})"
            return self.space.write(state, readers_of(f.name), thread, more)
        return self.space.write(state, f.name, index, _holder(thread))

    def may_read_again(self, state: State, f: Field, thread: str) -> str:
        """Return that a reader is one fewer than 2^31 times: docs/soundness.md assumes it."""
        most = t.make_number(t.THREAD.high)
        return f"(bvult {self.reader_count(state, f, thread)} {most})"

    def release(
        self, state: State, f: Field, index: str | None, thread: str, *, shared: bool
    ) -> State:
        """Return the state after an unlock, which frees a lock whoever holds it."""
        if not shared:
            return self.space.write(state, f.name, index, _ZERO)
        old = self.reader_count(state, f, thread)
        less = t.make_choice(t.make_equality(old, _ZERO), old, f"(bvsub {old} {t.make_number(1)})")
        return self.space.write(state, readers_of(f.name), thread, less)

    def is_held(self, state: State, f: Field, index: str | None, thread: str, *, sole: bool) -> str:
        """Return that a thread holds a lock, with `sole` alone."""
        held = t.make_equality(self.space.read(state, f, index), _holder(thread))
        reads = t.negate_term(self._reads_not(state, f, thread))
        return held if sole else t.any_of((held, reads))

    def all_free(self, state: State) -> str:
        """Return that no lock is held."""
        self._require_none_of_vcpus()
        return t.all_of(self.is_free(state, f, None, shared=False) for f in self.space.locks)

    def set_of_held(self, state: State, thread: str) -> str:
        """Return the set of the locks that a thread holds, as `HeldLocks` has it."""
        self._require_none_of_vcpus()
        total = t.make_constant(0, U64)
        for k, f in enumerate(self.space.locks):
            for bit, sole in ((1 << k, False), (1 << (LOCKS + k), True)):
                held = self.is_held(state, f, None, thread, sole=sole)
                chosen = t.make_choice(held, t.make_constant(bit, U64), t.make_constant(0, U64))
                total = f"(bvor {total} {chosen})"
        return total

    def _require_none_of_vcpus(self) -> None:
        if any(f.scope is FieldScope.VCPU for f in self.space.locks):
            raise NotUnderstood("all locks, where vCPUs have some of their own")

    # What is known ---------------------------------------------------------------------------

    def facts_of_held(self, state: State, held: HeldLock, thread: str) -> Iterator[str]:
        """Yield what holding a lock implies: others then are no readers."""
        f = self.space.fields[held.lock]
        word = self.space.read(state, f, None)
        if held.shared:
            yield t.make_equality(word, _ZERO)
            yield t.negate_term(self._reads_not(state, f, thread))
            return
        yield t.make_equality(word, _holder(thread))
        if is_shared(f):
            yield self._no_others(f)
        for other in (thread, *self.seen):
            yield self._reads_not(state, f, other)

    def facts_of_unheld(self, state: State, lock: str, thread: str) -> Iterator[str]:
        """Yield what a thread's not holding a lock implies."""
        f = self.space.fields[lock]
        yield t.negate_term(self.is_held(state, f, None, thread, sole=True))
        yield self._reads_not(state, f, thread)

    def facts_of_words(self, state: State, vcpus: tuple[str, ...], most: str) -> Iterator[str]:
        """Yield that nobody but a thread, whose number is `most` at most, holds a lock."""
        for f in self.space.locks:
            for index in (None,) if f.scope is FieldScope.VM else vcpus:
                yield t.in_range(_ZERO, self.space.read(state, f, index), _holder(most))

    def reader_count(self, state: State, f: Field, thread: str) -> str:
        """Return how often a thread is a reader, 0 of a lock without readers."""
        return f"(select {state[readers_of(f.name)]} {thread})" if is_shared(f) else _ZERO

    def _reads_not(self, state: State, f: Field, thread: str) -> str:
        return t.make_equality(self.reader_count(state, f, thread), _ZERO)

    def _no_others(self, f: Field) -> str:
        return self.space.script.declare(f"rest:{f.name}", "Bool")


def _holder(thread: str) -> str:
    return f"(bvadd {thread} {t.make_number(1)})"
