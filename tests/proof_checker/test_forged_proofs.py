"""Proofs that a forger would write, each of which rested on a gap in what was asked."""

from __future__ import annotations

import pytest

from flushproof.ir.code import Hypercall, Read, Release, TryAcquire, Write
from flushproof.ir.invariant import (
    Cell,
    CutPoint,
    FactComparison,
    FixedNumber,
    FlusherNumber,
    Position,
    Sum,
    ThreadLocal,
    VcpuCount,
)
from flushproof.ir.program import Program, Role
from flushproof.ir.types import LockWord
from flushproof.support.record import replace
from flushproof.verify.proof_checker.check import (
    ProofConfirmed,
    ProofRefused,
    check_claims,
    check_defined,
)
from flushproof.verify.unbounded_proofs import DefinedCode, Evidence, ForAll
from support.hand_written_proofs import FALSE, claim_anything, defined_code, own_machine

SEEN = (Read, Write, Hypercall, Release, TryAcquire)


def _cuts(program: Program, *more: Position) -> tuple[CutPoint, ...]:
    """Return a cut at each access of the code proper, and at more positions."""
    places = [
        Position(o.name, at)
        for o in program.operations
        if o.role in (Role.LOAD, Role.FLUSH)
        for at, i in enumerate(o.code)
        if isinstance(i, SEEN) and not i.from_claim
    ]
    return tuple(CutPoint(p, boundary=True, head=False) for p in dict.fromkeys((*places, *more)))


def test_a_lock_that_was_just_tried() -> None:
    """There nothing of the code says yet whether the attempt got the lock.

    Guards Lemma L31 of docs/soundness.md.
    """
    machine = own_machine(
        "if (spin_trylock(&k->l)) { hyperv_flush_guest_mapping(0); spin_unlock(&k->l); }",
        "k->x = 0;",
        "on hypercall(r) { assert(r != 0); }",
    )
    program = machine.with_claims(("it",))
    (flush,) = program.of(Role.FLUSH)
    (at,) = (k for k, i in enumerate(flush.code) if isinstance(i, TryAcquire))
    attempt = flush.code[at]
    assert isinstance(attempt, TryAcquire)
    branch = Position(flush.name, at + 1)
    inside = {k for k, i in enumerate(flush.code) if isinstance(i, (Hypercall, Release))}
    lock = next(f.name for f in program.fields if isinstance(f.type, LockWord))
    true_there = (
        FactComparison("==", ThreadLocal(0, attempt.target.name), FixedNumber(0)),
        FactComparison("==", Cell(lock), Sum((VcpuCount(), FixedNumber(1)))),
    )
    proof = claim_anything(program, _cuts(program, branch))
    (case,) = proof.cases
    facts = tuple(
        (
            where,
            (FALSE,)
            if where.flusher and where.flusher.at in inside
            else ((true_there,) if where.flusher == branch else ()),
        )
        for where, _ in case.facts
    )
    forged = replace(proof, cases=(replace(case, facts=facts),))
    assert isinstance(check_claims(program, forged, defined_code(machine)), ProofRefused)


def test_a_sum_is_not_what_is_undefined() -> None:
    """A division by zero in the middle of another call must not pass for a sum that wraps.

    Guards Lemma L31 of docs/soundness.md.
    """
    machine = own_machine(
        "WRITE_ONCE(k->x, 0x7fffffff); WRITE_ONCE(k->x, 0);",
        "int t = READ_ONCE(k->x); int m = t | 0x7fffffff; int q;"
        " if (t == 0x7fffffff) { n = 1 / (t - 0x7fffffff); n = 5; } else n = m + 1;"
        " q = n > 100; k->y = q;",
        "on hypercall(r) { assert(r == 0); }",
    )
    base = machine.with_claims(())
    x = Cell(next(f.name for f in base.fields if f.name.endswith(".x")))
    proof = claim_anything(base, ())
    (case,) = proof.cases
    zero = (FactComparison("==", x, FixedNumber(0)),)
    facts = tuple((where, (zero,)) for where, _ in case.facts)
    forged = replace(proof, cases=(replace(case, facts=facts),))
    assert isinstance(check_defined(base, forged), ProofRefused)


def test_who_asks_at_the_end_is_any_other_thread() -> None:
    """Engines number who runs `on end` each in its own way, so nothing is known of it.

    Guards Lemma L31 of docs/soundness.md.
    """
    machine = own_machine(
        "n = 1;",
        "k->x = 0;",
        "int s; on enter flush() { s = SELF; } on end() { assert(s == 0 || SELF != s + 3); }",
    )
    program = machine.with_claims(("it",))
    own = next(f.name for f in program.fields if f.ghost and f.name != "runs_on")
    proof = claim_anything(program, _cuts(program))
    (case,) = proof.cases
    kept = (
        FactComparison("==", Cell(own), FixedNumber(0)),
        FactComparison("==", Cell(own), Sum((VcpuCount(), FixedNumber(1)))),
    )
    facts = tuple((where, (kept,)) for where, _ in case.facts)
    forged = replace(proof, cases=(replace(case, facts=facts),))
    assert isinstance(check_claims(program, forged, defined_code(machine)), ProofRefused)


