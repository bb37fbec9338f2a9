"""Proofs for every number of vCPUs, as plain data.

In: a `Machine`. Out: for a claim the invariant in words and as a claim that can be checked anew, or
why there is none. That the code proper does nothing undefined, and no sum of it leaves its type, is
proved once. Nothing counts as proved unless `proof_checker/` confirms it.

Lemma L4, Lemma L6, Lemma L17, Lemma L23, Lemma L31, Lemma L34, Lemma L35 of docs/soundness.md.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from functools import cached_property, partial
from typing import TYPE_CHECKING, assert_never

from flushproof.engines.outcome import NoProof
from flushproof.ir.invariant import ClaimedProof
from flushproof.ir.passes.dispensable_fields import find_dispensable_fields
from flushproof.ir.passes.havoc_fields import CannotHavocError, havoc_fields
from flushproof.ir.program import Role
from flushproof.machine.build import Machine
from flushproof.machine.lock_order import in_order, waits_for_value
from flushproof.results.second_opinion import Opinion
from flushproof.support.memory_model import MemoryModel
from flushproof.support.record import Record, replace
from flushproof.verify.proof_checker.check import (
    DefinedProgram,
    Outcome,
    ProofConfirmed,
    ProofRefused,
    check_claims,
    check_defined,
)
from flushproof.verify.proof_checker.late_stores import find_late_store
from flushproof.verify.second_asked import SecondAsked

if TYPE_CHECKING:
    from flushproof.engines.reduction.step_plan import StepPlan
    from flushproof.engines.second.second_solver import Second
    from flushproof.engines.unbounded.prove import Hopeless, Proof, Subject
    from flushproof.ir.program import Program


def _hopeful() -> None:
    """Say that another attempt may be worth while."""


class Evidence(Record, frozen=True):
    """What a proof rests on: its invariant in C's terms, line by line, and as claimed proofs.

    `code` is the proof about the code proper, `claim` that of the claim, with any number of
    flushers or with one as they say. `opinions` are a second solver's on what was asked to confirm
    them.
    """

    invariant: tuple[str, ...]
    code: ClaimedProof
    claim: ClaimedProof
    exact_roots: bool
    opinions: tuple[Opinion, ...] = ()


UNCONFIRMED = "not confirmed"

LazyPlan = Callable[[], "StepPlan | NoProof"]
"""Returns where steps begin with any number of vCPUs, or why no proof is looked for."""


class DefinedCode(Record, frozen=True):
    """That the code proper does nothing undefined, as claimed and as confirmed."""

    claimed: ClaimedProof
    confirmed: DefinedProgram


class CheckedProof(Record, frozen=True):
    """A proof, as claimed and as confirmed by the checker."""

    proof: Proof
    claimed: ClaimedProof
    confirmed: ProofConfirmed


class Abstraction(Record, frozen=True):
    """A program, or one with more runs, in which the fields of `havocked` have any value.

    `plan` says where its steps begin.
    """

    program: Program
    plan: StepPlan
    havocked: tuple[str, ...] = ()


SEVERAL = 2
"""Steps are compared in pairs, so that those of two flushers stand for those of any number."""


class ForAll:
    """Proves claims about one machine; `evidence` says whether to show how.

    With `many` there is any number of flushers, else one, though what is proved of any number is
    taken from there. A second solver, where there is one, is asked what z3 is asked to confirm each
    proof.
    """

    def __init__(
        self,
        machine: Machine,
        *,
        evidence: bool,
        second: Second | None = None,
        steps: int | None = None,
        many: bool = False,
    ) -> None:
        self.machine = machine
        self.evidence = evidence
        self.asked = SecondAsked(second)
        self.steps = steps
        self.many = many
        self.flushers = machine.setup.bounds.flushers
        self.sequential: ForAll | None = None
        if machine.setup.memory is not MemoryModel.SC:
            self.sequential = ForAll(
                machine.sequential, evidence=evidence, second=second, steps=steps, many=many
            )
        self.wider: ForAll | None = None
        if not many and not machine.setup.bounds.one_at_a_time:
            self.wider = ForAll(machine, evidence=evidence, second=second, steps=steps, many=True)

    def about(self, claim: str) -> ForAll:
        """Return what proves a claim, which may see other code than most claims do."""
        machine = self.machine.for_claim(claim)
        if machine.base is self.machine.base:
            return self
        second = self.asked.second
        return ForAll(
            machine, evidence=self.evidence, second=second, steps=self.steps, many=self.many
        )

    def plan(self, program: Program) -> StepPlan | NoProof:
        """Return where steps begin with any number of vCPUs, or why no proof is looked for."""
        from flushproof.engines.reduction.commutativity import ThreadCounts
        from flushproof.engines.reduction.step_plan import make_plan
        from flushproof.engines.unbounded.prove import out_of_reach

        counts = ThreadCounts(None, SEVERAL if self.many else self.flushers)
        return out_of_reach(program) or make_plan(program, counts)

    @property
    def within_bounds_defined(self) -> bool:
        """Tell whether the code is proved to do nothing undefined, whatever the bounds.

        That is what any proof begins with, so it is no more work where one is looked for.
        """
        if self.machine.setup.memory is not MemoryModel.SC:
            return False
        widest = self.wider or self
        found = isinstance(widest.defined, DefinedCode)
        return found or (self.flushers == 1 and isinstance(self.defined, DefinedCode))

    def prove_claim(
        self,
        claim: str,
        program: Program,
        plan: LazyPlan | None = None,
        hopeless: Hopeless = _hopeful,
    ) -> Evidence | NoProof:
        """Return what proves a claim with any number of flushers, else with one, if anything.

        `program` has the claim, and `plan` tells where its steps begin, both with as many flushers
        as there are within the bounds.
        """
        if self.sequential is not None:
            return self._prove_sequential(self.sequential, claim, hopeless)
        if self.wider is None:
            return self.prove(program, plan, hopeless)
        if self.flushers > 1:
            return self.wider.prove(program, plan, hopeless)
        named = program
        if self.machine.chooses_calls(claim):
            named = self.machine.with_claims((claim,), named_callers=True)
        found = self.wider.prove(named, None, hopeless)
        if isinstance(found, Evidence) or found.hopeless:
            return found
        return self.prove(program, plan, hopeless)

    def _prove_sequential(
        self, sequential: ForAll, claim: str, hopeless: Hopeless
    ) -> Evidence | NoProof:
        """Prove a claim of code with store buffers by way of the same code without (Lemma L35)."""
        program = sequential.machine.with_claim(claim)
        late = find_late_store(program, unordered=self.machine.setup.memory.unordered)
        return NoProof(late) if late else sequential.prove_claim(claim, program, None, hopeless)

    def prove(
        self, program: Program, plan: LazyPlan | None = None, hopeless: Hopeless = _hopeful
    ) -> Evidence | NoProof:
        """Return what proves the claims of a program, or why nothing does.

        `plan` tells where its steps begin, where that is known already.
        `hopeless` is asked once attempts have failed, and may say why no other is worth while.
        """
        if self.machine.setup.memory is not MemoryModel.SC:
            return NoProof("stores are buffered")
        if self.flushers != 1 and not self.many:
            return NoProof("there are several flushers")
        if program.of(Role.DEADLOCK):
            return self._prove_in_order(program, hopeless)
        return self._prove(program, plan or partial(self.plan, program), hopeless)

    def _prove_in_order(self, program: Program, hopeless: Hopeless) -> Evidence | NoProof:
        """Prove that locks are taken in one order, so that nobody waits for ever."""
        if waits_for_value(program):
            return NoProof("threads wait for values, which any other thread may have to set")
        ordered = in_order(program)
        if ordered is None:
            return NoProof("there is no one order in which the locks are taken")
        order = ", then ".join(f.label for f in ordered.locks) or "none"
        text = f"locks are waited for in one order ({order}), freed by who holds them, and not kept"
        match self._prove(ordered.program, partial(self.plan, ordered.program), hopeless):
            case Evidence() as found:
                lines = (text, *found.invariant) if self.evidence else ()
                return replace(found, invariant=lines)
            case NoProof() as failed:
                return failed
            case other:
                assert_never(other)

    def _prove(self, program: Program, plan: LazyPlan, hopeless: Hopeless) -> Evidence | NoProof:
        code = self.defined
        if isinstance(code, NoProof):
            return NoProof(f"the code itself: {code.reason}")
        coarser = self.coarsen(program)
        if coarser is not None:
            found = self._prove_claims(program, coarser, _hopeful, code)
            if isinstance(found, Evidence):
                return found
        made = plan()
        if isinstance(made, NoProof):
            return made
        return self._prove_claims(program, Abstraction(program, made), hopeless, code)

    def coarsen(self, program: Program) -> Abstraction | None:
        """Return a program in which no field without a lock matters, if there are such fields.

        What holds of it holds of the program (Lemma L34). Its steps are larger.
        """
        havocked = find_dispensable_fields(program)
        if not havocked or self.machine.setup.memory is not MemoryModel.SC:
            return None
        try:
            coarser = havoc_fields(program, havocked)
        except CannotHavocError:
            return None
        plan = self.plan(coarser)
        if isinstance(plan, NoProof):
            return None
        return Abstraction(coarser, plan, tuple(sorted(havocked)))

    def _prove_claims(
        self, program: Program, about: Abstraction, hopeless: Hopeless, code: DefinedCode
    ) -> Evidence | NoProof:
        from flushproof.engines.smt.term_space import current_space, fresh_terms

        outer = current_space()

        def ask_outside() -> NoProof | None:
            with outer.entered():
                return hopeless()

        # What a search comes upon is not to depend on what was asked within bounds before.
        with fresh_terms():
            return self._search_and_confirm(program, about, ask_outside, code)

    def _search_and_confirm(
        self, program: Program, about: Abstraction, hopeless: Hopeless, code: DefinedCode
    ) -> Evidence | NoProof:
        found = self._search(about, hopeless)
        if isinstance(found, NoProof):
            return found
        check = partial(self._check_claims, program, code)
        match self._confirm(about, found, check, claims_only=True):
            case CheckedProof(proof, claimed):
                lines = self._lines(proof, program, about)
                exact = about.plan.kinds.exact_roots
                return Evidence(lines, code.claimed, claimed, exact, self._opinions())
            case NoProof() as refused:
                return refused
            case other:
                assert_never(other)

    def _lines(self, proof: Proof, program: Program, about: Abstraction) -> tuple[str, ...]:
        from flushproof.engines.unbounded.invariant_text import invariant_lines

        if not self.evidence:
            return ()
        labels = (f"`{f.label}`" for f in program.fields if f.name in about.havocked)
        any_value = (f"whatever {', '.join(labels)} may hold",) if about.havocked else ()
        lines = (line for part in proof.parts for line in invariant_lines(part))
        return (*any_value, *lines)

    def _opinions(self) -> tuple[Opinion, ...]:
        """Return the second solver's opinions on what was asked since they were taken last."""
        taken, self.asked.opinions = tuple(self.asked.opinions), []
        return taken

    @cached_property
    def defined(self) -> DefinedCode | NoProof:
        """A confirmed proof that the code proper does nothing undefined, or why there is none."""
        from flushproof.engines.smt.term_space import fresh_terms

        if self.wider is not None and isinstance(self.wider.defined, DefinedCode):
            return self.wider.defined
        with fresh_terms():
            return self._prove_defined()

    def _prove_defined(self) -> DefinedCode | NoProof:
        base = self.machine.with_claims(())
        coarser = self.coarsen(base)
        if coarser is not None:
            found = self._prove_code(base, coarser)
            if isinstance(found, DefinedCode):
                return found
        plan = self.plan(base)
        if isinstance(plan, NoProof):
            return NoProof("its locks are more than mutual exclusion")
        return self._prove_code(base, Abstraction(base, plan))

    def _prove_code(self, base: Program, about: Abstraction) -> DefinedCode | NoProof:
        from flushproof.engines.unbounded.prove import prove

        found = prove(self._subject(about, claims_only=False), _hopeful)
        if isinstance(found, NoProof):
            return found
        check = partial(self._check_defined, base)
        match self._confirm(about, found, check, claims_only=False):
            case CheckedProof(_, claimed, confirmed):
                return DefinedCode(claimed, DefinedProgram(base, confirmed))
            case NoProof() as refused:
                return refused
            case other:
                assert_never(other)

    def _check_defined(self, base: Program, claimed: ClaimedProof) -> Outcome:
        return check_defined(base, claimed, self.asked)

    def _check_claims(self, program: Program, code: DefinedCode, claimed: ClaimedProof) -> Outcome:
        return check_claims(program, claimed, code.confirmed, self.asked)

    def _confirm(
        self,
        about: Abstraction,
        found: Proof,
        check: Callable[[ClaimedProof], Outcome],
        *,
        claims_only: bool,
    ) -> CheckedProof | NoProof:
        """Return a form of a proof that the checker confirms."""
        reason = ""
        for proof in self._shortest_first(found):
            claimed = _export(about, proof, claims_only=claims_only)
            if isinstance(claimed, NoProof):
                return claimed
            match check(claimed):
                case ProofConfirmed() as confirmed:
                    return CheckedProof(proof, claimed, confirmed)
                case ProofRefused(refused):
                    reason = refused
                case other:
                    assert_never(other)
        return NoProof(f"{UNCONFIRMED}: {reason}")

    def _shortest_first(self, found: Proof) -> Iterator[Proof]:
        """Yield a proof without what it can do without, if it is shown, then the whole.

        What the search can do without the checker may need.
        """
        from flushproof.engines.unbounded.prove import minimise_proof

        if self.evidence:
            yield minimise_proof(found)
        yield found

    def _search(self, about: Abstraction, hopeless: Hopeless) -> Proof | NoProof:
        from flushproof.engines.unbounded.prove import prove

        return prove(self._subject(about, claims_only=True), hopeless)

    def _subject(self, about: Abstraction, *, claims_only: bool) -> Subject:
        from flushproof.engines.unbounded.prove import Subject

        plan = about.plan
        return Subject(
            about.program,
            plan.kinds,
            plan.boundaries,
            claims_only,
            self.steps,
            self.many,
            self.machine.candidates,
        )


def _export(about: Abstraction, found: Proof, *, claims_only: bool) -> ClaimedProof | NoProof:
    boundaries = about.plan.boundaries
    match export_claimed(about.program, boundaries, found, claims_only=claims_only):
        case ClaimedProof() as claimed:
            return replace(claimed, havocked=about.havocked)
        case NoProof() as failed:
            return failed
        case other:
            assert_never(other)


def export_claimed(
    program: Program,
    boundaries: Mapping[str, frozenset[int]],
    found: Proof,
    *,
    claims_only: bool,
) -> ClaimedProof | NoProof:
    """Return a proof as one that can be checked, or that claimed proofs have no words for it."""
    from flushproof.engines.unbounded.export_invariant import NotExpressible, export_proof

    try:
        return export_proof(program, boundaries, found, claims_only=claims_only)
    except NotExpressible as error:
        return NoProof(f"{UNCONFIRMED}: no words for {error}")
