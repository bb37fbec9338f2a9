"""The code between two cuts, executed from unknowns: acyclic passive code (Barnett and Leino 2005).

Each position has one guard, and each value at a join is a choice between those that arrive, so the
size is linear in the code.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import assert_never

from flushproof.ir import code as ir
from flushproof.ir.code import Expr, Field, Freeing, Instr, Local
from flushproof.ir.program import Operation, Role
from flushproof.ir.types import BOOL, U64, LockWord, Type
from flushproof.support.record import Record
from flushproof.verify.proof_checker import terms as t
from flushproof.verify.proof_checker.accesses import set_local
from flushproof.verify.proof_checker.code_paths import (
    NotUnderstood,
    region_positions,
    successor_positions,
)
from flushproof.verify.proof_checker.expressions import Evaluation, Surroundings
from flushproof.verify.proof_checker.machine_state import (
    COUNT,
    READS_SORT,
    StateSpace,
    StateTerms,
    holder_word,
    is_shared,
)
from flushproof.verify.proof_checker.script import Script

PAGE_BITS = 12


class Obligation(Record, frozen=True):
    """At a position `fails` must not hold. `proper`: it is the code's own, no claim's."""

    at: int
    text: str
    fails: str
    proper: bool


class AssertionCanFail(Record, frozen=True):
    """A claim's assertion at a position, and when it is reached and does not hold."""

    at: int
    claim: str
    fails: str


class RegionExit(Record, frozen=True):
    """Where a region ends, None at the end of the call, when, and with what."""

    to: int | None
    guard: str
    state: StateTerms
    locals: Mapping[Local, str]


class Stored(Record, frozen=True):
    """A value that is put into a field, and when."""

    field: Field
    guard: str
    value: str


class Guess(Record, frozen=True):
    """An answer to "for all vCPUs": the condition at a vCPU; `witness` fails it if any does."""

    answer: str
    witness: str
    at: Callable[[str], str]


class Actor(Record, frozen=True):
    """Who executes: the thread's number, its locals, what they are called, and threads seen.

    `seen` are numbers of threads whose reading of locks is known.
    """

    number: str
    prefix: str
    given: Mapping[Local, str]
    seen: tuple[str, ...]


class Region(Record, frozen=True):
    """What the code from a position to the next cuts does.

    `looked_at` are the vCPUs whose fields are read, and these; `edges` the guards of jumps; where
    `assumed` does not hold there is no such execution; `guesses` are those about all vCPUs;
    `stored` what is put into fields; `read` are fields and what was read where others step in.
    """

    operation: Operation
    start: int
    actor: Actor
    exits: tuple[RegionExit, ...]
    obligations: tuple[Obligation, ...]
    failures: tuple[AssertionCanFail, ...]
    exact: tuple[Obligation, ...]
    edges: Mapping[tuple[int, int], str]
    assumed: tuple[str, ...]
    looked_at: Mapping[str, frozenset[str]]
    guesses: tuple[Guess, ...]
    stored: tuple[Stored, ...]
    read: tuple[tuple[str, str], ...]


class _Place(Record, frozen=True):
    guard: str
    state: StateTerms
    locals: Mapping[Local, str]


def execute_region(
    space: StateSpace,
    operation: Operation,
    start: int,
    cuts: frozenset[int],
    actor: Actor,
    before: StateTerms,
    trusted: frozenset[int] = frozenset(),
    *,
    past_faults: bool = False,
    alone: bool = True,
) -> Region:
    """Execute a region; sums at the positions `trusted` are known not to wrap around.

    With `past_faults` it goes on after something undefined, with any value. Unless it is `alone`
    others may step in anywhere: what is read is any value.

    Raises:
        NotUnderstood: the region has an instruction without a rule.
    """
    return _Execution(
        space, operation, start, cuts, actor, before, trusted, past_faults, alone
    ).run()


