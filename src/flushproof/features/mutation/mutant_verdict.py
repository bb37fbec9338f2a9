"""What becomes of one mutant: killed by a claim, equal to the original, or neither.

In: the original, what each claim says of it, and a mutant. Out: its fate. Claims are asked in the
order of their cost, with one vCPU first, then two, and so on; where none notices, the mutant is
compared with the original call by call.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import assert_never

from flushproof.engines.outcome import NOTHING_FAILS, NoCounterexample, Undecided
from flushproof.features.mutation.mutant_checker import Answer, Fails, Trial
from flushproof.features.mutation.mutants import Mutant
from flushproof.features.mutation.origin import SetupOrigin
from flushproof.features.nfc.decide import Wanted, compare
from flushproof.machine.build import Machine, build_machine
from flushproof.results.comparison import Compared, Relation, Since
from flushproof.results.mutation import UNDEFINED, Baseline, Fate, How, Kill, MutantResult
from flushproof.results.verdict import ClaimResult, Verdict
from flushproof.support.diagnostics import InputError
from flushproof.support.errors import InternalError
from flushproof.support.record import Record
from flushproof.verify.portfolio import Question, decide_claims

CHEAP = (
    "no_uninit",
    "lock_balanced",
    "failure_kept",
    "failure_true",
    "no_wasted",
    "range_kept",
    "no_bogus",
    "no_race",
    "coverage",
    "cache_sound",
    "converges",
    "no_repeat",
    "no_deadlock",
)
"""The claims that come with the program, roughly by cost; a spec's own come first.

`no_race` stands before those that would follow every interleaving of code without a lock.
"""
SAME = "the same code"


class Judge(Record, frozen=True, dict=True):
    """The original and what is known of it."""

    origin: SetupOrigin
    machine: Machine
    baseline: tuple[Baseline, ...]
    every: bool

    def judge(self, mutant: Mutant) -> MutantResult:
        """Return the fate of a mutant.

        Raises:
            InternalError: an answer about it contradicts another.
        """
        try:
            return self._judged(mutant)
        except InputError as error:
            return mutant_result(mutant, Fate.INVALID, reason=error.diagnostics[0].title)
        except InternalError as error:
            raise InternalError(f"mutant {mutant.number}, {mutant.edit.words}: {error}") from error

    def _judged(self, mutant: Mutant) -> MutantResult:
        machine = build_machine(self.origin.again(mutant.source))
        if same_code(machine, self.machine):
            return mutant_result(mutant, Fate.EQUAL, reason=SAME)
        trial = Trial(machine)
        opened: list[str] = []
        kills = tuple(self._kills(trial, opened) if self.every else self._first(trial, opened))
        if kills:
            return mutant_result(mutant, Fate.KILLED, kills=kills)
        return self._unnoticed(mutant, trial, opened)

    def _first(self, trial: Trial, opened: list[str]) -> Iterator[Kill]:
        """Yield one kill: by the enumerator with one vCPU, else with two, one, three and so on.

        With two vCPUs most mutants show that do not with one in a short run.
        """
        low, high = trial.machine.setup.bounds.vcpus
        for known in self._statable(trial):
            quick = trial.quick(known.claim) if low == 1 else None
            kill = None if quick is None else kill_of(known, quick)
            if kill is not None:
                yield kill
                return
        for n in sorted(range(low, high + 1), key=lambda n: (n > 2, n != 2)):
            kill = self._at(trial, n, opened)
            if kill is not None:
                yield self._least(trial, kill, low)
                return

    def _at(self, trial: Trial, n: int, opened: list[str]) -> Kill | None:
        """Return a kill with so many vCPUs."""
        for known in self._statable(trial):
            kill = self.noticed(trial, known, n, opened)
            if kill is not None:
                return kill
        return _undefined(trial, n)

    def _least(self, trial: Trial, kill: Kill, low: int) -> Kill:
        """Return the same claim's kill with the fewest vCPUs, where two were asked first."""
        if kill.vcpus != 2 or low == 2:
            return kill
        if kill.claim == UNDEFINED:
            return _undefined(trial, low) or kill
        known = next(b for b in self.baseline if b.claim == kill.claim)
        return self.noticed(trial, known, low, []) or kill

    def _kills(self, trial: Trial, opened: list[str]) -> Iterator[Kill]:
        """Yield the first kill of each claim."""
        low, high = trial.machine.setup.bounds.vcpus
        done: set[str] = set()
        for n in range(low, high + 1):
            for known in self._statable(trial):
                kill = None
                if known.claim not in done:
                    kill = self.noticed(trial, known, n, opened)
                if kill is not None:
                    done.add(known.claim)
                    yield kill
            undefined = _undefined(trial, n)
            if undefined is not None:
                yield undefined
                return

    def _statable(self, trial: Trial) -> Iterator[Baseline]:
        return (b for b in self.baseline if trial.machine.statable(b.claim))

    def noticed(self, trial: Trial, known: Baseline, n: int, opened: list[str]) -> Kill | None:
        """Return the kill of one claim with so many vCPUs; what is open is noted."""
        if not could_notice(known, n):
            return None
        answer = trial.claim(known.claim, n)
        if isinstance(answer, Undecided):
            opened.append(f"{known.claim} with {n}: {answer.reason}")
        return kill_of(known, answer)

    def _unnoticed(self, mutant: Mutant, trial: Trial, opened: list[str]) -> MutantResult:
        if opened:
            return mutant_result(mutant, Fate.UNDECIDED, reason=opened[0])
        bounds = self.machine.setup.bounds
        wanted = Wanted(Compared.SEQUENCE, Since.BOOT, bounds)
        found = compare(self.machine, trial.machine, wanted, _coverage)
        if found.relation is Relation.EQUAL:
            return mutant_result(mutant, Fate.EQUAL, reason=found.reason)
        if found.relation is Relation.BOUNDED:
            return mutant_result(mutant, Fate.BOUNDED, reason=found.reason)
        if found.relation is Relation.UNKNOWN:
            return mutant_result(mutant, Fate.UNDECIDED, reason=found.reason)
        assert found.difference is not None
        mends = tuple(b.claim for b in self.baseline if is_mended(b, trial))
        reason = found.difference.headline
        return mutant_result(mutant, Fate.SURVIVES, reason=reason, mends=mends)


