"""A proof that was found, as a claim that can be checked without what found it.

Lemma L22 of docs/soundness.md.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import assert_never, cast

import z3

from flushproof.engines.bounded.threads import written_fields
from flushproof.engines.reduction.commutativity import Site
from flushproof.engines.symbolic.locations import SHARED, Cell, OwnCell
from flushproof.engines.symbolic.values import Root, Value
from flushproof.engines.unbounded.control_locations import Frames
from flushproof.engines.unbounded.export_ranks import list_loop_heads, list_ranges
from flushproof.engines.unbounded.history_variable import find_walker
from flushproof.engines.unbounded.horn_clauses import (
    BYSTANDER,
    FLUSHER,
    BystanderThread,
    Control,
    FlusherThread,
    LoadThread,
    Located,
)
from flushproof.engines.unbounded.prove import ConfirmedInvariant, Proof
from flushproof.engines.unbounded.reader_counting import is_reader_count
from flushproof.engines.unbounded.relations import RELATIONS
from flushproof.engines.unbounded.state_space import flatten_value
from flushproof.ir import invariant as claimed
from flushproof.ir.analysis.representation import LOW
from flushproof.ir.code import OPPOSITE, Field, Relation
from flushproof.ir.program import Operation, Program, Role
from flushproof.ir.types import NO_VCPU, ROOT, VCPU, LockWord
from flushproof.support.record import replace


class NotExpressible(Exception):  # noqa: N818 - a finding, which makes a verdict weaker
    """A lemma speaks of something that claimed invariants have no words for."""


def export_proof(
    program: Program,
    boundaries: Mapping[str, frozenset[int]],
    proof: Proof,
    *,
    claims_only: bool,
) -> claimed.ClaimedProof:
    """Return a proof of a program as a claimed one.

    With `claims_only` it is known that what the code proper takes for a vCPU is one; else that has
    to follow from where threads are.

    Raises:
        NotExpressible: a lemma has no counterpart.
    """
    exports = [_Export(program, part, claims_only=claims_only) for part in proof.parts]
    cases = tuple(e.case() for e in exports)
    cuts = (c for o in program.operations for c in exports[0].cuts(o, boundaries[o.name]))
    many = proof.parts[0].space.many
    return claimed.ClaimedProof(tuple(cuts), tuple(exports[0].values()), cases, many)


class _Export:
    def __init__(self, program: Program, part: ConfirmedInvariant, *, claims_only: bool) -> None:
        self.program = program
        self.claims_only = claims_only
        self.part = part
        self.space = part.space
        self.frames: Frames = part.frames
        self.algebra = part.space.algebra
        self.fields = {f.name: f for f in part.space.program.fields}
        self.terms: dict[int, claimed.Term] = {part.space.count.get_id(): claimed.VcpuCount()}
        if part.space.many:
            self.terms[part.space.flusher.get_id()] = claimed.FlusherNumber()
        for k, v in enumerate(part.space.tracked):
            self.terms[v.get_id()] = claimed.TrackedVcpu(k)
        for (name, cell), held in part.space.state.items():
            self._name(held, self._cell(self.fields[name], cell))
        for f in program.witnesses:
            where = (f.name, SHARED)
            if where in part.space.fixed:
                self._name(part.space.fixed[where], claimed.Cell(f.name))
        for page, term in self.algebra.known_pages().items():
            self.terms[term.get_id()] = claimed.FixedNumber(self._page(page))

    def case(self) -> claimed.CaseInvariant:
        """Return the case that the part is about."""
        case = self.space.case
        facts = tuple((self._location(c), self._facts(c)) for c in self.part.system.parameters)
        return claimed.CaseInvariant(
            self._tracked(),
            case.merged,
            case.history,
            tuple(self._walkers()) if case.history else (),
            tuple(self._excluded()),
            facts,
        )

    def cuts(self, o: Operation, boundaries: frozenset[int]) -> Iterator[claimed.CutPoint]:
        """Yield where an operation is cut, with what representations imply of its locals there."""
        heads = {h.at.at: h for h in list_loop_heads(o)}
        ranges = list(list_ranges(o)) if heads else []
        for at in sorted(boundaries | heads.keys()):
            where = claimed.Position(o.name, at)
            point = heads.get(at, claimed.CutPoint(where, boundary=False, head=False))
            facts = tuple(self._of_locals(Site(o.name, at))) if at else ()
            facts += tuple(fact for k, fact in ranges if k == at)
            yield replace(point, boundary=at in boundaries, facts=(*point.facts, *facts))

    def _of_locals(self, site: Site) -> Iterator[claimed.Fact]:
        for x, value in self.frames.locals(site, FLUSHER).items():
            leaf = claimed.ThreadLocal(claimed.FLUSHER, x.name)
            if self.claims_only or x.type != VCPU:
                yield from _limits(leaf, x.type)
            yield from self._low_bits(leaf, value)

    def values(self) -> Iterator[tuple[str, claimed.Fact]]:
        """Yield what the representation of values implies of fields."""
        for name in sorted(written_fields(self.program)):
            f = self.fields[name]
            if not isinstance(f.type, LockWord):
                value = self.algebra.fresh(f"any:{name}", f.type, self.algebra.kinds.field(f))
                cell = claimed.Cell(name)
                for fact in (*_limits(cell, f.type), *self._low_bits(cell, value)):
                    yield name, fact

    def _tracked(self) -> tuple[str, ...]:
        arbitrary = self.space.arbitrary
        return tuple(
            claimed.ANY if v is arbitrary else str(v.decl().name()) for v in self.space.tracked
        )

    def _walkers(self) -> Iterator[tuple[claimed.Position, str]]:
        """Yield which local says at which vCPU the flusher is."""
        for o in self.program.of(Role.FLUSH):
            layout = self.frames.layouts[o.name]
            for at in sorted(layout.boundaries):
                operation, live = self.frames.operations[o.name], layout.live[at]
                walker = find_walker(operation, live, self.algebra.kinds)
                if walker is not None:
                    yield claimed.Position(o.name, at), walker.name

    def _excluded(self) -> Iterator[claimed.Position]:
        """Yield where the part's program does not fail as the whole one does."""
        for whole, left in zip(self.program.operations, self.space.program.operations, strict=True):
            for at, (old, new) in enumerate(zip(whole.code, left.code, strict=True)):
                if old != new:
                    yield claimed.Position(whole.name, at)

    # Locations -------------------------------------------------------------------------------

    def _location(self, control: Control) -> claimed.Location:
        def position(site: Site | None) -> claimed.Position | None:
            return None if site is None else claimed.Position(site.operation, site.at)

        return claimed.Location(
            position(control.flusher),
            tuple(map(position, control.loads)),
            position(control.bystander),
            None if control.running is None else _number_thread(control.running),
        )

    def _facts(self, control: Control) -> tuple[claimed.Fact, ...]:
        names = dict(self.terms)
        for thread in (*self.frames.threads, BYSTANDER):
            site = self.frames.position(control, thread)
            if site is not None:
                shown = _number_thread(thread)
                for x, value in self.frames.locals(site, thread).items():
                    self._name(value, claimed.ThreadLocal(shown, x.name), names)
        lemmas = self.part.invariant.lemmas.get(control, ())
        facts = [tuple(_comparison(x, names) for x in _literals(lemma)) for lemma in lemmas]
        return (*facts, *(() if self.claims_only else self._numbers_of_vcpus(control)))

    def _numbers_of_vcpus(self, control: Control) -> Iterator[claimed.Fact]:
        """Yield that locals that are vCPUs are some, or NULL."""
        for thread in (*self.frames.threads, BYSTANDER):
            site = self.frames.position(control, thread)
            for x in self.frames.live(site) if site is not None else ():
                if x.type == VCPU:
                    yield from _limits(claimed.ThreadLocal(_number_thread(thread), x.name), x.type)

    def _low_bits(self, leaf: claimed.Leaf, value: Value) -> Iterator[claimed.Fact]:
        """Yield that low bits are those of constants, as representations have it."""
        if not isinstance(value, Root):
            return
        for mask in self.algebra.masks:
            part = claimed.Bitwise("&", leaf, claimed.FixedNumber(mask))
            values = (claimed.FixedNumber(0), claimed.FixedNumber(mask))
            yield tuple(claimed.FactComparison("==", part, v) for v in values)
        if not self.algebra.masks:
            odd = (claimed.FixedNumber(v) for v in sorted(self.algebra.kinds.odd))
            aligned = claimed.FactComparison(
                "==", claimed.Bitwise("&", leaf, claimed.FixedNumber(LOW)), claimed.FixedNumber(0)
            )
            yield (aligned, *(claimed.FactComparison("==", leaf, v) for v in odd))

    # Names -----------------------------------------------------------------------------------

    def _cell(self, f: Field, cell: Cell) -> claimed.Leaf:
        vcpu = cell.number if isinstance(cell, OwnCell) else None
        if is_reader_count(f, cell):
            thread = FLUSHER if vcpu is None else LoadThread(vcpu)
            return claimed.ReaderCount(f.name, _number_thread(thread))
        return claimed.Cell(f.name, vcpu)

    def _name(
        self,
        value: Value,
        leaf: claimed.Leaf,
        names: dict[int, claimed.Term] | None = None,
    ) -> None:
        names = self.terms if names is None else names
        masks = self.algebra.masks
        if isinstance(value, Root):
            page, *bits = flatten_value(self.algebra, value)
            page_only = claimed.FixedNumber(~sum(masks))
            whole = claimed.Bitwise("&", leaf, page_only) if masks else leaf
            names[page.get_id()] = whole
            for b, mask in zip(bits, masks, strict=True):
                names[b.get_id()] = claimed.Bitwise("&", leaf, claimed.FixedNumber(mask))
        elif isinstance(value, z3.ExprRef):
            names[value.get_id()] = leaf

    def _page(self, page: int) -> int:
        return page << 12 if self.algebra.masks else page


