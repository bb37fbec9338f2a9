"""The program to be checked: where it goes and is cut, what others notice, what is known of it.

Lemma L34 of docs/soundness.md.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import assert_never

from flushproof.ir import code as ir
from flushproof.ir.analysis.control_flow import reachable_positions, successor_positions
from flushproof.ir.analysis.def_use import defined_local, fields_of
from flushproof.ir.invariant import ClaimedProof, CutPoint, Fact, Position
from flushproof.ir.program import Operation, Program, Role
from flushproof.ir.types import LockWord
from flushproof.verify.proof_checker.terms import NotUnderstood

Code = tuple[ir.Instr, ...]

ONLY_READING = (ir.Read, ir.Available, ir.Holds, ir.Every, ir.Access)
"""Instructions that write no field that they name; any other is taken to write it."""


class CheckedProgram:
    """A program as a proof cuts it, and what another proof has shown of the code proper.

    For each operation there are its `locals` by name, its `points`, all `cuts` with the beginning,
    the `boundaries` where steps begin, the `heads` of loops, and those without a rank, `endless`.
    `values` are facts about fields. At the positions `trusted` no sum wraps around; with `defined`
    nothing that the code proper does is undefined, else that is to be shown; with `many` there may
    be several flushers. `fields` are those that are looked at, `written` those of them that change;
    of any other a read gives any value, and no write is noticed but at the `moments` (L34).
    """

    def __init__(
        self,
        program: Program,
        proof: ClaimedProof,
        trusted: frozenset[Position] = frozenset(),
        *,
        defined: bool = False,
    ) -> None:
        """Cut a program.

        Raises:
            NotUnderstood: a cut is nowhere, or a loop has no head.
        """
        self.program = program
        self.trusted = trusted
        self.defined = defined
        self.many = proof.many
        self.locals = {
            o.name: {x.name: x for x in (*o.parameters.all, *map(defined_local, o.code)) if x}
            for o in program.operations
        }
        self.points: dict[str, dict[int, CutPoint]] = {o.name: {} for o in program.operations}
        self._cut({o.name: len(o.code) for o in program.operations}, proof.cuts)
        self.fields = {f.name: f for f in program.fields if f.name not in proof.havocked}
        self.written = written_fields(program) & self.fields.keys()
        self._require_no_matter(proof.havocked)
        self.moments = {o.name: self._find_moments(o) for o in program.operations}
        self.values: dict[str, tuple[Fact, ...]] = {}
        for field, fact in proof.values:
            self.values[field] = (*self.values.get(field, ()), fact)
        self.cuts = self._where(lambda p: p.boundary or p.head, 0)
        self.boundaries = self._where(lambda p: p.boundary, 0)
        self.heads = self._where(lambda p: p.head)
        self.endless = self._where(lambda p: p.head and not p.rank)
        for o in program.operations:
            _require_shape(o, self.heads[o.name])

    def _cut(self, lengths: dict[str, int], cuts: Iterable[CutPoint]) -> None:
        for p in cuts:
            name, at = p.at.operation, p.at.at
            if not 0 <= at < lengths.get(name, 0) or not (p.boundary or p.head):
                raise NotUnderstood(f"a cut at {at} of {name}()")
            if self.points[name].setdefault(at, p) != p:
                raise NotUnderstood(f"two cuts at {at} of {name}()")
            if at == 0 and p.facts:
                # A call begins there with any locals, so nothing would show such a fact.
                raise NotUnderstood(f"facts where {name}() begins")

    def _require_no_matter(self, names: Iterable[str]) -> None:
        """Refuse to look away from what is no field, a ghost, or a lock."""
        known = {f.name: f for f in self.program.fields}
        for name in names:
            if name not in known or known[name].ghost or isinstance(known[name].type, LockWord):
                raise NotUnderstood(f"`{name}` is no field that could be left out")

    def _find_moments(self, o: Operation) -> frozenset[int]:
        """Return the writes of fields that are left out after which code of a claim looks about.

        It runs at the moment of an access, so it might see what others did just before.
        """
        own = (at for at, i in enumerate(o.code) if not i.from_claim)
        visible = frozenset(at for at in own if is_visible(o.code[at], self.written))
        moments: set[int] = set()
        for at, i in enumerate(o.code):
            if all(f.name in self.fields for f in fields_of(i)):
                continue
            following = reachable_positions(o.code, at, visible)
            watched = any(o.code[to].from_claim for to in following) or waits_for_value(i)
            if i.from_claim or isinstance(i, ir.Every) or (watched and not isinstance(i, ir.Write)):
                raise NotUnderstood(
                    "a claim looks at a field that is left out, or at accesses to it"
                )
            if watched and not is_in_block(i):
                moments.add(at)
        return frozenset(moments)

    def _where(self, choose: Callable[[CutPoint], bool], *more: int) -> dict[str, frozenset[int]]:
        return {
            name: frozenset({*more, *(at for at, p in points.items() if choose(p))})
            for name, points in self.points.items()
        }


def _require_shape(o: Operation, heads: frozenset[int]) -> None:
    _require_whole_blocks(o)
    if o.role is Role.LOAD and o.parameters.vcpu in map(defined_local, o.code):
        raise NotUnderstood(f"{o.name}() assigns the vCPU that it is for")
    if any(0 in successor_positions(o.code, at) for at in range(len(o.code))):
        # What callers see to is taken to hold at 0, also of arguments that are assigned.
        raise NotUnderstood(f"{o.name}() goes back to where it begins")
    for at in sorted({0} | heads):
        region_positions(o.code, at, heads)


def _require_whole_blocks(o: Operation) -> None:
    """Refuse accesses as in an atomic block that is not one step: others could come between."""
    seen: set[tuple[int, bool]] = set()
    work = [(0, False)]
    while work:
        at, inside = here = work.pop()
        if here in seen:
            continue
        seen.add(here)
        i = o.code[at]
        atomic = is_in_block(i)
        touched = frozenset(f.name for f in fields_of(i))
        noticed = isinstance(i, ir.Stop) or is_visible(i, touched)
        if (atomic and not inside) or (inside and noticed):
            raise NotUnderstood(f"{o.name}() has an atomic block that is not one step")
        inside = isinstance(i, ir.BeginAtomic) or (inside and not isinstance(i, ir.EndAtomic))
        work += [(to, inside) for to in successor_positions(o.code, at)]


def region_positions(code: Code, start: int, cuts: frozenset[int]) -> tuple[int, ...]:
    """Return the positions from `start` to the next cuts, each before those that it leads to.

    Raises:
        NotUnderstood: there is a circle without a cut.
    """
    order: list[int] = []
    left: dict[int, bool] = {}
    work = [start]
    while work:
        at = work[-1]
        if at not in left:
            left[at] = False
            following = [to for to in successor_positions(code, at) if to not in cuts]
            if any(left.get(to) is False for to in following):
                raise NotUnderstood("a circle without a cut")
            work += [to for to in following if to not in left]
        else:
            work.pop()
            if not left[at]:
                left[at] = True
                order.append(at)
    return tuple(reversed(order))


def written_fields(program: Program) -> frozenset[str]:
    """Name the fields that some operation may write."""
    code = (i for o in program.operations for i in o.code if not isinstance(i, ONLY_READING))
    return frozenset(f.name for i in code for f in fields_of(i))


def waits_for_value(i: ir.Instr) -> bool:
    """Tell whether an access waits until it finds a value, for ever if none comes."""
    return isinstance(i, ir.Read | ir.Exchange) and i.until is not None


def is_in_block(i: ir.Instr) -> bool:
    """Tell whether an access is made in an atomic block."""
    return isinstance(i, ir.Read | ir.Write) and i.mode is ir.Mode.ATOMIC


def is_visible(i: ir.Instr, written: frozenset[str]) -> bool:
    """Tell whether another thread can notice an instruction, or what it reads may change."""
    match i:
        case ir.Read(until=ir.Until()) | ir.Exchange(until=ir.Until()):
            return True
        case ir.Read(field=f, mode=mode) | ir.Write(field=f, mode=mode):
            return mode not in (ir.Mode.GHOST, ir.Mode.ATOMIC) and f.name in written
        case ir.Exchange(field=f):
            return f.name in written
        case ir.Acquire() | ir.TryAcquire() | ir.Available() | ir.Release():
            return True
        case ir.Fence() | ir.Hypercall() | ir.Enter() | ir.Return() | ir.Access() | ir.Drain():
            return True
        case ir.BeginAtomic():
            return True
        case ir.Assign() | ir.Havoc() | ir.Holds() | ir.Every() | ir.Uninit():
            return False
        case (
            ir.StoreFence()
            | ir.Check()
            | ir.Assert()
            | ir.Jump()
            | ir.Branch()
            | ir.Stop()
            | ir.EndAtomic()
        ):
            return False
        case _:
            assert_never(i)