def baseline_of(machine: Machine, claim: str) -> Baseline:
    """Return what a claim says of the original, asked in the way that mutants are."""
    if why := machine.why_unstatable(claim):
        return Baseline(claim, Verdict.NOT_ASKED, reason=why.partition(":")[0])
    trial = Trial(machine)
    low, high = machine.setup.bounds.vcpus
    for n in range(low, high + 1):
        match trial.claim(claim, n):
            case Fails(vcpus, calls):
                return Baseline(claim, Verdict.REFUTED, vcpus, calls)
            case Undecided(reason):
                return Baseline(claim, Verdict.UNKNOWN, reason=reason)
            case NoCounterexample():
                pass
            case other:
                assert_never(other)
    return Baseline(claim, Verdict.BOUNDED)


def undefined_in(machine: Machine) -> NoCounterexample | Undecided:
    """Say what is undefined in the original, or why that is open."""
    trial = Trial(machine)
    low, high = machine.setup.bounds.vcpus
    for n in range(low, high + 1):
        match trial.undefined(n):
            case Fails():
                return Undecided(f"{UNDEFINED} with {n} vCPUs")
            case Undecided() as undecided:
                return undecided
            case NoCounterexample():
                pass
            case other:
                assert_never(other)
    return NOTHING_FAILS


def in_order(claims: tuple[str, ...]) -> tuple[str, ...]:
    """Return claims in the order in which mutants meet them."""
    own = tuple(c for c in claims if c not in CHEAP)
    return (*own, *(c for c in CHEAP if c in claims))


def could_notice(known: Baseline, n: int) -> bool:
    """Tell whether a counterexample with so many vCPUs could be a kill."""
    if known.verdict is Verdict.REFUTED:
        assert known.vcpus is not None
        assert known.calls is not None
        return Fails(n, 1).smaller(Fails(known.vcpus, known.calls))
    return known.verdict.holds


def kill_of(known: Baseline, answer: Answer) -> Kill | None:
    """Return the kill that an answer is, None where it is none."""
    if not isinstance(answer, Fails) or not known.verdict.decided:
        return None
    if known.verdict.holds:
        return Kill(known.claim, answer.vcpus, answer.calls, How.FAILS)
    assert known.vcpus is not None
    assert known.calls is not None
    if answer.smaller(Fails(known.vcpus, known.calls)):
        return Kill(known.claim, answer.vcpus, answer.calls, How.SMALLER)
    return None


def is_mended(known: Baseline, trial: Trial) -> bool:
    """Tell whether what fails in the original does not with as many vCPUs, or fewer."""
    if known.verdict is not Verdict.REFUTED or known.vcpus is None:
        return False
    if not trial.machine.statable(known.claim):
        return False
    return trial.claim(known.claim, known.vcpus) == NOTHING_FAILS


def same_code(a: Machine, b: Machine) -> bool:
    """Tell whether two machines do the same, instruction by instruction."""
    codes = [[(o.name, o.role, o.parameters, o.code) for o in m.base.operations] for m in (a, b)]
    parts = [(m.base.fields, m.base.boot, m.base.witnesses, m.cache) for m in (a, b)]
    return parts[0] == parts[1] and codes[0] == codes[1]


def mutant_result(
    mutant: Mutant,
    fate: Fate,
    *,
    kills: tuple[Kill, ...] = (),
    reason: str = "",
    mends: tuple[str, ...] = (),
) -> MutantResult:
    """Return a mutant's fate as plain data."""
    before, after = mutant.edit.diff(mutant.original)
    return MutantResult(
        number=mutant.number,
        operator=mutant.edit.operator,
        file=mutant.edit.file,
        function=mutant.function,
        line=mutant.line,
        words=mutant.edit.words,
        before=before,
        after=after,
        fate=fate,
        kills=kills,
        reason=reason,
        mends=mends,
    )


def _undefined(trial: Trial, n: int) -> Kill | None:
    found = isinstance(trial.undefined(n), Fails)
    return Kill(UNDEFINED, n, 0, How.UNDEFINED) if found else None


def _coverage(machine: Machine) -> ClaimResult:
    return next(decide_claims(machine, Question(("coverage",), machine.setup.bounds)))
