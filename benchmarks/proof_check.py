"""What it takes to confirm proofs: `python -m benchmarks.proof_check [NAME...]`, from the top.

For each claim about a variant under `specs/` it prints the seconds of the processor that the search
for a proof took, those of the proof checker, and how many questions that asked; for each variant
also those of the code itself, which is looked at once for all claims. `--proofs DIR` keeps what is
claimed. Claims that are not proved for every number of vCPUs are left out. Nothing here is a test.
"""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from benchmarks.bounded import SPECS, machine_line
from flushproof.engines.outcome import NoProof
from flushproof.features.recheck.confirm import program_of_claim
from flushproof.frontend.spec.resolve import from_spec
from flushproof.ir.invariant import ClaimedProof
from flushproof.machine.build import Machine, build_machine
from flushproof.verify.certificate.proof_text import proof_to_text
from flushproof.verify.proof_checker.check import (
    DefinedProgram,
    Outcome,
    ProofConfirmed,
    check_claims,
    check_defined,
)
from flushproof.verify.unbounded_proofs import ForAll

THE_CODE = "(the code itself)"


@dataclass(frozen=True, slots=True)
class Cost:
    """What one proof took; `total` are the seconds until it was found and confirmed once."""

    claim: str
    proof: ClaimedProof
    total: float
    checked: float
    questions: int

    @property
    def searched(self) -> float:
        """The seconds of the search, without those of the checker."""
        return max(0.0, self.total - self.checked)


def main(argv: Sequence[str] | None = None) -> int:
    """Print a table for each variant as it is done, and sums at the end."""
    parser = argparse.ArgumentParser(prog="benchmarks.proof_check", description=__doc__)
    parser.add_argument("names", nargs="*", default=sorted(p.stem for p in SPECS.glob("*.spec")))
    parser.add_argument("--proofs", type=Path, metavar="DIR", help="keep the proofs here")
    arguments = parser.parse_args(argv)
    _show(machine_line())
    costs: list[Cost] = []
    for name in arguments.names:
        _show(f"\n{name:<24}{'search s':>10}{'check s':>10}{'questions':>11}")
        for cost in variant_costs(build_machine(from_spec(str(SPECS / f"{name}.spec")))):
            _show_cost(cost.claim, cost.searched, cost.checked, cost.questions)
            costs.append(cost)
            if arguments.proofs is not None:
                _keep_proof(arguments.proofs / name, cost)
    searched, checked = sum(c.searched for c in costs), sum(c.checked for c in costs)
    _show("")
    _show_cost(f"all {len(costs)} proofs", searched, checked, sum(c.questions for c in costs))
    return 0


def variant_costs(machine: Machine) -> Iterator[Cost]:
    """Yield what each proof about a machine takes, that of the code itself first."""
    engine = ForAll(machine, evidence=False)
    base = machine.with_claims(())
    began = time.process_time()
    code = engine.defined
    if isinstance(code, NoProof):
        return
    total = time.process_time() - began
    yield _cost(THE_CODE, code.claimed, total, lambda: check_defined(base, code.claimed))
    for claim in machine.setup.claims:
        if machine.statable(claim.name):
            yield from _claim_cost(engine, claim.name, code.confirmed)


def _claim_cost(engine: ForAll, claim: str, base: DefinedProgram) -> Iterator[Cost]:
    began = time.process_time()
    program = engine.machine.with_claims((claim,))
    found = engine.prove(program)
    if isinstance(found, NoProof):
        return
    total = time.process_time() - began
    claimed = program_of_claim(engine.machine, claim, named_callers=False)
    assert claimed is not None
    yield _cost(claim, found.claim, total, lambda: check_claims(claimed, found.claim, base))


def _cost(claim: str, proof: ClaimedProof, total: float, check: Callable[[], Outcome]) -> Cost:
    """Return what a proof took, checked once more by itself."""
    began = time.process_time()
    outcome = check()
    checked = time.process_time() - began
    assert isinstance(outcome, ProofConfirmed)
    return Cost(claim, proof, total, checked, outcome.questions)


def _keep_proof(folder: Path, cost: Cost) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    name = "code" if cost.claim == THE_CODE else cost.claim
    (folder / f"{name}.json").write_text(proof_to_text(cost.proof), encoding="utf-8")


def _show_cost(name: str, searched: float, checked: float, questions: int) -> None:
    _show(f"{name:<24}{searched:10.2f}{checked:10.2f}{questions:11}")


def _show(line: str) -> None:
    sys.stdout.write(f"{line}\n")
    sys.stdout.flush()


if __name__ == "__main__":
    sys.exit(main())
