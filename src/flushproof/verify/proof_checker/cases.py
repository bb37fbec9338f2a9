"""Whether the cases of a proof are all: no failure, and no relation of witnesses, is in none."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from flushproof.ir.analysis.control_flow import successor_positions
from flushproof.ir.code import Assert, Assign, Branch, Const, Jump, Var
from flushproof.ir.invariant import ANY, CaseInvariant, ClaimedProof, Position
from flushproof.ir.program import Program, Role
from flushproof.ir.types import VCPU
from flushproof.verify.proof_checker.checked_program import Code
from flushproof.verify.proof_checker.terms import NotUnderstood


def require_all_cases(program: Program, proof: ClaimedProof) -> None:
    """Refuse a proof whose cases do not cover every failure, undefined behaviour included.

    Raises:
        NotUnderstood: a way to fail, or a relation of the claim's vCPUs, is in no case.
    """
    if not _cover_witnesses(program, list(proof.cases)):
        raise NotUnderstood("the cases leave out some of the vCPUs that witnesses may be")
    for o in program.operations:
        if o.role not in (Role.LOAD, Role.FLUSH, Role.OBSERVE, Role.END):
            raise NotUnderstood(f"an operation that is never run: {o.name}")
        for at, i in enumerate(o.code):
            if isinstance(i, Assert):
                for way in _ways_to_fail(o.name, o.code, at):
                    cases = [c for c in proof.cases if not way & {*c.excluded}]
                    if not _cover_witnesses(program, cases):
                        raise NotUnderstood(f"no case for a failure of `{i.claim}`")


def _ways_to_fail(name: str, code: Code, at: int) -> Iterator[frozenset[Position]]:
    """Yield the ways to fail at an assertion, as what must not be excluded for it to be seen.

    It fails after one of the branches that lead to its failure, or after none of them.
    """
    yield frozenset({Position(name, at)})
    for k in failure_edges(code, at):
        yield frozenset({Position(name, at), Position(name, k)})


def _cover_witnesses(program: Program, cases: list[CaseInvariant]) -> bool:
    """Tell whether cases speak of all vCPUs that the claim's witnesses may be."""
    witnesses = tuple(f.name for f in program.witnesses if f.type == VCPU)
    tracked = {c.tracked for c in cases if not c.merged}
    if (ANY,) in tracked or (len(witnesses) < 2 and witnesses in tracked):
        return True
    apart = tracked & {witnesses, witnesses[::-1]}
    same = {c.tracked for c in cases if c.merged} & {(w,) for w in witnesses}
    return len(witnesses) == 2 and bool(apart and same)


def failure_edges(code: Code, at: int) -> Mapping[int, tuple[int, ...]]:
    """Return the branches after which only an assertion follows, which then fails, and where to.

    The value asserted is a local that is set to 0 there and to 1 elsewhere.
    """
    asserted = code[at]
    if not isinstance(asserted, Assert) or not isinstance(asserted.condition, Var):
        return {}
    local = asserted.condition.local
    false = {
        k
        for k, i in enumerate(code)
        if isinstance(i, Assign)
        and i.target == local
        and i.value == Const(0, local.type)
        and at in (k + 1, _jump_from(code, k + 1))
    }
    branches = (k for k, i in enumerate(code) if isinstance(i, Branch))
    found = {k: tuple(to for to in successor_positions(code, k) if to in false) for k in branches}
    return {k: to for k, to in found.items() if to}


def _jump_from(code: Code, at: int) -> int | None:
    i = code[at]
    return i.target if isinstance(i, Jump) else None
