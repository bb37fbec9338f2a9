"""Proofs for every number of vCPUs, as plain data.

In: a `Machine`. Out: for a claim the invariant in words and a script that other solvers can check,
or why there is none. That the code proper does nothing undefined, and no sum of it leaves its type,
is proved once.

Lemma L4, Lemma L6, Lemma L17, Lemma L23 of docs/soundness.md.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import cached_property
from typing import TYPE_CHECKING

from flushproof.ir.program import Role
from flushproof.machine.build import Machine
from flushproof.machine.lock_order import in_order
from flushproof.results.second_opinion import Opinion
from flushproof.support.memory_model import MemoryModel
from flushproof.support.record import Record, replace

if TYPE_CHECKING:
    from flushproof.engines.reduction.step_plan import StepPlan
    from flushproof.engines.second.second_solver import Second
    from flushproof.engines.unbounded.prove import Proof, Subject
    from flushproof.ir.program import Program


def _hopeful() -> str:
    return ""


class Evidence(Record, frozen=True):
    """What a proof rests on: its invariant in C's terms, line by line, and an SMT-LIB 2 script.

    `opinions` are a second solver's on the script.
    """

    invariant: tuple[str, ...]
    script: str
    exact_roots: bool
    opinions: tuple[Opinion, ...] = ()


class ForAll:
    """Proves claims about one machine with one flusher; `evidence` says whether to write it out.

    A second solver, where there is one, goes through each proof.
    """

    def __init__(
        self,
        machine: Machine,
        *,
        evidence: bool,
        second: Second | None = None,
        steps: int | None = None,
    ) -> None:
        self.machine = machine
        self.evidence = evidence
        self.second = second
        self.steps = steps

    def plan(self, program: Program) -> StepPlan | None:
        """Return where steps begin, for any number of vCPUs; None where that cannot be told."""
        from flushproof.engines.reduction.commutativity import ThreadCounts
        from flushproof.engines.reduction.step_plan import make_plan
        from flushproof.engines.unbounded.prove import out_of_reach

        if out_of_reach(program):
            return None
        return make_plan(program, ThreadCounts(None, self.machine.setup.bounds.flushers))

    def prove(
        self, program: Program, plan: StepPlan | None, hopeless: Callable[[], str] = _hopeful
    ) -> Evidence | str:
        """Return what proves the claims of a program, or why nothing does.

        `hopeless` is asked once attempts have failed, and may say why no other is worth while.
        """
        from flushproof.engines.unbounded.prove import out_of_reach

        if self.machine.setup.memory is not MemoryModel.SC:
            return "stores are buffered"
        if self.machine.setup.bounds.flushers != 1:
            return "there are several flushers"
        if program.of(Role.DEADLOCK):
            return self._prove_in_order(program, hopeless)
        if plan is None:
            return out_of_reach(program)
        return self._prove(program, plan, hopeless, "the claim")

    def _prove_in_order(self, program: Program, hopeless: Callable[[], str]) -> Evidence | str:
        """Prove that locks are taken in one order, so that nobody waits for ever."""
        from flushproof.engines.unbounded.prove import out_of_reach

        ordered = in_order(program)
        if ordered is None:
            return "there is no one order in which the locks are taken"
        plan = self.plan(ordered.program)
        if plan is None:
            return out_of_reach(ordered.program)
        order = ", then ".join(f.label for f in ordered.locks) or "none"
        text = f"locks are waited for in one order ({order}), freed by who holds them, and not kept"
        found = self._prove(ordered.program, plan, hopeless, text)
        if isinstance(found, str):
            return found
        return replace(found, invariant=(text, *found.invariant) if self.evidence else ())

    def _prove(
        self, program: Program, plan: StepPlan, hopeless: Callable[[], str], title: str
    ) -> Evidence | str:
        from flushproof.engines.unbounded.certificate import proofs_script
        from flushproof.engines.unbounded.invariant_text import invariant_lines
        from flushproof.engines.unbounded.prove import minimise_proof

        if isinstance(self.defined, str):
            return f"the code itself: {self.defined}"
        found = self._proof(program, plan, hopeless)
        if isinstance(found, str):
            return found
        if not self.evidence and self.second is None:
            return Evidence((), "", plan.kinds.exact_roots)
        found, defined = minimise_proof(found), minimise_proof(self.defined)
        proofs = {"nothing undefined, no sum leaves its type": defined, title: found}
        written = proofs_script(proofs)
        opinions = self._opinions(written)
        if not self.evidence:
            return Evidence((), "", plan.kinds.exact_roots, opinions)
        lines = tuple(line for part in found.parts for line in invariant_lines(part))
        return Evidence(lines, written, plan.kinds.exact_roots, opinions)

    def _opinions(self, script: str) -> tuple[Opinion, ...]:
        if self.second is None:
            return ()
        from flushproof.engines.second.cvc5_query import SolverAnswer

        return (self.second.on(script, SolverAnswer.UNSAT, "a proof for every number of vCPUs"),)

    @cached_property
    def defined(self) -> Proof | str:
        """A proof that the code proper does nothing undefined, or why there is none."""
        from flushproof.engines.unbounded.prove import prove

        base = self.machine.with_claims(())
        plan = self.plan(base)
        if plan is None:
            return "its locks are more than mutual exclusion"
        return prove(_subject(base, plan, self.steps, claims_only=False), _hopeful)

    def _proof(self, program: Program, plan: StepPlan, hopeless: Callable[[], str]) -> Proof | str:
        from flushproof.engines.unbounded.prove import prove

        return prove(_subject(program, plan, self.steps, claims_only=True), hopeless)


def _subject(program: Program, plan: StepPlan, steps: int | None, *, claims_only: bool) -> Subject:
    from flushproof.engines.unbounded.prove import Subject

    return Subject(program, plan.kinds, plan.boundaries, claims_only, steps)
