"""What is to be checked: a program, where it is cut, and what is known of its own code."""

from __future__ import annotations

from collections.abc import Mapping

from flushproof.ir.invariant import ClaimedProof, CutPoint, Fact
from flushproof.ir.program import Program
from flushproof.support.record import Record
from flushproof.verify.proof_checker.code_paths import (
    NotUnderstood,
    region_positions,
    successor_positions,
)


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
        if not 0 <= p.at.at < len(codes.get(p.at.operation, ())) or not (p.boundary or p.head):
            raise NotUnderstood(f"a cut at {p.at.at} of {p.at.operation}()")
        if points[p.at.operation].setdefault(p.at.at, p) != p:
            raise NotUnderstood(f"two cuts at {p.at.at} of {p.at.operation}()")
        if p.at.at == 0 and p.facts:
            # A call begins there with any locals, so nothing would show such a fact.
            raise NotUnderstood(f"facts where {p.at.operation}() begins")
    values: dict[str, tuple[Fact, ...]] = {}
    for name, fact in proof.values:
        values[name] = (*values.get(name, ()), fact)
    checked = CheckedProgram(program, points, values, trusted, defined, proof.many)
    for name, code in codes.items():
        if any(0 in successor_positions(code, at) for at in range(len(code))):
            # What callers see to is taken to hold at 0, also of arguments that are assigned.
            raise NotUnderstood(f"{name}() goes back to where it begins")
        for at in sorted({0} | checked.heads(name)):
            region_positions(code, at, checked.heads(name))
    return checked
