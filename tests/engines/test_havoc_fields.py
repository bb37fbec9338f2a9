"""Fields without a lock that do not matter cost no scheduling points, and those that do are kept.

Guards Lemma L34 of docs/soundness.md.
"""

from __future__ import annotations

import pytest

from flushproof.engines.explicit.enumerator import Sizes, enumerate_claim
from flushproof.engines.outcome import NoProof
from flushproof.ir.code import Fence, Havoc
from flushproof.ir.passes.dispensable_fields import find_dispensable_fields
from flushproof.ir.passes.havoc_fields import CannotHavocError, havoc_fields
from flushproof.ir.program import Role
from flushproof.machine.build import Machine
from flushproof.support.record import replace
from flushproof.verify.certificate.proof_text import proof_to_text, text_to_proof
from flushproof.verify.proof_checker.check import ProofConfirmed, ProofRefused, check_claims
from flushproof.verify.unbounded_proofs import DefinedCode, Evidence, ForAll
from support.hand_written_proofs import own_machine

X, Y = "kvm_vmx.x", "kvm_vmx.y"
TOGGLES = "WRITE_ONCE(k->x, 1); WRITE_ONCE(k->x, 0); WRITE_ONCE(k->y, 1); WRITE_ONCE(k->y, 0);"
READS = "if (READ_ONCE(k->x)) i = 1; if (READ_ONCE(k->y)) i = 2; i = 0; return n;"
SMALL = "on return flush(ret) { assert(ret == 0); }"


def _proof(machine: Machine, *, many: bool = False) -> Evidence | NoProof:
    return ForAll(machine, evidence=False, many=many).prove(machine.with_claims(("it",)))


@pytest.mark.parametrize("many", [False, True])
def test_what_does_not_matter_is_no_scheduling_point(many: bool) -> None:
    """Else code with a dozen statistics and flags is out of reach."""
    machine = own_machine(READS, TOGGLES, SMALL)
    prover = ForAll(machine, evidence=False, many=many)
    program = machine.with_claims(("it",))
    assert find_dispensable_fields(program) == {X, Y}
    coarser = prover.coarsen(program)
    assert coarser is not None
    assert all(len(places) <= 2 for places in coarser.plan.boundaries.values())
    found = _proof(machine, many=many)
    assert isinstance(found, Evidence)
    assert found.claim.havocked == found.code.havocked == (X, Y)


def test_a_proof_is_read_back_with_what_it_leaves_out() -> None:
    """A certificate that forgot it would be refused, or be about another program."""
    machine = own_machine(READS, TOGGLES, SMALL)
    found = _proof(machine)
    assert isinstance(found, Evidence)
    claimed = text_to_proof(proof_to_text(found.claim))
    assert claimed == found.claim
    program = machine.with_claims(("it",))
    code = ForAll(machine, evidence=False).defined
    assert isinstance(code, DefinedCode)
    assert isinstance(check_claims(program, claimed, code.confirmed), ProofConfirmed)
    everything = replace(claimed, havocked=())
    refused = check_claims(program, everything, code.confirmed)
    assert isinstance(refused, ProofRefused)
    assert "a step would have to begin" in refused.reason


COUNTERS = {
    "under a lock": "spin_lock(&k->l); k->y++; spin_unlock(&k->l); return 0;",
    "without one": "WRITE_ONCE(k->y, READ_ONCE(k->y) + 3); return 0;",
    "of another": "spin_lock(&k->l); k->x++; k->y += k->x; spin_unlock(&k->l); return 0;",
}


@pytest.mark.parametrize("name", COUNTERS)
def test_a_counter_has_no_bound(name: str) -> None:
    """A sum that wraps around where nobody looks at it would keep all else from a proof."""
    found = _proof(own_machine(COUNTERS[name], "n = 1;", SMALL))
    assert isinstance(found, Evidence)
    assert Y in found.code.havocked


def test_a_counter_that_is_looked_at_is_kept() -> None:
    """It decides what is returned, so it wraps around or is not proved not to."""
    flush = "spin_lock(&k->l); k->y++; n = k->y < 0; spin_unlock(&k->l); return n;"
    machine = own_machine(flush, "n = 1;", SMALL)
    assert find_dispensable_fields(machine.with_claims(("it",))) == frozenset()
    assert isinstance(_proof(machine), NoProof)


