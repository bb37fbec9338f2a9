"""What is to be checked: a program, where it is cut, and what is known of its own code."""

from __future__ import annotations

from collections.abc import Mapping

from flushproof.ir.analysis.control_flow import successor_positions
from flushproof.ir.analysis.def_use import defined_local
from flushproof.ir.code import Field
from flushproof.ir.invariant import ClaimedProof, CutPoint, Fact
from flushproof.ir.program import Operation, Program, Role
from flushproof.support.record import Record
from flushproof.verify.proof_checker.code_paths import NotUnderstood, region_positions


class CheckedProgram(Record, frozen=True):
    """A program, where it is cut, and what another proof has shown of the code proper.

    `trusted` gives for each operation where no sum wraps around; with `defined` nothing that the
    code proper does is undefined, else that is to be shown. `values` are facts about fields; with
    `many` there may be several flushers.
    """

    program: Program
    points: Mapping[str, Mapping[int, CutPoint]]
    values: Mapping[str, tuple[Fact, ...]]
    trusted: Mapping[str, frozenset[int]]
    defined: bool
    many: bool

    def cuts(self, operation: str) -> frozenset[int]:
        """Return where the code of an operation is cut, its beginning included."""
        return frozenset({0, *self.points[operation]})

    def boundaries(self, operation: str) -> frozenset[int]:
        """Return where steps begin."""
        points = self.points[operation].items()
        return frozenset({0, *(at for at, p in points if p.boundary)})

    def heads(self, operation: str) -> frozenset[int]:
        """Return the heads of loops."""
        return frozenset(at for at, p in self.points[operation].items() if p.head)

    def endless(self, operation: str) -> frozenset[int]:
        """Return the heads of loops without a rank."""
        points = self.points[operation].items()
        return frozenset(at for at, p in points if p.head and not p.rank)

    def exact(self, operation: str) -> frozenset[int]:
        """Return where no sum wraps around."""
        return self.trusted.get(operation, frozenset())

    def facts_of(self, f: Field) -> tuple[Fact, ...]:
        """Return what always holds of a field."""
        return self.values.get(f.name, ())


def make_checked(
    program: Program,
    proof: ClaimedProof,
    trusted: Mapping[str, frozenset[int]],
    *,
    defined: bool,
) -> CheckedProgram:
    """Return a program as a proof cuts it.

    Raises:
        NotUnderstood: a cut is nowhere, or a loop has no head.
    """
    codes = {o.name: o.code for o in program.operations}
    points: dict[str, dict[int, CutPoint]] = {name: {} for name in codes}
    for p in proof.cuts:
        name, at = p.at.operation, p.at.at
        if not 0 <= at < len(codes.get(name, ())) or not (p.boundary or p.head):
            raise NotUnderstood(f"a cut at {at} of {name}()")
        if points[name].setdefault(at, p) != p:
            raise NotUnderstood(f"two cuts at {at} of {name}()")
        if at == 0 and p.facts:
            # A call begins there with any locals, so nothing would show such a fact.
            raise NotUnderstood(f"facts where {name}() begins")
    values: dict[str, tuple[Fact, ...]] = {}
    for field, fact in proof.values:
        values[field] = (*values.get(field, ()), fact)
    checked = CheckedProgram(program, points, values, trusted, defined, proof.many)
    for o in program.operations:
        _require_shape(o, checked.heads(o.name))
    return checked


def _require_shape(o: Operation, heads: frozenset[int]) -> None:
    if o.role is Role.LOAD and o.parameters.vcpu in map(defined_local, o.code):
        raise NotUnderstood(f"{o.name}() assigns the vCPU that it is for")
    if any(0 in successor_positions(o.code, at) for at in range(len(o.code))):
        # What callers see to is taken to hold at 0, also of arguments that are assigned.
        raise NotUnderstood(f"{o.name}() goes back to where it begins")
    for at in sorted({0} | heads):
        region_positions(o.code, at, heads)