@pytest.mark.parametrize("many", [False, True])
def test_a_load_is_not_the_flusher(many: bool) -> None:
    """A fact about locals alone is one thread's, which the flusher's number must not stand for.

    Guards Lemma L31, Lemma L32 of docs/soundness.md.
    """
    machine = own_machine("n = 0;", "k->x = 1;", "on return load(v, r) { assert(r == 0); }")
    program = machine.with_claims(("it",))
    (load,) = program.of(Role.LOAD)
    assert load.parameters.vcpu is not None
    own = ThreadLocal(0, load.parameters.vcpu.name)
    fact = (FactComparison("==", own, FlusherNumber()),)
    cuts = tuple(
        replace(c, facts=(fact,)) if c.at.operation == load.name and c.at.at else c
        for c in _cuts(program)
    )
    forged = replace(claim_anything(program, cuts), many=many)
    code = ForAll(machine, evidence=False, many=many).defined
    assert isinstance(code, DefinedCode)
    refused = check_claims(program, forged, code.confirmed)
    assert isinstance(refused, ProofRefused)
    assert "the number of the flusher" in refused.reason


def test_one_flusher_is_not_many() -> None:
    """A proof with one flusher is no proof with many, though it says so.

    Guards Lemma L32 of docs/soundness.md.
    """
    body = "if (READ_ONCE(k->x)) return 1; WRITE_ONCE(k->x, 1); WRITE_ONCE(k->x, 0);"
    claim = "on return flush(ret) { assert(ret == 0); }"
    machine = own_machine(body, "n = 1;", claim)
    prover = ForAll(machine, evidence=False)
    program = machine.with_claims(("it",))
    honest = prover.prove(program)
    assert isinstance(honest, Evidence)
    base = defined_code(machine)
    assert isinstance(check_claims(program, honest.claim, base), ProofConfirmed)
    forged = replace(honest.claim, many=True)
    assert isinstance(check_claims(program, forged, base), ProofRefused)
    wider = replace(base, confirmed=replace(base.confirmed, many=True))
    refused = check_claims(program, forged, wider)
    assert isinstance(refused, ProofRefused)
    assert "a step would have to begin" in refused.reason
    everywhere = tuple(
        CutPoint(Position(o.name, at), boundary=True, head=False)
        for o in program.operations
        for at in range(1, len(o.code))
    )
    cut = replace(forged, cuts=everywhere)
    refused = check_claims(program, cut, wider)
    assert isinstance(refused, ProofRefused)


@pytest.mark.parametrize("access", ["to_vmx(vcpu)->a = 1;", "n = to_vmx(vcpu)->a;"])
def test_a_field_that_is_left_out_is_accessed_all_the_same(access: str) -> None:
    """That its values do not matter makes an access of a vCPU that does not exist no better.

    Guards Lemma L34 of docs/soundness.md.
    """
    base = own_machine(f"if (vcpu) {access}", "n = 1;", "").with_claims(())
    (name,) = (f.name for f in base.fields if f.name.endswith(".a"))
    forged = replace(claim_anything(base, ()), havocked=(name,))
    refused = check_defined(base, forged)
    assert isinstance(refused, ProofRefused)
    assert "a vCPU that does not exist" in refused.reason


def test_a_field_that_is_left_out_has_no_facts() -> None:
    """A fact that is true at boot says nothing of a field that is not looked at any more.

    Guards Lemma L34 of docs/soundness.md.
    """
    machine = own_machine("return READ_ONCE(k->x);", "WRITE_ONCE(k->x, 1);", "")
    base = machine.with_claims(())
    x = next(f.name for f in base.fields if f.name.endswith(".x"))
    zero = (FactComparison("==", Cell(x), FixedNumber(0)),)
    for values, facts in (((), (zero,)), (((x, zero),), ())):
        proof = replace(claim_anything(base, (), values), havocked=(x,))
        (case,) = proof.cases
        places = tuple((where, facts) for where, _ in case.facts)
        refused = check_defined(base, replace(proof, cases=(replace(case, facts=places),)))
        assert isinstance(refused, ProofRefused)
        assert f"no field `{x}`" in refused.reason


def test_a_wait_for_a_value_is_no_middle_of_a_step() -> None:
    """The value may never come, and what comes before the wait would then never have happened."""
    base = own_machine("while (READ_ONCE(k->x)) ;", "WRITE_ONCE(k->x, 1);", "").with_claims(())
    refused = check_defined(base, claim_anything(base, ()))
    assert isinstance(refused, ProofRefused)
    assert "it may wait for ever" in refused.reason
    (flush,) = base.of(Role.FLUSH)
    (at,) = (k for k, i in enumerate(flush.code) if isinstance(i, Read))
    cut = CutPoint(Position(flush.name, at), boundary=True, head=False)
    proof = claim_anything(base, (cut,))
    assert isinstance(check_defined(base, proof), ProofConfirmed)
    x = next(f.name for f in base.fields if f.name.endswith(".x"))
    refused = check_defined(base, replace(proof, havocked=(x,)))
    assert isinstance(refused, ProofRefused)
    assert "a field that is left out" in refused.reason
