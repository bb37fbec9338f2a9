"""Whether two variants are equal for every number of vCPUs, loads and flushes.

In: their plain programs. Out: the relation between their states that shows it, found as an
invariant and confirmed the way those of claims are, or why there is none.

Lemma L27 of docs/soundness.md.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from flushproof.engines.outcome import NoProof
from flushproof.features.nfc.atomic_calls import SEVERAL, find_cuts
from flushproof.features.nfc.lockstep_product import join_in_lockstep
from flushproof.ir.analysis.representation import infer_kinds
from flushproof.ir.invariant import ClaimedProof
from flushproof.ir.program import Program
from flushproof.ir.types import RW_LOCK
from flushproof.support.record import Record
from flushproof.verify.proof_checker.check import (
    ProofRefused,
    check_atomic_calls,
    check_whole_calls,
)
from flushproof.verify.unbounded_proofs import UNCONFIRMED, export_claimed

if TYPE_CHECKING:
    from flushproof.engines.unbounded.prove import ConfirmedInvariant

EFFORT = 10_000
"""Questions that the search for a relation may ask."""

NONE_FOUND = NoProof("no relation between the two states was found that is kept and says so")


class Related(Record, frozen=True):
    """The relation between the two states between calls, line by line in C's terms.

    It holds for so many flushers, None for any number.
    """

    lines: tuple[str, ...]
    exact_roots: bool
    flushers: int | None


def equal_for_all(
    old: Program, new: Program, flushers: int, *, after_load: bool
) -> Related | NoProof:
    """Return what shows that two variants are equal, or why nothing does.

    It is looked for with any number of flushers, or with one where no more are asked for.

    Raises:
        InputError: the operations of the two do not correspond.
    """
    from flushproof.engines.symbolic.values import NotExact
    from flushproof.engines.unbounded.finite_instantiation import OutsideSmallDomains
    from flushproof.engines.unbounded.prove import out_of_reach

    for program in (old, new):
        beyond = out_of_reach(program)
        if beyond is not None:
            return beyond
        if any(f.type == RW_LOCK for f in program.fields):
            return NoProof("there is a lock for readers and writers")
    if not _atomic(old, new, SEVERAL):
        if flushers > 1 or not _atomic(old, new, 1):
            return NoProof("with any number of vCPUs, others may see a call in the middle")
        many: int | None = 1
    else:
        many = None
    joint = join_in_lockstep(old, new, after_load=after_load)
    if joint is None:
        return NoProof("there are too many loops, or a lock for each vCPU")
    for program in (old, new):
        outcome = check_atomic_calls(program, _cut_at_loops(program), many)
        if isinstance(outcome, ProofRefused):
            return NoProof(f"{UNCONFIRMED}: {outcome.reason}")
    try:
        return _search(joint, many)
    except (NotExact, OutsideSmallDomains):
        return NoProof("the relation would have to speak of arithmetic")


def _cut_at_loops(program: Program) -> ClaimedProof:
    from flushproof.engines.unbounded.export_ranks import list_loop_heads

    cuts = tuple(cut for o in program.operations for cut in list_loop_heads(o))
    return ClaimedProof(cuts, (), ())


def _atomic(old: Program, new: Program, flushers: int) -> bool:
    return all(find_cuts(p, None, flushers) is None for p in (old, new))


def _search(joint: Program, flushers: int | None) -> Related | NoProof:
    """Look for a relation that each vCPU's fields satisfy, a vCPU that stands for all included."""
    from flushproof.engines.unbounded.horn_encoding import Builder
    from flushproof.engines.unbounded.ic3 import Exhausted, Ic3
    from flushproof.engines.unbounded.inductiveness_check import list_failing_clauses
    from flushproof.engines.unbounded.invariant_text import facts_between_calls
    from flushproof.engines.unbounded.prove import ConfirmedInvariant
    from flushproof.engines.unbounded.state_space import TrackedInstances, make_state_space

    kinds = infer_kinds(joint)
    case = TrackedInstances(generic=True)
    where = make_state_space(joint, kinds, case)
    whole = {o.name: frozenset({0}) for o in joint.operations}
    builder = Builder(where, whole, claims_only=False)
    system = builder.run()
    try:
        found = Ic3(system, EFFORT).run()
    except Exhausted:
        return NoProof("the search for a relation between the two states took too many steps")
    if found is None or list_failing_clauses(system, found):
        return NONE_FOUND
    part = ConfirmedInvariant(case, where, builder.frames, system, found)
    refused = _confirm(joint, whole, part)
    if refused is not None:
        return refused
    return Related(tuple(facts_between_calls(part)), kinds.exact_roots, flushers)


def _confirm(
    joint: Program, whole: Mapping[str, frozenset[int]], part: ConfirmedInvariant
) -> NoProof | None:
    """Have the proof checker decide whether a relation is one; return why not."""
    from flushproof.engines.unbounded.prove import Proof

    claimed = export_claimed(joint, whole, Proof((part,)), claims_only=False)
    if isinstance(claimed, NoProof):
        return claimed
    outcome = check_whole_calls(joint, claimed)
    if isinstance(outcome, ProofRefused):
        return NoProof(f"{UNCONFIRMED}: {outcome.reason}")
    return None