def _number_thread(thread: Located) -> int:
    """Return how a claimed invariant numbers a thread."""
    match thread:
        case FlusherThread():
            return claimed.FLUSHER
        case LoadThread(vcpu):
            return vcpu + 1
        case BystanderThread():
            return claimed.OBSERVER
        case other:
            assert_never(other)


def _limits(leaf: claimed.Leaf, type_: object) -> Iterator[claimed.Fact]:
    if type_ == VCPU:
        yield (claimed.FactComparison(">=", leaf, claimed.FixedNumber(NO_VCPU)),)
        yield (claimed.FactComparison("<", leaf, claimed.VcpuCount()),)
    if type_ == ROOT:
        yield (claimed.FactComparison("<=", leaf, claimed.FixedNumber(1 << 64)),)


def _literals(lemma: z3.BoolRef) -> list[z3.ExprRef]:
    return lemma.children() if z3.is_or(lemma) else [lemma]


def _comparison(
    literal: z3.ExprRef, names: Mapping[int, claimed.Term], *, holds: bool = True
) -> claimed.FactComparison:
    if z3.is_not(literal):
        return _comparison(literal.arg(0), names, holds=not holds)
    if literal.get_id() in names:
        relation: Relation = "!=" if holds else "=="
        return claimed.FactComparison(relation, names[literal.get_id()], claimed.FixedNumber(0))
    found = RELATIONS.get(literal.decl().kind())
    if found is None or literal.num_args() != 2:
        raise NotExpressible(str(literal))
    left, right = (_term(x, names) for x in literal.children())
    return claimed.FactComparison(found if holds else OPPOSITE[found], left, right)


def _term(term: z3.ExprRef, names: Mapping[int, claimed.Term]) -> claimed.Term:
    if term.get_id() in names:
        return names[term.get_id()]
    if z3.is_int_value(term):
        return claimed.FixedNumber(cast("z3.IntNumRef", term).as_long())
    if z3.is_bv_value(term):
        return claimed.FixedNumber(cast("z3.BitVecNumRef", term).as_long())
    if z3.is_add(term):
        return claimed.Sum(tuple(_term(x, names) for x in term.children()))
    op = _BITWISE.get(term.decl().kind())
    if op is not None and term.num_args() == 2:
        return claimed.Bitwise(op, *(_term(x, names) for x in term.children()))
    raise NotExpressible(str(term))


_BITWISE: dict[int, claimed.BitOperator] = {
    z3.Z3_OP_BAND: "&",
    z3.Z3_OP_BOR: "|",
    z3.Z3_OP_BXOR: "^",
    z3.Z3_OP_BLSHR: ">>",
}
"""A logical shift is one of a value without a sign; where it has one, no proof is confirmed."""
