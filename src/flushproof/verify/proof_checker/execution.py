"""The code between two cuts, executed from unknowns: acyclic passive code (Barnett and Leino 2005).

Each position has one guard, and each value at a join is a choice between those that arrive, so the
size is linear in the code.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from enum import Enum
from typing import assert_never

from flushproof.ir import code as ir
from flushproof.ir.analysis.control_flow import successor_positions
from flushproof.ir.analysis.def_use import defined_local
from flushproof.ir.code import AllFree, Expr, Field, Freeing, HeldLocks, Instr, Local
from flushproof.ir.invariant import Position
from flushproof.ir.program import Operation, Role
from flushproof.ir.types import BOOL, U64, LockWord
from flushproof.support.record import Record
from flushproof.verify.proof_checker import terms as t
from flushproof.verify.proof_checker.checked_program import region_positions
from flushproof.verify.proof_checker.expressions import Evaluation, require_type
from flushproof.verify.proof_checker.machine_state import State, StateSpace, is_shared
from flushproof.verify.proof_checker.terms import NotUnderstood

PAGE_BITS = 12
Locking = ir.Acquire | ir.TryAcquire | ir.Available | ir.Release | ir.Holds


class Manner(Enum):
    """How code is executed.

    As a `STEP` nobody steps in, and nothing follows what is undefined. After that a `PART` goes on
    with any value. In the `OPEN` others may step in anywhere, so that what is read is any value.
    """

    STEP = 1
    PART = 2
    OPEN = 3


class CanFail(Record, frozen=True):
    """At a position something is wrong when `fails` holds; `proper`: in the code, in no claim."""

    at: int
    text: str
    fails: str
    proper: bool


class Reached(Record, frozen=True):
    """A position that is come to, None at the end of the call, when, and with what."""

    at: int | None
    guard: str
    state: State
    locals: Mapping[Local, str]


class Guess(Record, frozen=True):
    """An answer to "for all vCPUs": the condition at a vCPU; `witness` fails it if any does."""

    answer: str
    witness: str
    at: Callable[[str], str]


class Region:
    """What the code from a position to the next cuts does.

    Of its `exits` one is taken. `obligations` are what is undefined, `exact` the sums that wrap
    around, `failures` a claim's assertions; `edges` has the guards of jumps. Where `assumed` does
    not hold there is no such execution. `looked_at` has the vCPUs whose fields are read, and which;
    `stored` fields, when and what is put into them; `read` fields and what was read in the open.
    """

    def __init__(
        self,
        space: StateSpace,
        operation: Operation,
        start: int,
        cuts: frozenset[int],
        number: str,
        prefix: str,
        before: State,
        manner: Manner = Manner.STEP,
    ) -> None:
        """Execute the code as a thread with a number, the names of whose locals have a prefix.

        Raises:
            NotUnderstood: there is no rule for an instruction.
        """
        self.space = space
        self.script = space.script
        self.operation = operation
        self.code = operation.code
        self.start = start
        self.cuts = cuts
        self.number = number
        self.prefix = prefix
        self.manner = manner
        self.obligations: list[CanFail] = []
        self.failures: list[CanFail] = []
        self.exact: list[CanFail] = []
        self.edges: dict[tuple[int, int], str] = {}
        self.assumed: list[str] = []
        self.looked_at: dict[str, set[str]] = {}
        self.guesses: list[Guess] = []
        self.stored: list[tuple[Field, str, str]] = []
        self.read: list[tuple[Field, str]] = []
        self._leaving: dict[int | None, list[Reached]] = {}
        self._arriving: dict[int | None, list[Reached]] = {}
        self._arriving[start] = [Reached(start, t.TRUE, before, {})]
        self.exits = self._run()

    def _run(self) -> tuple[Reached, ...]:
        """Go through the positions in order, and return where this ends."""
        for at in region_positions(self.code, self.start, self.cuts):
            if at in self._arriving:
                self._enter(at, self._join(self._arriving[at]))
                self._execute(self.code[at])
        return tuple(map(self._join, self._leaving.values()))

    def _enter(self, at: int, here: Reached) -> None:
        self.at = at
        self.guard = self.script.define(here.guard, "Bool")
        self.state = here.state
        self.locals = dict(here.locals)

    def _join(self, ways: list[Reached]) -> Reached:
        if len(ways) == 1:
            return ways[0]
        guard = self.script.define(t.any_of(p.guard for p in ways), "Bool")
        locals_ = {
            x: self.space.choose(
                [(p.guard, p.locals.get(x) or self.at_start(x)) for p in ways], t.sort_of(x.type)
            )
            for x in dict.fromkeys(x for p in ways for x in p.locals)
        }
        state = self.space.join([(p.guard, p.state) for p in ways])
        return Reached(ways[0].at, guard, state, locals_)

    # Values ----------------------------------------------------------------------------------

    def at_start(self, x: Local) -> str:
        """Return a local as it is where the region begins; a load knows its vCPU."""
        if self.operation.role is Role.LOAD and x == self.operation.parameters.vcpu:
            return self.number
        return self._declare(x, "")

    def _declare(self, x: Local, suffix: str) -> str:
        name = f"{self.prefix}{self.operation.name}:{x.name}{suffix}"
        return self.script.declare(name, x.type)

    def _local(self, x: Local) -> str:
        return self.locals.get(x) or self.at_start(x)

    def _evaluation(self, local: Callable[[Local], str], state: State) -> Evaluation:
        return Evaluation(local, self.number, lambda e: self._look_at_locks(e, state))

    def _look_at_locks(self, e: HeldLocks | AllFree, state: State) -> str:
        if self.manner is Manner.OPEN:
            return self.script.unknown("locks", e.type)
        if isinstance(e, AllFree):
            return self.script.define(self.space.all_free(state), "Bool")
        held = self.space.set_of_held(state, self.number)
        return self.script.define(held, t.sort_of(U64))

    def _value(self, e: Expr) -> str:
        """Return the value of an expression; where it is undefined nothing follows."""
        evaluation = self._evaluation(self._local, self.state)
        value = evaluation.value(e)
        for condition in evaluation.defined:
            self._require("the value is not defined", condition)
        if evaluation.exact and not self.code[self.at].from_claim:
            whole = t.all_of(evaluation.exact)
            if Position(self.operation.name, self.at) in self.space.trusted:
                self._restrict(whole)
            else:
                self.exact.append(self._failing("a sum wraps around", whole))
        return self.script.define(value, t.sort_of(e.type))

    def _failing(self, text: str, condition: str) -> CanFail:
        fails = t.all_of((self.guard, t.negate_term(condition)))
        return CanFail(self.at, text, fails, proper=not self.code[self.at].from_claim)

    def _require(self, text: str, condition: str) -> None:
        if condition != t.TRUE:
            self.obligations.append(self._failing(text, condition))
            if self.manner is not Manner.PART:
                self._restrict(condition)

    def _restrict(self, condition: str) -> None:
        self.guard = self.script.define(t.all_of((self.guard, condition)), "Bool")

    def _index(self, index: Expr | None) -> str | None:
        if index is None:
            return None
        number = self._value(index)
        self._require("a vCPU that does not exist is accessed", t.is_vcpu(number))
        return number

    def _read(self, target: Local, f: Field, index: str | None) -> str:
        require_type(f.type, target.type)
        if f.name not in self.space.fields:
            return self._declare(target, f"!{self.at}")
        if f.name in self.space.written:
            if self.manner is Manner.OPEN:
                value = self.script.unknown(f.name, f.type)
                self.read.append((f, value))
                return value
            if index is not None:
                self.looked_at.setdefault(index, set()).add(f.name)
        return self.script.define(self.space.read(self.state, f, index), t.sort_of(f.type))

    # Instructions ----------------------------------------------------------------------------

    def _go(self, to: int | None, guard: str) -> None:
        if guard == t.FALSE:
            return
        if to is not None:
            self.edges[self.at, to] = guard
        places = self._leaving if to is None or to in self.cuts else self._arriving
        places.setdefault(to, []).append(Reached(to, guard, self.state, self.locals))

    def _execute(self, i: Instr) -> None:
        match i:
            case ir.Branch(condition, then, otherwise):
                c = self._value(condition)
                if then != otherwise:
                    for to, taken in ((then, c), (otherwise, t.negate_term(c))):
                        both = t.all_of((self.guard, taken))
                        self._go(to, self.script.define(both, "Bool"))
                    return
            case ir.Stop():
                self._go(None, self.guard)
                return
            case _:
                self._plain(i)
        self._go(successor_positions(self.code, self.at)[0], self.guard)

    def _plain(self, i: Instr) -> None:  # noqa: C901, PLR0912 - a table of all that do not jump
        match i:
            case ir.Assign(target, value):
                require_type(value.type, target.type)
                self.locals[target] = self._value(value)
            case ir.Read(target, f, index):
                found = self._read(target, f, self._index(index))
                self._wait(i.until, found)
                self.locals[target] = found
            case ir.Write(f, index, value):
                number = self._index(index)
                require_type(value.type, f.type)
                self._store(f, number, self._value(value))
            case ir.Exchange():
                self._exchange(i)
            case ir.Acquire() | ir.TryAcquire() | ir.Available() | ir.Release() | ir.Holds():
                self._lock(i)
            case ir.Hypercall(target, root, whole, start, pages):
                for given in (root, whole, start, pages):
                    self._value(given)
                self.locals[target] = self._declare(target, f"!{self.at}")
            case ir.Havoc(target):
                self.locals[target] = self._declare(target, f"!{self.at}")
            case ir.Return(value) if value is not None:
                self._value(value)
            case ir.Every():
                self._every(i)
            case ir.Check(condition, text):
                self._require(text, self._value(condition))
            case ir.Assert(claim, condition):
                self.failures.append(self._failing(claim, self._value(condition)))
            case ir.Access() | ir.Drain():
                raise NotUnderstood("stores are buffered")
            case ir.Enter() | ir.Return() | ir.Fence() | ir.StoreFence() | ir.Uninit():
                pass
            case ir.BeginAtomic() | ir.EndAtomic():
                pass
            case ir.Jump() | ir.Branch() | ir.Stop():
                pass
            case _:
                assert_never(i)

    def _store(self, f: Field, index: str | None, value: str) -> None:
        if isinstance(f.type, LockWord):
            raise NotUnderstood("a lock is written")
        if f.name not in self.space.fields:
            return
        self.state = self.space.write(self.state, f.name, index, value)
        self.stored.append((f, self.guard, value))

    def _exchange(self, i: ir.Exchange) -> None:
        number = self._index(i.index)
        old = self._read(i.target, i.field, number)
        self._wait(i.until, old)
        if i.old is not None:
            self.locals[i.old] = old
        require_type(i.value.type, i.field.type)
        new = self._value(i.value)
        if i.compare is not None:
            new = t.make_choice(t.make_equality(old, self._value(i.compare)), new, old)
        self._store(i.field, number, new)
        self.locals[i.target] = old

    def _wait(self, until: ir.Until | None, value: str) -> None:
        """Let nothing follow but where an access finds what it waits for."""
        if until is not None:
            self.locals[until.seen] = value
            self._restrict(self._value(until.condition))

    def _every(self, i: ir.Every) -> None:
        """Guess the answer; if it is no, there is a vCPU of which the condition does not hold."""
        answer = self.script.unknown("every", BOOL)
        state, known = self.state, dict(self.locals)
        self.locals[i.target] = answer
        if self.manner is Manner.OPEN:  # the fields of two questions may be of two moments
            return

        def at(vcpu: str) -> str:
            for x, f in i.reads:
                require_type(f.type, x.type)
            values = {**known, i.bound: vcpu}
            values |= {x: self.space.read(state, f, vcpu) for x, f in i.reads}
            evaluation = self._evaluation(lambda x: values.get(x) or self.at_start(x), state)
            value = evaluation.value(i.condition)
            if evaluation.defined:
                raise NotUnderstood("what is asked of every vCPU may be undefined")
            return value

        witness = self.script.unknown("but", t.THREAD)
        exists = t.all_of((t.is_vcpu(witness), t.negate_term(at(witness))))
        self.assumed.append(t.any_of((answer, exists)))
        self.guesses.append(Guess(answer, witness, at))

    def _lock(self, i: Locking) -> None:
        number = self._index(i.index)
        f, target = i.field, defined_local(i)
        if is_shared(f) and number is not None:
            raise NotUnderstood("readers of a lock of a vCPU")
        if isinstance(i, ir.Release) and i.freeing not in (Freeing.LOCKED, Freeing.STORE):
            raise NotUnderstood("an unlock in a store buffer")
        if self.manner is Manner.OPEN:
            if target is not None:
                self.locals[target] = self.script.unknown(f.name, target.type)
            return
        match i:
            case ir.Acquire(shared=shared):
                self._restrict(self.space.is_free(self.state, f, number, shared=shared))
                self._take(f, number, t.TRUE, shared=shared)
            case ir.TryAcquire(shared=shared) | ir.Available(shared=shared):
                free = self.space.is_free(self.state, f, number, shared=shared)
                self.locals[i.target] = self.script.define(free, "Bool")
                if isinstance(i, ir.TryAcquire):
                    self._take(f, number, self.locals[i.target], shared=shared)
            case ir.Release(shared=shared):
                self.state = self.space.release(self.state, f, number, self.number, shared=shared)
            case ir.Holds(sole=sole):
                held = self.space.is_held(self.state, f, number, self.number, sole=sole)
                self.locals[i.target] = self.script.define(held, "Bool")
            case _:
                assert_never(i)

    def _take(self, f: Field, index: str | None, got: str, *, shared: bool) -> None:
        if shared:  # fewer than 2^31 times at once: docs/soundness.md assumes it
            count = self.space.reader_count(self.state, f, self.number)
            self._restrict(f"(< {count} {t.make_integer(t.THREAD.high)})")
        taken = self.space.take(self.state, f, index, self.number, shared=shared)
        self.state = self.space.join([(got, taken), (t.TRUE, self.state)])

    # What is known ---------------------------------------------------------------------------

    def argument_facts(self) -> Iterator[str]:
        """Yield what callers see to: a root is a page but 0 and INVALID_PAGE's, a vCPU exists."""
        if self.start != 0:
            return
        p = self.operation.parameters
        root, others = p.root, p.others if p.vcpu is None else (p.vcpu, *p.others)
        if root is not None:
            value = self.at_start(root)
            yield t.make_equality(f"(mod {value} {1 << PAGE_BITS})", "0")
            for page in (0, (1 << 64) - (1 << PAGE_BITS)):
                yield t.make_difference(value, t.make_constant(page, root.type))
        for vcpu in others:
            yield t.is_vcpu(self.at_start(vcpu))


def instantiate_guesses(regions: Sequence[Region], vcpus: Iterable[str]) -> Iterator[str]:
    """Yield what is known of answers for all vCPUs: if yes, it is so of those looked at."""
    guesses = [g for r in regions for g in r.guesses]
    looked_at = [v for r in regions for v in r.looked_at]
    numbers = dict.fromkeys((*vcpus, *looked_at))
    for r in regions:
        yield from r.assumed
    for g in guesses:
        for v in numbers:
            yield t.make_implication(t.all_of((g.answer, t.is_vcpu(v))), g.at(v))