class _Execution:
    def __init__(
        self,
        space: StateSpace,
        operation: Operation,
        start: int,
        cuts: frozenset[int],
        actor: Actor,
        before: StateTerms,
        trusted: frozenset[int],
        past_faults: bool,  # noqa: FBT001
        alone: bool,  # noqa: FBT001
    ) -> None:
        self.space = space
        self.script = space.script
        self.operation = operation
        self.code = operation.code
        self.start = start
        self.cuts = cuts
        self.actor = actor
        self.before = before
        self.trusted = trusted
        self.past_faults = past_faults
        self.alone = alone
        self.arriving: dict[int, list[_Place]] = {start: [_Place(t.TRUE, before, {})]}
        self.leaving: dict[int | None, list[_Place]] = {}
        self.obligations: list[Obligation] = []
        self.failures: list[AssertionCanFail] = []
        self.exact: list[Obligation] = []
        self.edges: dict[tuple[int, int], str] = {}
        self.assumed: list[str] = []
        self.looked_at: dict[str, set[str]] = {}
        self.guesses: list[Guess] = []
        self.stored: list[Stored] = []
        self.read: list[tuple[str, str]] = []
        self.at = start
        self.guard = t.TRUE
        self.state = before
        self.locals: dict[Local, str] = {}

    def run(self) -> Region:
        """Go through the positions in order."""
        for at in region_positions(self.code, self.start, self.cuts):
            if at not in self.arriving:
                continue
            here = self._merge(self.arriving.pop(at))
            self.at, self.state, self.locals = at, here.state, dict(here.locals)
            self.guard = self.script.define(here.guard, t.sort_of(BOOL))
            self._execute(self.code[at])
        exits = ((to, self._merge(places)) for to, places in self.leaving.items())
        return Region(
            self.operation,
            self.start,
            self.actor,
            tuple(RegionExit(to, p.guard, p.state, p.locals) for to, p in exits),
            tuple(self.obligations),
            tuple(self.failures),
            tuple(self.exact),
            self.edges,
            tuple(self.assumed),
            {index: frozenset(names) for index, names in self.looked_at.items()},
            tuple(self.guesses),
            tuple(self.stored),
            tuple(self.read),
        )

    # Joins -----------------------------------------------------------------------------------

    def _merge(self, places: list[_Place]) -> _Place:
        if len(places) == 1:
            return places[0]
        guard = self.script.define(t.any_of(p.guard for p in places), t.sort_of(BOOL))
        locals_ = {
            x: self._choose(places, [p.locals.get(x) or self._unset(x) for p in places], x.type)
            for x in dict.fromkeys(x for p in places for x in p.locals)
        }
        fields = {
            name: self._chosen(places, [p.state.fields[name] for p in places], self._sort(name))
            for name in self.state.fields
        }
        reads = {
            name: self._chosen(places, [p.state.reads[name] for p in places], READS_SORT)
            for name in self.state.reads
        }
        return _Place(guard, StateTerms(fields, reads), locals_)

    def _choose(self, places: list[_Place], values: list[str], type_: Type) -> str:
        return self._chosen(places, values, t.sort_of(type_))

    def _chosen(self, places: list[_Place], values: list[str], sort: str) -> str:
        term = values[-1]
        for place, value in zip(reversed(places[:-1]), reversed(values[:-1]), strict=True):
            term = t.make_choice(place.guard, value, term)
        return self.script.define(term, sort)

    def _sort(self, name: str) -> str:
        return self.space.field_sort(self.space.fields[name])

    # Values ----------------------------------------------------------------------------------

    def _unset(self, x: Local) -> str:
        """Return a local that nothing in the region has set: it is as it was before."""
        if x in self.actor.given:
            return self.actor.given[x]
        return self.script.declare(f"{self.actor.prefix}{x.name}", t.sort_of(x.type))

    def _local(self, x: Local) -> str:
        return self.locals.get(x) or self._unset(x)

    def _surroundings(self, local: Callable[[Local], str]) -> Surroundings:
        return Surroundings(local, COUNT, self.actor.number, self._held, self._all_free)

    def _held(self) -> str:
        return self._lock_set(self.state)

    def _lock_set(self, state: StateTerms) -> str:
        if not self.alone:
            return self.script.unknown("held", t.sort_of(U64))
        return self.space.lock_set(state, self.actor.number)

    def _all_free(self) -> str:
        """Return that no lock is held; of a lock with readers that may be so or not."""
        if not self.alone:
            return self.script.unknown("free", t.sort_of(BOOL))
        parts = []
        for f in self.space.locks:
            if f.scope is ir.FieldScope.VCPU:
                raise NotUnderstood("all locks of vCPUs")
            parts.append(self._free(f, None, shared=False))
        return self.script.define(t.all_of(parts), t.sort_of(BOOL))

    def _value(self, e: Expr) -> str:
        evaluation = Evaluation(self._surroundings(self._local))
        value = evaluation.value(e)
        self._noted(evaluation)
        return self.script.define(value, t.sort_of(e.type))

    def _noted(self, evaluation: Evaluation) -> None:
        for condition in evaluation.defined:
            self._require("the value is not defined", condition)
        own = not self.code[self.at].from_claim
        if own and evaluation.exact:
            whole = t.all_of(evaluation.exact)
            if self.at in self.trusted:
                self._restrict(whole)
            else:
                fails = t.all_of((self.guard, t.negate_term(whole)))
                self.exact.append(Obligation(self.at, "a sum wraps around", fails, proper=True))

    def _require(self, text: str, condition: str) -> None:
        """Add an obligation; what follows happens only where it is met."""
        if condition != t.TRUE:
            fails = t.all_of((self.guard, t.negate_term(condition)))
            proper = not self.code[self.at].from_claim
            self.obligations.append(Obligation(self.at, text, fails, proper))
            if not self.past_faults:
                self._restrict(condition)

    def _restrict(self, condition: str) -> None:
        self.guard = self.script.define(t.all_of((self.guard, condition)), t.sort_of(BOOL))

    def _index(self, index: Expr | None) -> str | None:
        if index is None:
            return None
        number = self._value(index)
        self._require("a vCPU that does not exist is accessed", t.in_range(number, COUNT))
        return number

    def _read(self, f: Field, index: str | None) -> str:
        if not self.alone and f.name in self.space.written:
            value = self.script.unknown(f.name, t.sort_of(f.type))
            self.read.append((f.name, value))
            return value
        if index is not None and f.name in self.space.written:
            self.looked_at.setdefault(index, set()).add(f.name)
        value = self.space.read(self.state, f, index)
        return self.script.define(value, t.sort_of(f.type))

    def _unknown(self, x: Local) -> str:
        return self.script.declare(f"{self.actor.prefix}{x.name}!{self.at}", t.sort_of(x.type))

    # Instructions ----------------------------------------------------------------------------

    def _go(self, to: int | None, guard: str | None = None) -> None:
        guard = self.guard if guard is None else guard
        if guard == t.FALSE:
            return
        place = _Place(guard, self.state, self.locals)
        if to is not None:
            self.edges[self.at, to] = guard
        if to is None or to in self.cuts:
            self.leaving.setdefault(to, []).append(place)
        else:
            self.arriving.setdefault(to, []).append(place)

    def _execute(self, i: Instr) -> None:
        match i:
            case ir.Jump(target):
                self._go(target)
            case ir.Branch(condition, then, otherwise):
                c = self._value(condition)
                yes = self.script.define(t.all_of((self.guard, c)), t.sort_of(BOOL))
                no = self.script.define(t.all_of((self.guard, t.negate_term(c))), t.sort_of(BOOL))
                if then == otherwise:
                    self._go(then)
                    return
                self._go(then, yes)
                self._go(otherwise, no)
            case ir.Stop():
                self._go(None)
            case _:
                self._plain(i)
                self._go(successor_positions(self.code, self.at)[0])

    def _plain(self, i: Instr) -> None:  # noqa: C901, PLR0912 - a table of all that do not jump
        match i:
            case ir.Assign(target, value):
                self.locals[target] = self._value(value)
            case ir.Read(target, f, index):
                self.locals[target] = self._read(f, self._index(index))
            case ir.Write(f, index, value):
                if isinstance(f.type, LockWord):
                    raise NotUnderstood("a lock is written")
                number = self._index(index)
                self._store(f, number, self._value(value))
            case ir.Exchange():
                self._exchange(i)
            case ir.Acquire() | ir.TryAcquire() | ir.Available() | ir.Release() | ir.Holds():
                self._lock(i)
            case ir.Hypercall(target, root, whole, start, pages):
                for given in (root, whole, start, pages):
                    self._value(given)
                self.locals[target] = self._unknown(target)
            case ir.Havoc(target):
                self.locals[target] = self._unknown(target)
            case ir.Return(value) if value is not None:
                self._value(value)
            case ir.Every():
                self._every(i)
            case ir.Check(condition, text):
                self._require(text, self._value(condition))
            case ir.Assert(claim, condition):
                fails = t.all_of((self.guard, t.negate_term(self._value(condition))))
                self.failures.append(AssertionCanFail(self.at, claim, fails))
            case ir.Enter() | ir.Return() | ir.Fence() | ir.Uninit():
                pass
            case ir.Access() | ir.Drain():
                raise NotUnderstood("stores are buffered")
            case ir.Jump() | ir.Branch() | ir.Stop():
                raise AssertionError(i)
            case _:
                assert_never(i)

    def _store(self, f: Field, index: str | None, value: str) -> None:
        self.state = self.space.write(self.state, f, index, value)
        self.stored.append(Stored(f, self.guard, value))

    def _exchange(self, i: ir.Exchange) -> None:
        if isinstance(i.field.type, LockWord):
            raise NotUnderstood("a lock is exchanged")
        number = self._index(i.index)
        old = self._read(i.field, number)
        if i.old is not None:
            self.locals[i.old] = old
        new = self._value(i.value)
        if i.compare is not None:
            new = t.make_choice(t.make_equality(old, self._value(i.compare)), new, old)
        self._store(i.field, number, new)
        self.locals[i.target] = old

    def _every(self, i: ir.Every) -> None:
        """Guess the answer; if it is no, there is a vCPU of which the condition does not hold."""
        answer = self.script.unknown("every", t.sort_of(BOOL))
        if not self.alone:  # the fields of two questions may be of two moments
            self.locals[i.target] = answer
            return
        state, known = self.state, dict(self.locals)

        def at(vcpu: str) -> str:
            values = {**known, i.bound: vcpu}
            values |= {x: self.space.read(state, f, vcpu) for x, f in i.reads}
            lookup = Surroundings(
                lambda x: values.get(x) or self._unset(x),
                COUNT,
                self.actor.number,
                lambda: self._lock_set(state),
                _no_locks,
            )
            evaluation = Evaluation(lookup)
            value = evaluation.value(i.condition)
            if evaluation.defined:
                raise NotUnderstood("what is asked of every vCPU may be undefined")
            return value

        witness = self.script.unknown("but", t.sort_of(t.THREAD))
        exists = t.all_of((t.in_range(witness, COUNT), t.negate_term(at(witness))))
        self.assumed.append(t.any_of((answer, exists)))
        self.guesses.append(Guess(answer, witness, at))
        self.locals[i.target] = answer

    # Locks -----------------------------------------------------------------------------------

    def _free(self, f: Field, index: str | None, *, shared: bool) -> str:
        """Return that a lock can be taken; where others may be readers it may seem so and not be.

        Whether any other thread is a reader is an unknown, which no step of those seen changes.
        """
        known = self.space.lock_is_free(self.state, f, index, shared=shared, known=self.actor.seen)
        if shared or not is_shared(f):
            return known
        return t.all_of((known, self.space.no_other_reads(f)))

    def _lock(  # noqa: C901 - a table of what is done to locks
        self, i: ir.Acquire | ir.TryAcquire | ir.Available | ir.Release | ir.Holds
    ) -> None:
        number = self._index(i.index)
        f, me = i.field, self.actor.number
        if not self.alone:
            target = set_local(i)
            if target is not None:
                self.locals[target] = self.script.unknown(f.name, t.sort_of(target.type))
            return
        if is_shared(f) and number is not None:
            raise NotUnderstood("readers of a lock of a vCPU")
        match i:
            case ir.Acquire(shared=shared):
                self._restrict(self._free(f, number, shared=shared))
                self._take(f, number, t.TRUE, shared=shared)
            case ir.TryAcquire(target, shared=shared):
                got = self.script.define(self._free(f, number, shared=shared), t.sort_of(BOOL))
                self._take(f, number, got, shared=shared)
                self.locals[target] = got
            case ir.Available(target, shared=shared):
                self.locals[target] = self._free(f, number, shared=shared)
            case ir.Release(shared=shared, freeing=Freeing.LOCKED | Freeing.STORE):
                self._release(f, number, shared=shared)
            case ir.Release():
                raise NotUnderstood("an unlock in a store buffer")
            case ir.Holds(target, sole=sole):
                word = self.space.read(self.state, f, number)
                held = [t.make_equality(word, holder_word(me))]
                if not sole and is_shared(f):
                    count = self.space.reader_count(self.state, f.name, me)
                    held.append(t.negate_term(t.make_equality(count, t.make_constant(0, t.THREAD))))
                self.locals[target] = self.script.define(t.any_of(held), t.sort_of(BOOL))
            case _:
                assert_never(i)

    def _take(self, f: Field, index: str | None, got: str, *, shared: bool) -> None:
        me = self.actor.number
        if shared:
            old = self.space.reader_count(self.state, f.name, me)
            # A thread is a reader fewer than 2^31 times at once: docs/soundness.md assumes it.
            self._restrict(f"(bvult {old} {t.make_constant(t.THREAD.high, t.THREAD)})")
            self._set_reads(
                f, t.make_choice(got, f"(bvadd {old} {t.make_constant(1, t.THREAD)})", old)
            )
            return
        word = self.space.read(self.state, f, index)
        self.state = self.space.write(
            self.state, f, index, t.make_choice(got, holder_word(me), word)
        )

    def _release(self, f: Field, index: str | None, *, shared: bool) -> None:
        zero = t.make_constant(0, t.THREAD)
        if not shared:
            self.state = self.space.write(self.state, f, index, zero)
            return
        old = self.space.reader_count(self.state, f.name, self.actor.number)
        less = f"(bvsub {old} {t.make_constant(1, t.THREAD)})"
        self._set_reads(f, t.make_choice(t.make_equality(old, zero), old, less))

    def _set_reads(self, f: Field, value: str) -> None:
        assert isinstance(f.type, LockWord)
        term = f"(store {self.state.reads[f.name]} {self.actor.number} {value})"
        self.state = self.state.with_reads(f.name, self.script.define(term, READS_SORT))


