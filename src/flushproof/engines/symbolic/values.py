"""Symbolic values of every kind, and the algebra over them for one program.

A root is a page number, which is only compared, and the state of its low bits, one boolean for each
class of bits that the program's constants cannot tell apart. Where the program never looks at low
bits there are none, and the "page" is the whole 64-bit value.

Lemma L3, Lemma L5 of docs/soundness.md.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TypeAlias

import z3

from flushproof.engines.smt import term_constructors
from flushproof.engines.smt import terms as t
from flushproof.ir.analysis.representation import LOW, PAGE_BITS, Kinds, Representation
from flushproof.ir.types import BOOL, INT, NO_VCPU, NONE, ROOT, Int, LockWord, Type, VcpuRef
from flushproof.support.record import Record, replace

INVALID = (1 << 64) - 1

SMALL = 4
"""Numbers up to this one fit any type, and there are few of them."""


class Root(Record, frozen=True, eq=False):
    """A root: `page` is an int for a constant, else a term; `bits` one boolean a bit class."""

    page: int | z3.ExprRef
    bits: tuple[t.Bool, ...]


Value: TypeAlias = bool | int | z3.BoolRef | z3.ArithRef | z3.BitVecRef | z3.ArrayRef | Root


class Unfit(Record, frozen=True, eq=False):
    """A number that may lie outside low..high, of its type, where `guard` holds.

    It surely does not where `doubtful` does not hold, as small domains can tell. One that does not
    grow is not too large.
    """

    doubtful: t.Bool
    number: t.Number
    low: int
    high: t.Number
    grows: t.Bool
    guard: t.Bool = True

    @property
    def leaves(self) -> t.Bool:
        """Return when it lies outside."""
        high = t.implies(self.grows, t.compare_numbers("<=", self.number, self.high))
        low = t.compare_numbers("<=", self.low, self.number)
        return t.and_(self.guard, t.not_(t.and_(low, high)))

    def where(self, condition: t.Bool) -> Unfit:
        """Return the same, as far as a condition holds."""
        guard = t.and_(condition, self.guard)
        return replace(self, doubtful=t.and_(condition, self.doubtful), guard=guard)


class NotExact(Exception):  # noqa: N818 - a finding that changes the plan, no error
    """Roots cannot be kept as page numbers here; bit-vectors are needed."""


class Algebra:
    """Operations on values, for one program's kinds.

    `sort` is the sort of page numbers, which is uninterpreted. Where `overflows` is a list, what
    `note` says is put there, where `most` is the number of vCPUs and numbers up to `small` are in
    no doubt; sums do not wrap around then, unless `wraps`.
    """

    def __init__(
        self,
        kinds: Kinds,
        overflows: list[Unfit] | None = None,
        most: z3.ArithRef | None = None,
        *,
        wraps: bool = False,
        small: int = SMALL,
    ) -> None:
        self.kinds = kinds
        self.overflows = overflows
        self.most = most
        self.small = small
        self.wraps = wraps or overflows is None
        self.sort = z3.DeclareSort("Page")
        self.masks = _bit_classes(kinds)
        self._pages: dict[int, z3.ExprRef] = {}
        self._ranges: dict[int, tuple[z3.ExprRef, int, int]] = {}
        self.page_of(0)
        self.page_of(self.split(INVALID)[0])
        self.page_of(self.split(NONE)[0])

    # Roots -----------------------------------------------------------------------------------

    def split(self, value: int) -> tuple[int, tuple[bool, ...]]:
        """Return the page number and bit classes of a constant."""
        if not self.masks:
            return value, ()
        return value >> PAGE_BITS, tuple(bool(value & m) for m in self.masks)

    def join(self, page: int, bits: tuple[bool, ...]) -> int:
        """Return the 64-bit value of a page number and bit classes."""
        if not self.masks:
            return page
        return (page << PAGE_BITS) | sum(m for m, b in zip(self.masks, bits, strict=True) if b)

    def page_of(self, page: int) -> z3.ExprRef:
        """Return the term for a constant page number."""
        if page not in self._pages:
            self._pages[page] = z3.Const(f"page:{page:#x}", self.sort)
        return self._pages[page]

    def page_term(self, page: int | z3.ExprRef) -> z3.ExprRef:
        """Return a page number as a term."""
        return self.page_of(page) if isinstance(page, int) else page

    def known_pages(self) -> dict[int, z3.ExprRef]:
        """Every constant page number met so far."""
        return dict(self._pages)

    def axioms(self) -> list[z3.BoolRef]:
        """Return what must be asserted along: the constant pages met so far differ."""
        if len(self._pages) < 2:
            return []
        return [z3.Distinct(*self._pages.values())]

    def fresh_root(self, name: str) -> Root:
        """Return a load's root: a page-aligned value other than 0 and INVALID_PAGE."""
        return Root(z3.Const(name, self.sort), tuple(False for _ in self.masks))

    def proper(self, root: Root) -> list[z3.BoolRef]:
        """Return the constraints on a load's root: not 0, not INVALID_PAGE, not NONE."""
        pages = {0, self.split(INVALID)[0], self.split(NONE)[0]}
        if not self.masks:
            pages |= {INVALID & ~LOW, *self.kinds.odd}
        return [self.page_term(root.page) != self.page_of(p) for p in sorted(pages)]

    def masked(self, root: Root, mask: int) -> Root:
        """Return a root without bits of its own, masked to all or some of its low bits."""
        if isinstance(root.page, int):
            return Root(root.page & mask, ())
        result = root if mask > LOW else Root(0, ())
        # NONE is no multiple of the page size either: a mask of 64 bits leaves nothing of it.
        for odd in sorted(self.kinds.odd | {NONE}):
            same = self.equal(root, Root(odd, ()))
            kept = self.ite(same, Root(odd & mask, ()), result)
            assert isinstance(kept, Root)
            result = kept
        return result

    # Making ----------------------------------------------------------------------------------

    def constant(self, value: int, type_: Type, kind: Representation | None) -> Value:
        """Return a constant of a type in a kind's representation."""
        if not isinstance(type_, Int):
            return value
        if type_ == BOOL:
            return bool(value)
        match kind:
            case Representation.ROOT:
                page, bits = self.split(value)
                return Root(page, bits)
            case Representation.FLAG:
                return value != 0
            case Representation.BITS:
                return z3.BitVecVal(value, type_.width)
            case _:
                return value

    def fresh(self, name: str, type_: Type, kind: Representation | None) -> Value:
        """Return a new unknown of a type in a kind's representation."""
        if type_ == BOOL:
            return z3.Bool(name)
        if not isinstance(type_, Int):
            return z3.Int(name)
        match kind:
            case Representation.ROOT:
                bits = tuple(z3.Bool(f"{name}.{m:#x}") for m in self.masks)
                return Root(z3.Const(name, self.sort), bits)
            case Representation.FLAG:
                return z3.Bool(name)
            case Representation.BITS:
                return z3.BitVec(name, type_.width)
            case _:
                return self.ranged(z3.Int(name), type_.low, type_.high)

    def limits(self, value: Value, type_: Type, vcpus: t.Number) -> list[z3.BoolRef]:
        """Return the constraints that an unknown of a type satisfies."""
        if isinstance(value, Root) and isinstance(type_, Int) and type_.width < ROOT.width:
            if isinstance(value.page, z3.ArrayRef):
                return []
            return [self.page_term(value.page) != self.page_of(self.split(NONE)[0])]
        if not isinstance(value, z3.ArithRef):
            return []
        match type_:
            case Int():
                return [value >= type_.low, value <= type_.high]
            case VcpuRef():
                return [value >= NO_VCPU, value < vcpus]
            case LockWord():
                return [value >= 0]

    def ranged(self, term: z3.ArithRef, low: int, high: int) -> z3.ArithRef:
        """Remember that a term lies in low..high."""
        self._ranges[term.get_id()] = (term, low, high)
        return term

    def known_range(self, n: t.Number) -> tuple[int, int] | None:
        """Return the interval remembered for a number, None where there is none."""
        if isinstance(n, int):
            return n, n
        known = self._ranges.get(n.get_id())
        return None if known is None else (known[1], known[2])

    def range_of(self, n: t.Number, type_: Int) -> tuple[int, int]:
        """Return an interval that holds the value of an expression of a type.

        Where nothing more is known it is that of the type: sums and conversions either wrap around
        or are asked, where they stand, not to leave theirs.
        """
        return self.known_range(n) or (type_.low, type_.high)

    def note(self, total: t.Number, type_: Int, grows: t.Bool, *, exactly: bool = False) -> None:
        """Note that a number may leave its type, as sums of plain numbers may, too.

        It is in doubt unless it is one of those that surely fit: small numbers and, where an `int`
        fits, numbers up to that of vCPUs, which is one; or `exactly` those of the type, as where
        it is known. A number that does not grow is not too large.
        """
        if self.overflows is None:
            return
        unfit = Unfit(False, total, type_.low, type_.high, grows)  # noqa: FBT003
        if isinstance(total, int) or exactly:
            doubtful = unfit.leaves
        else:
            low = total >= max(type_.low, -SMALL)
            most = self.most if self.most is not None and type_.high >= INT.high else type_.high
            high = z3.Or(total <= min(type_.high, self.small), total <= most)
            doubtful = t.not_(t.and_(low, t.implies(grows, high)))
        self._note(replace(unfit, doubtful=doubtful))

    def note_vcpu(self, number: t.Number) -> None:
        """Note the condition that a number that is taken for a vCPU is none, nor NULL.

        Nothing wraps around here, so what holds of all vCPUs would be taken for granted of it.
        """
        if self.most is not None:
            unfit = Unfit(False, number, NO_VCPU, self.most - 1, True)  # noqa: FBT003
            self._note(replace(unfit, doubtful=unfit.leaves))

    def _note(self, found: Unfit) -> None:
        if self.overflows is not None and found.doubtful is not False:
            self.overflows.append(found)

    def forget_noted(self) -> tuple[Unfit, ...]:
        """Return what was noted so far, and forget it."""
        noted = tuple(self.overflows or ())
        if self.overflows is not None:
            self.overflows.clear()
        return noted

    @contextmanager
    def noting_if(self, chosen: t.Bool) -> Iterator[None]:
        """Note what is noted meanwhile only for where `chosen` holds."""
        start = len(self.overflows or ())
        yield
        if self.overflows is not None:
            noted = [found.where(chosen) for found in self.overflows[start:]]
            self.overflows[start:] = [x for x in noted if x.doubtful is not False]

    # Choosing and comparing ------------------------------------------------------------------

    def ite(self, c: t.Bool, a: Value, b: Value) -> Value:
        """Choice between two values of one kind."""
        if isinstance(c, bool):
            return a if c else b
        if a is b:
            return a
        match a, b:
            case Root(), Root():
                return self._ite_root(c, a, b)
            case (z3.BitVecRef(), z3.BitVecRef()) | (z3.ArrayRef(), z3.ArrayRef()):
                return (
                    a
                    if term_constructors.is_same_term(a, b)
                    else term_constructors.make_choice(c, a, b)
                )
            case ((bool() | z3.BoolRef()), (bool() | z3.BoolRef())):
                return t.ite_bool(c, a, b)
            case ((int() | z3.ArithRef()), (int() | z3.ArithRef())):
                return self._ite_number(c, a, b)
            case _:
                raise TypeError(f"kinds differ: {a!r} and {b!r}")

    def _ite_root(self, c: z3.BoolRef, a: Root, b: Root) -> Root:
        bits = tuple(t.ite_bool(c, x, y) for x, y in zip(a.bits, b.bits, strict=True))
        if isinstance(a.page, int) and isinstance(b.page, int) and a.page == b.page:
            return Root(a.page, bits)
        x, y = self.page_term(a.page), self.page_term(b.page)
        return Root(
            x if term_constructors.is_same_term(x, y) else term_constructors.make_choice(c, x, y),
            bits,
        )

    def _ite_number(self, c: z3.BoolRef, a: t.Number, b: t.Number) -> t.Number:
        result = t.ite_number(c, a, b)
        if isinstance(result, z3.ArithRef) and result.get_id() not in self._ranges:
            left, right = self.known_range(a), self.known_range(b)
            # What type the two have is not known here, so nothing stands in for a missing interval.
            if left is not None and right is not None:
                self.ranged(result, min(left[0], right[0]), max(left[1], right[1]))
        return result

    def equal(self, a: Value, b: Value) -> t.Bool:
        """Equality of two values of one kind."""
        match a, b:
            case Root(), Root():
                bits = (t.equal_bool(x, y) for x, y in zip(a.bits, b.bits, strict=True))
                return t.and_(self._equal_pages(a.page, b.page), *bits)
            case z3.BitVecRef(), z3.BitVecRef():
                return (
                    True
                    if term_constructors.is_same_term(a, b)
                    else fold_bool(term_constructors.make_equality(a, b))
                )
            case z3.ArrayRef(), z3.ArrayRef():
                return (
                    True
                    if term_constructors.is_same_term(a, b)
                    else term_constructors.make_equality(a, b)
                )
            case ((bool() | z3.BoolRef()), (bool() | z3.BoolRef())):
                return t.equal_bool(a, b)
            case ((int() | z3.ArithRef()), (int() | z3.ArithRef())):
                return t.compare_numbers("==", a, b)
            case _:
                raise TypeError(f"kinds differ: {a!r} and {b!r}")

    def _equal_pages(self, a: int | z3.ExprRef, b: int | z3.ExprRef) -> t.Bool:
        if isinstance(a, int) and isinstance(b, int):
            return a == b
        x, y = self.page_term(a), self.page_term(b)
        return (
            True if term_constructors.is_same_term(x, y) else term_constructors.make_equality(x, y)
        )

    def nonzero(self, a: Value) -> t.Bool:
        """Return the condition that a value is not 0."""
        match a:
            case Root():
                return t.not_(self.equal(a, Root(0, tuple(False for _ in a.bits))))
            case z3.BitVecRef():
                return fold_bool(a != 0)
            case bool() | z3.BoolRef():
                return a
            case _:
                return t.compare_numbers("!=", a, 0)


def fold_bool(b: z3.BoolRef) -> t.Bool:
    """Fold a comparison of bit-vector constants."""
    if all(z3.is_bv_value(x) for x in b.children()):
        return z3.is_true(z3.simplify(b))
    return b


def _bit_classes(kinds: Kinds) -> tuple[int, ...]:
    """Masks of low bits that no constant of the program separates; empty if bits do not matter."""
    if not kinds.split or not kinds.exact_roots:
        return ()
    classes = [LOW]
    for c in sorted(kinds.constants | {INVALID}):
        classes = [m for k in classes for m in (k & c, k & ~c) if m]
    return tuple(classes)
