"""The proofs of a certificate decided anew, each about the program made from the sources.

In: a certificate, a machine, a solver. Out: which proofs it confirms. Nothing of how they were
found is used (docs/proof-checker.md).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from itertools import product

from flushproof.engines.second.cvc5_query import NotAccepted, ask_cvc5, cvc5_version
from flushproof.ir.program import Program, Role
from flushproof.machine.build import Machine
from flushproof.machine.lock_order import in_order
from flushproof.report.scope import ROOTS, scope_phrase
from flushproof.results.recheck import ClaimConfirmed, ClaimUnconfirmed, Recheck
from flushproof.results.verdict import VerdictScope
from flushproof.support.memory_model import MemoryModel
from flushproof.support.wording import count_noun
from flushproof.verify.assumptions import list_assumptions
from flushproof.verify.certificate.certificate_file import Certificate
from flushproof.verify.certificate.head import ProvedClaim
from flushproof.verify.certificate.proof_blocks import ClaimedBlock
from flushproof.verify.conclusion import EVERY, word_for_calls
from flushproof.verify.proof_checker.check import (
    DefinedProgram,
    ProofRefused,
    check_claims,
    check_defined,
)
from flushproof.verify.proof_checker.late_stores import find_late_store
from flushproof.verify.proof_checker.solve import Ask, ask_z3, script_text, z3_version
from flushproof.verify.proof_checker.terms import ProofObligation, Script


def confirm_proofs(
    certificate: Certificate, machine: Machine, solver: str, tell: Callable[[], None]
) -> Recheck:
    """Return what a solver confirms of the proofs in a certificate, each told when it is done.

    Raises:
        InputError: the solver is not installed, or a claim cannot be stated.
    """
    version, ask = (z3_version(), ask_z3) if solver == "z3" else (cvc5_version(), ask_second)
    known: dict[int, DefinedProgram | ClaimUnconfirmed] = {}
    found: list[ClaimConfirmed | ClaimUnconfirmed] = []
    for said, block in zip(certificate.head.claims, certificate.proofs, strict=True):
        found.append(_confirm(machine, said, block, ask, known))
        tell()
    return Recheck(version, tuple(found))


def _confirm(
    machine: Machine,
    said: ProvedClaim,
    block: ClaimedBlock,
    ask: Ask,
    known: dict[int, DefinedProgram | ClaimUnconfirmed],
) -> ClaimConfirmed | ClaimUnconfirmed:
    many = block.claim_proof.many
    machine = machine.for_claim(block.claim)
    if machine.setup.bounds.flushers != 1 and not many:
        return _unfit(block, "there are several flushers")
    memory = _memory_of(said.scope, machine.base, many=many)
    if memory is None or machine.setup.memory not in (MemoryModel.SC, memory):
        return _unfit(block, "its head says that it covers something else")
    if machine.setup.claim(block.claim) is None:
        return _unfit(block, "there is no such claim")
    buffered = memory is not MemoryModel.SC
    if buffered:
        machine = machine.sequential
    program = program_of_claim(machine, block.claim, named_callers=many)
    if program is None:
        return _unfit(block, "there is no one order in which the locks are taken")
    if buffered and (late := find_late_store(program, unordered=memory.unordered)):
        return _unfit(block, late)
    stated = machine.with_claims((block.claim,)) if machine.statable(block.claim) else None
    if list_assumptions(machine, stated) != said.assumptions:
        return _unfit(block, "it assumes other things now")
    return _decide(machine, block, program, ask, known)


def _decide(
    machine: Machine,
    block: ClaimedBlock,
    program: Program,
    ask: Ask,
    known: dict[int, DefinedProgram | ClaimUnconfirmed],
) -> ClaimConfirmed | ClaimUnconfirmed:
    code = known.get(id(block.code_proof))
    if code is None:
        code = known[id(block.code_proof)] = _defined(machine, block, ask)
    if isinstance(code, ClaimUnconfirmed):
        return ClaimUnconfirmed(block.claim, code.reason, code.open)
    outcome = check_claims(program, block.claim_proof, code, ask)
    if isinstance(outcome, ProofRefused):
        return ClaimUnconfirmed(block.claim, outcome.reason, outcome.open)
    return ClaimConfirmed(block.claim, outcome.questions)


def _unfit(block: ClaimedBlock, reason: str) -> ClaimUnconfirmed:
    return ClaimUnconfirmed(block.claim, reason, open=False)


def _memory_of(scope: str, program: Program, *, many: bool) -> MemoryModel | None:
    """Return the memory model in what is said that a proof for every number of vCPUs covers.

    None if no such proof covers that.
    """
    for memory, roots in product(MemoryModel, ROOTS):
        said = VerdictScope(
            vcpus=None,
            loads=None,
            flushes=None,
            flushers=None if many else 1,
            interleavings=EVERY,
            roots=roots,
            memory=memory,
            on_vcpus=word_for_calls(program.of(Role.LOAD), "load"),
            elsewhere=word_for_calls(program.of(Role.FLUSH), "flush"),
        )
        if scope_phrase(said) == scope:
            return memory
    return None


def _defined(machine: Machine, block: ClaimedBlock, ask: Ask) -> DefinedProgram | ClaimUnconfirmed:
    base = machine.with_claims(())
    outcome = check_defined(base, block.code_proof, ask)
    if isinstance(outcome, ProofRefused):
        return ClaimUnconfirmed(block.claim, f"the code itself: {outcome.reason}", outcome.open)
    return DefinedProgram(base, outcome)


def program_of_claim(machine: Machine, claim: str, *, named_callers: bool) -> Program | None:
    """Return the program that a proof of a claim is about, its call witnesses with their threads.

    Of a claim about deadlocks it is one that asserts an order of the locks; None without an order.
    """
    program = machine.with_claims((claim,), named_callers=named_callers)
    if not program.of(Role.DEADLOCK):
        return program
    ordered = in_order(program)
    return None if ordered is None else ordered.program


def ask_second(script: Script, questions: Sequence[ProofObligation]) -> tuple[str, ...]:
    """Return cvc5's answers; what it did not come to has none."""
    try:
        reply = ask_cvc5(script_text(script, questions))
    except NotAccepted as error:
        return (f"cvc5 does not accept it: {error}",) * len(questions)
    missing = len(questions) - len(reply.answers)
    why = f"no answer to {count_noun(missing, 'question')}: {reply.reason}"
    return (*map(str, reply.answers), *(why,) * missing)[: len(questions)]