MATTERS = {
    "what is read is returned": ("return READ_ONCE(k->x);", TOGGLES, SMALL),
    "two reads that differ": (
        "n = READ_ONCE(k->x); i = READ_ONCE(k->x); return n != i;",
        TOGGLES,
        SMALL,
    ),
    "an exchange": ("n = xchg(&k->x, 1); return n;", TOGGLES, SMALL),
    "a claim looks at it": (
        "return 0;",
        TOGGLES,
        "on return flush() { assert(to_kvm_vmx(kvm)->x == 0); }",
    ),
    "a claim looks at each step": (
        "WRITE_ONCE(k->y, 1); return 0;",
        TOGGLES,
        "bool b; on enter flush() { b = true; } on step() { assert(!b); }",
    ),
    "a lock taken after it": (
        "WRITE_ONCE(k->x, 1); spin_lock(&k->l); spin_unlock(&k->l); return 0;",
        "n = 1;",
        (
            "int a; on enter load(v, r) { a = 1; } on return load(v, r) { a = 0; }"
            " on lock(l) { assert(a == 0); }"
        ),
    ),
}


@pytest.mark.parametrize("name", MATTERS)
def test_what_matters_is_not_left_out(name: str) -> None:
    """A field that decides whether a claim fails may hold anything, but nothing is proved so."""
    machine = own_machine(*MATTERS[name])
    broken = enumerate_claim(machine.with_claims(("it",)), Sizes(1, 1, 1, 1), "it", 60_000)
    assert broken.found is not None
    assert isinstance(_proof(machine), NoProof)


def test_what_holds_through_a_racy_field_is_still_proved() -> None:
    """Where any value is too much, the field is looked at after all."""
    body = "if (READ_ONCE(k->x) > 1) return 1; WRITE_ONCE(k->x, 1); return 0;"
    found = _proof(own_machine(body, "WRITE_ONCE(k->x, 0);", SMALL))
    assert isinstance(found, Evidence)
    assert found.claim.havocked == ()


def test_places_stay_the_same() -> None:
    """A proof names positions of the program as it is."""
    program = own_machine("return READ_ONCE(k->x);", TOGGLES, SMALL).with_claims(("it",))
    coarser = havoc_fields(program, frozenset({X}))
    for old, new in zip(program.operations, coarser.operations, strict=True):
        assert len(old.code) == len(new.code)
        assert all(i.span == j.span for i, j in zip(old.code, new.code, strict=True))
    assert sum(isinstance(i, Havoc) for o in coarser.operations for i in o.code) == 1
    assert X not in {f.name for f in coarser.fields}


def test_a_write_that_a_claim_sees_is_still_a_moment() -> None:
    """What runs right after it runs after what others did before it."""
    claim = "bool b; on enter flush() { b = true; } on step() { assert(!b || true); }"
    program = own_machine("WRITE_ONCE(k->y, 1); return 0;", TOGGLES, claim).with_claims(("it",))
    coarser = havoc_fields(program, frozenset({Y}))
    (flush,) = coarser.of(Role.FLUSH)
    assert any(isinstance(i, Fence) for i in flush.code)


@pytest.mark.parametrize("name", ["kvm_vmx.l", "kvm_vmx.nothing", "runs_on", "it:b"])
def test_what_cannot_be_left_out(name: str) -> None:
    """A lock keeps threads apart, and of a ghost a claim speaks."""
    claim = "bool b; on enter flush() { b = true; } on return load(v, r) { assert(!b || r); }"
    flush = "spin_lock(&k->l); k->x = 1; spin_unlock(&k->l); return 0;"
    program = own_machine(flush, TOGGLES, claim).with_claims(("it",))
    with pytest.raises(CannotHavocError):
        havoc_fields(program, frozenset({name}))


def test_a_proof_that_leaves_out_what_it_needs_is_refused() -> None:
    """Whoever writes a certificate may name any field."""
    body = "if (READ_ONCE(k->x) > 1) return 1; WRITE_ONCE(k->x, 1); return 0;"
    machine = own_machine(body, "WRITE_ONCE(k->x, 0);", SMALL)
    found = _proof(machine)
    assert isinstance(found, Evidence)
    code = ForAll(machine, evidence=False).defined
    assert isinstance(code, DefinedCode)
    program = machine.with_claims(("it",))
    for names in ((X,), ("kvm_vmx.l",), ("kvm_vmx.nothing",), (X, X)):
        forged = replace(found.claim, havocked=names)
        assert isinstance(check_claims(program, forged, code.confirmed), ProofRefused)
