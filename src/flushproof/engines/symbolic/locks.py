"""Locks as one thread sees them in one step.

The location of a lock holds the number of its one holder plus one, or 0. A lock with readers has
locations for threads besides, which count how many times a thread is a reader (`Readers`). Where an
unlock waits in a store buffer the number is that of no thread.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import TypeAlias

import z3

from flushproof.engines.smt import terms as t
from flushproof.engines.symbolic.locations import SHARED, Location
from flushproof.engines.symbolic.memory import PathMemory
from flushproof.engines.symbolic.paths import Path
from flushproof.engines.symbolic.step import World
from flushproof.engines.symbolic.values import Value
from flushproof.ir.analysis.held_locks import Hold
from flushproof.ir.code import Field
from flushproof.ir.types import LockWord
from flushproof.support.record import Record

LEAVING = 1 << 40
"""In the place of a holder: the lock is being freed, so nobody holds it and nobody can take it."""

Index: TypeAlias = int | z3.ArithRef | None
"""A vCPU; None for what is of the VM."""


class LockState(Record, frozen=True):
    """Who holds a lock: this thread alone, this thread as a reader, nobody at all."""

    sole: t.Bool
    reads: t.Bool
    free: t.Bool


class Locks:
    """Takes and frees locks on the paths of a step of one thread."""

    def __init__(self, world: World, thread: t.Number, memory: PathMemory) -> None:
        self.world = world
        self.algebra = world.algebra
        self.thread = thread
        self.memory = memory

    def states(self, path: Path) -> tuple[LockState, ...]:
        """Return the state of every lock, in the order of the bits of a lock set."""
        locks = (f for f in self.world.program.fields if isinstance(f.type, LockWord))
        return tuple(self.state(path, f, k) for f in locks for k in self.world.indices(f))

    def state(self, path: Path, f: Field, index: Index) -> LockState:
        """Return the state of one lock."""
        sole = self.algebra.equal(self.memory.load(path, f, index), self.thread + 1)
        reads = t.compare_numbers(">", self._reads(path, f), 0)
        return LockState(sole, reads, self.available(path, f, index, shared=False))

    def available(self, path: Path, f: Field, index: Index, *, shared: bool) -> t.Bool:
        """Return the condition that nobody stands in the way of one more holder."""
        free = self.algebra.equal(self.memory.load(path, f, index), 0)
        if shared:
            return free
        reads = (self.memory.peek(path, where) for where in self.world.reads(f))
        return t.and_(free, *(self.algebra.equal(n, 0) for n in reads))

    def take(self, path: Path, f: Field, index: Index, got: t.Bool, *, shared: bool) -> None:
        """Take a lock if `got` holds."""
        if shared:
            reads = self._reads(path, f)
            self._set_reads(path, f, _number(self.algebra.ite(got, reads + 1, reads)))
            return
        word = self.memory.load(path, f, index)
        self.memory.save(path, f, index, self.algebra.ite(got, self.thread + 1, word))

    def free(self, path: Path, f: Field, index: Index, *, shared: bool) -> None:
        """Free a lock, or be its reader once less."""
        if not shared:
            self.memory.save(path, f, index, 0)
            return
        reads = self._reads(path, f)
        less = self.algebra.ite(t.compare_numbers(">", reads, 0), reads - 1, reads)
        self._set_reads(path, f, _number(less))

    def issue(self, path: Path, f: Field, index: Index) -> None:
        """Let a lock that is not free be one that is being freed."""
        word = self.memory.load(path, f, index)
        free = self.algebra.equal(word, 0)
        self.memory.save(path, f, index, self.algebra.ite(free, 0, LEAVING))

    def drain(self, path: Path, f: Field, index: Index) -> None:
        """Free a lock that is being freed."""
        word = self.memory.load(path, f, index)
        going = self.algebra.equal(word, LEAVING)
        self.memory.save(path, f, index, self.algebra.ite(going, 0, word))

    # Readers ---------------------------------------------------------------------------------

    def _reads(self, path: Path, f: Field) -> t.Number:
        """Return how many times this thread is a reader."""
        total: Value = 0
        for where, mine in self._mine(f):
            total = self.algebra.ite(mine, self.memory.peek(path, where), total)
        return _number(total)

    def _set_reads(self, path: Path, f: Field, value: t.Number) -> None:
        for where, mine in self._mine(f):
            old = self.memory.peek(path, where)
            path.memory[where] = self.algebra.ite(mine, value, old)

    def _mine(self, f: Field) -> Iterator[tuple[Location, t.Bool]]:
        """Yield the locations that may count this thread's reads, each with when it does."""
        if self.world.reads(f):
            yield from (((f.name, k), same) for k, same in self.world.readers.of(self.thread))


def facts_of_held_lock(
    world: World, at: Callable[[Location], Value | None], hold: Hold, number: z3.ArithRef
) -> Iterator[t.Bool]:
    """Yield what is known of a lock that a thread surely holds; `at` gives what is in a location.

    Nobody else frees such a lock (`guarded_locks`), so one that is held alone has no
    readers, and one that is held by a reader nobody holds alone. Of a location without a value
    nothing is known.
    """
    equal = world.algebra.equal
    (lock,) = (f for f in world.program.fields if f.name == hold.lock)
    word = at((lock.name, SHARED))
    assert word is not None
    yield equal(word, 0 if hold.shared else number + 1)
    mine = {k for k, same in world.readers.of(number) if same is True}
    for where in world.reads(lock):
        reads = at(where)
        if reads is not None and not hold.shared:
            yield equal(reads, 0)
        elif reads is not None and where[1] in mine:
            yield t.not_(equal(reads, 0))


def _number(value: Value) -> t.Number:
    assert isinstance(value, (int, z3.ArithRef))
    return value