def instantiate_guesses(guesses: Iterable[Guess], vcpus: Iterable[str]) -> Iterator[str]:
    """Yield that where the answer for all vCPUs is yes the condition holds of some of them."""
    numbers = tuple(dict.fromkeys(vcpus))
    for g in guesses:
        for v in numbers:
            yield t.make_implication(t.all_of((g.answer, t.in_range(v, COUNT))), g.at(v))


def own_number(o: Operation, number: str) -> dict[Local, str]:
    """Return the local of a load that has the number of its vCPU, the thread's own."""
    own = o.parameters.vcpu
    return {own: number} if o.role is Role.LOAD and own is not None else {}


def start_value(script: Script, r: Region, x: Local) -> str:
    """Return a local as it is where a region begins."""
    return r.actor.given.get(x) or script.declare(f"{r.actor.prefix}{x.name}", t.sort_of(x.type))


def arguments_of(script: Script, r: Region) -> Iterator[str]:
    """Yield what callers see to: a root is a page but 0 and INVALID_PAGE's, a vCPU exists."""
    root, vcpu = r.operation.parameters.root, r.operation.parameters.vcpu
    if root is not None:
        value = start_value(script, r, root)
        yield t.make_equality(f"((_ extract {PAGE_BITS - 1} 0) {value})", f"(_ bv0 {PAGE_BITS})")
        for page in (0, (1 << 64) - (1 << PAGE_BITS)):
            yield t.negate_term(t.make_equality(value, t.make_constant(page, root.type)))
    if vcpu is not None:
        yield t.in_range(start_value(script, r, vcpu), COUNT)


def _no_locks() -> str:
    raise NotUnderstood("all locks, for each vCPU")
