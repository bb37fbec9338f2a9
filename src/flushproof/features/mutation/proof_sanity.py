"""Beside every proof: whether the claim is ever put to the test, and a mutant that breaks it.

In: a proved claim, the machine, and where the variant came from. Out: the result with what was
found, or as vacuous. A proof of a claim that cannot fail says nothing about the code.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import cached_property

from flushproof.engines.outcome import NOTHING_FAILS, NoCounterexample, Undecided
from flushproof.features.mutation.mutant_checker import Answer, Fails, Trial
from flushproof.features.mutation.mutants import Mutant, make_mutants
from flushproof.features.mutation.origin import SetupOrigin
from flushproof.features.mutation.vacuity import reachability_claim
from flushproof.frontend.spec.syntax import ClaimSpec
from flushproof.ir.analysis.vain_waits import find_vain_waits
from flushproof.machine.build import Machine, build_machine
from flushproof.results.verdict import Breaker, ClaimResult, Sane, Verdict
from flushproof.support.diagnostics import InputError
from flushproof.support.record import replace
from flushproof.verify.options import Sanity

TRIED = 12
"""So many mutants are tried with one vCPU and then with two, unless all are asked for."""
HINTS = {
    "uninit": ("drop-start", "drop-assignment"),
    "deadlock": ("drop-unlock",),
    "lock": ("drop-unlock", "drop-lock"),
    "access": ("drop-lock", "swap"),
    "step": ("drop-assignment", "root"),
    "return": ("return", "drop-assignment", "assign-by"),
    "hypercall": ("drop-condition",),
}
"""Which edits are likely to break claims about an event."""
USUAL = ("return", "drop-condition", "drop-assignment", "range", "root", "drop-operand")


@dataclass
class Doubt:
    """Asks of proofs about one variant whether they mean anything; mutants are built once."""

    origin: SetupOrigin
    machine: Machine
    level: Sanity
    _trials: dict[int, Trial | None] = field(default_factory=dict)

    def about(self, result: ClaimResult) -> ClaimResult:
        """Return a result with what is to be said beside a proof, or that the claim is vacuous.

        Raises:
            InternalError: what was found does not replay.
        """
        claim = self.machine.setup.claim(result.claim)
        if not result.verdict.holds or claim is None or self.level is Sanity.OFF:
            return result
        reached = self._reached(claim)
        if isinstance(reached, NoCounterexample):
            reason = _never_tested(claim, self.machine)
            return replace(result, verdict=Verdict.VACUOUS, reason=reason)
        if self.level is Sanity.REACH:
            return result
        return replace(result, sane=self._broken(claim))

    # Vacuity ---------------------------------------------------------------------------------

    def _reached(self, claim: ClaimSpec) -> Answer:
        """Return how a claim is put to the test, or that it never is within the bounds."""
        weaker = reachability_claim(claim)
        if weaker is None:
            return Undecided("it has no antecedent")
        others = tuple(x for x in self.machine.setup.claims if x.name != claim.name)
        setup = replace(self.machine.setup, claims=(*others, weaker))
        trial = Trial(replace(self.machine, setup=setup))
        low, high = setup.bounds.vcpus
        quick = trial.quick(claim.name, low)
        if quick is not None:
            return quick
        answers = (trial.claim(claim.name, n) for n in range(low, high + 1))
        return next((a for a in answers if a != NOTHING_FAILS), NOTHING_FAILS)

    # Mutants ---------------------------------------------------------------------------------

    @cached_property
    def _mutants(self) -> tuple[Mutant, ...]:
        return make_mutants(self.origin.setup)

    def _broken(self, claim: ClaimSpec) -> Sane:
        """Return the mutant that breaks a claim with the fewest vCPUs of those tried."""
        ordered = sorted(self._mutants, key=lambda m: _rank(m, claim))
        tried = ordered if self.level is Sanity.FULL else ordered[:TRIED]
        low, high = self.machine.setup.bounds.vcpus
        for n in range(low, min(high, low + 1) + 1):
            for mutant in tried:
                found = self._fails(mutant, claim, n)
                if found is not None:
                    return Sane(_breaker(mutant, found), len(tried))
        return Sane(None, len(tried))

    def _fails(self, mutant: Mutant, claim: ClaimSpec, n: int) -> Fails | None:
        trial = self._trial(mutant)
        if trial is None or not trial.machine.statable(claim.name):
            return None
        try:
            found = trial.quick(claim.name, n)
            if found is None and self.level is Sanity.FULL:
                answer = trial.claim(claim.name, n)
                found = answer if isinstance(answer, Fails) else None
        except InputError:
            return None
        return found

    def _trial(self, mutant: Mutant) -> Trial | None:
        """Return a mutant on trial, None where it is not accepted."""
        if mutant.number not in self._trials:
            try:
                made = Trial(build_machine(self.origin.again(mutant.source)))
            except InputError:
                made = None
            self._trials[mutant.number] = made
        return self._trials[mutant.number]


def _rank(mutant: Mutant, claim: ClaimSpec) -> tuple[int, int, int]:
    """Return what likely mutants come first by: their kind, then how short the edit is."""
    events = {h.event for h in claim.handlers}
    hints = [o for e, operators in HINTS.items() if e in events for o in operators]
    if any(h.event == "hypercall" and len(h.parameters) > 2 for h in claim.handlers):
        hints.insert(0, "range")
    kinds = tuple(dict.fromkeys((*hints, *USUAL)))
    operator = mutant.edit.operator
    kind = kinds.index(operator) if operator in kinds else len(kinds)
    return kind, mutant.edit.end - mutant.edit.start, mutant.number


def _breaker(mutant: Mutant, found: Fails) -> Breaker:
    before, after = mutant.edit.diff(mutant.original)
    edit = mutant.edit
    return Breaker(edit.file, mutant.line, edit.words, before, after, found.vcpus)


def _never_tested(claim: ClaimSpec, machine: Machine) -> str:
    low, high = machine.setup.bounds.vcpus
    many = f"{low} vCPUs" if low == high else f"{low}..{high} vCPUs"
    many = "1 vCPU" if high == 1 else many
    if not any(True for h in claim.handlers for _ in h.body.statements):
        return "the claim asserts nothing"
    unreached = f"with {many} no run gets to what it asserts with all that it presupposes"
    waits = (w.span for w in find_vain_waits(machine.with_claims(())))
    places = ", ".join(dict.fromkeys(f"{s.file}:{s.line}" for s in waits if s is not None))
    return f"{unreached}; nothing ends the wait at {places}" if places else unreached
