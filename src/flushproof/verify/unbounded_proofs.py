"""Proofs for every number of vCPUs, as plain data.

In: a `Machine`. Out: for a claim the invariant in words and a script that other solvers can check,
or why there is none. That the code proper does nothing undefined, and no sum of it leaves its type,
is proved once.

Lemma L4, Lemma L6, Lemma L17, Lemma L23 of docs/soundness.md.
"""

from __future__ import annotations

from functools import cached_property
from typing import TYPE_CHECKING, assert_never

from flushproof.engines.outcome import NoProof
from flushproof.ir.program import Role
from flushproof.machine.build import Machine
from flushproof.machine.lock_order import in_order
from flushproof.results.second_opinion import Opinion
from flushproof.support.memory_model import MemoryModel
from flushproof.support.record import Record, replace

if TYPE_CHECKING:
    from flushproof.engines.reduction.step_plan import StepPlan
    from flushproof.engines.second.second_solver import Second
    from flushproof.engines.unbounded.prove import Hopeless, Proof, Subject
    from flushproof.ir.program import Program


def _hopeful() -> None:
    """Say that another attempt may be worth while."""


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

    def plan(self, program: Program) -> StepPlan | NoProof:
        """Return where steps begin with any number of vCPUs, or why no proof is looked for."""
        from flushproof.engines.reduction.commutativity import ThreadCounts
        from flushproof.engines.reduction.step_plan import make_plan
        from flushproof.engines.unbounded.prove import out_of_reach

        counts = ThreadCounts(None, self.machine.setup.bounds.flushers)
        return out_of_reach(program) or make_plan(program, counts)

    def prove(
        self, program: Program, plan: StepPlan | NoProof, hopeless: Hopeless = _hopeful
    ) -> Evidence | NoProof:
        """Return what proves the claims of a program, or why nothing does.

        `hopeless` is asked once attempts have failed, and may say why no other is worth while.
        """
        if self.machine.setup.memory is not MemoryModel.SC:
            return NoProof("stores are buffered")
        if self.machine.setup.bounds.flushers != 1:
            return NoProof("there are several flushers")
        if program.of(Role.DEADLOCK):
            return self._prove_in_order(program, hopeless)
        if isinstance(plan, NoProof):
            return plan
        return self._prove(program, plan, hopeless, "the claim")

    def _prove_in_order(self, program: Program, hopeless: Hopeless) -> Evidence | NoProof:
        """Prove that locks are taken in one order, so that nobody waits for ever."""
        ordered = in_order(program)
        if ordered is None:
            return NoProof("there is no one order in which the locks are taken")
        plan = self.plan(ordered.program)
        if isinstance(plan, NoProof):
            return plan
        order = ", then ".join(f.label for f in ordered.locks) or "none"
        text = f"locks are waited for in one order ({order}), freed by who holds them, and not kept"
        match self._prove(ordered.program, plan, hopeless, text):
            case Evidence() as found:
                lines = (text, *found.invariant) if self.evidence else ()
                return replace(found, invariant=lines)
            case NoProof() as failed:
                return failed
            case other:
                assert_never(other)

    def _prove(
        self, program: Program, plan: StepPlan, hopeless: Hopeless, title: str
    ) -> Evidence | NoProof:
        if isinstance(self.defined, NoProof):
            return NoProof(f"the code itself: {self.defined.reason}")
        found = self._proof(program, plan, hopeless)
        if isinstance(found, NoProof):
            return found
        if not self.evidence and self.second is None:
            return Evidence((), "", plan.kinds.exact_roots)
        return self._written(found, self.defined, plan, title)

    def _written(self, found: Proof, defined: Proof, plan: StepPlan, title: str) -> Evidence:
        """Return a proof as text, with a second solver's opinions on it."""
        from flushproof.engines.unbounded.certificate import proofs_script
        from flushproof.engines.unbounded.invariant_text import invariant_lines
        from flushproof.engines.unbounded.prove import minimise_proof

        found, defined = minimise_proof(found), minimise_proof(defined)
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
    def defined(self) -> Proof | NoProof:
        """A proof that the code proper does nothing undefined, or why there is none."""
        from flushproof.engines.unbounded.prove import prove

        base = self.machine.with_claims(())
        plan = self.plan(base)
        if isinstance(plan, NoProof):
            return NoProof("its locks are more than mutual exclusion")
        return prove(_subject(base, plan, self.steps, claims_only=False), _hopeful)

    def _proof(self, program: Program, plan: StepPlan, hopeless: Hopeless) -> Proof | NoProof:
        from flushproof.engines.unbounded.prove import prove

        return prove(_subject(program, plan, self.steps, claims_only=True), hopeless)


def _subject(program: Program, plan: StepPlan, steps: int | None, *, claims_only: bool) -> Subject:
    from flushproof.engines.unbounded.prove import Subject

    return Subject(program, plan.kinds, plan.boundaries, claims_only, steps)
