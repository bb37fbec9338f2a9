"""True proofs altered, and asked about variants of which the claim fails: none is confirmed.

A proof is altered in one place: a fact is left out, made weaker or stronger, a cut is moved, a rank
lies, another vCPU is tracked, a way to fail is left out. Of a true claim what is left may still be
a proof. Of a false one nothing may be, however near the two programs are.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator
from functools import cache
from typing import TypeVar

import pytest

from flushproof.ir.code import Assert, Branch, Relation
from flushproof.ir.invariant import (
    CaseInvariant,
    ClaimedProof,
    CutPoint,
    Fact,
    FactComparison,
    FixedNumber,
    Position,
    Sum,
)
from flushproof.ir.program import Program
from flushproof.machine.build import Machine
from flushproof.support.record import replace
from flushproof.verify.proof_checker.check import (
    DefinedProgram,
    ProofConfirmed,
    check_claims,
    check_defined,
)
from flushproof.verify.unbounded_proofs import Evidence, ForAll
from support.seeded_faults import Statement

LOCKED = "spin_lock(&k->l); {} spin_unlock(&k->l);"
READS = "spin_lock(&k->l); if (k->x) k->y = 1; spin_unlock(&k->l);"
X_IS_0 = "on return flush() { assert($x == 0); }"
UNSEEN = "on step() { assert($y == 0); }"
W_IS_0 = "any vcpu w; on return flush() { assert(to_vmx(w)->a == 0); }"
WALK = "kvm_for_each_vcpu(i, vcpu, kvm) {}"
COUNT = "spin_lock(&k->l); if (k->x < {}) k->x = k->x + 1; spin_unlock(&k->l);"
APART = "any vcpu v; any vcpu w; on return flush() { assert(v == w || to_vmx(w)->a == 0); }"
PAIRS = {
    "locked": (
        Statement(UNSEEN, LOCKED.format("k->x = 1; k->x = 0;"), READS),
        Statement(UNSEEN, LOCKED.format("k->x = 1; ") + "k->x = 0;", READS),
    ),
    "after": (
        Statement(X_IS_0, "k->x = 1; k->x = 0;"),
        Statement(X_IS_0, "k->x = 0; k->x = 1;"),
    ),
    "walk": (
        Statement(W_IS_0, WALK.format("to_vmx(vcpu)->a = 0;"), ""),
        Statement(W_IS_0, WALK.format("to_vmx(vcpu)->a = i > 1;"), ""),
    ),
    "own": (
        Statement(W_IS_0, "", "WRITE_ONCE(to_vmx(vcpu)->a, READ_ONCE(k->y));"),
        Statement(W_IS_0, "k->y = 1;", "WRITE_ONCE(to_vmx(vcpu)->a, READ_ONCE(k->y));"),
    ),
    "count": (
        Statement("on return flush() { assert($x <= 2); }", "", COUNT.format(2)),
        Statement("on return flush() { assert($x <= 2); }", "", COUNT.format(3)),
    ),
    "ends": (
        Statement("on end() { assert($x == $y); }", "k->x = 1; k->y = 1;"),
        Statement("on end() { assert($x == $y); }", "k->x = 1; k->y = 2;"),
    ),
    "roots": (
        Statement(
            "any vcpu w; on return flush() { assert((to_vmx(w)->pgd & 1) == 0); }",
            "",
            "to_vmx(vcpu)->pgd = root;",
        ),
        Statement(
            "any vcpu w; on return flush() { assert((to_vmx(w)->pgd & 1) == 0); }",
            "",
            "to_vmx(vcpu)->pgd = root | 1;",
        ),
    ),
    "tried": (
        Statement(
            UNSEEN,
            "if (spin_trylock(&k->l)) { k->x = 1; k->x = 0; spin_unlock(&k->l); }",
            READS,
        ),
        Statement(
            UNSEEN,
            "if (spin_trylock(&k->l)) { k->x = 1; spin_unlock(&k->l); k->x = 0; }",
            READS,
        ),
    ),
    "two": (
        Statement(APART, "", ""),
        Statement(APART, "", "to_vmx(vcpu)->a = 1;"),
    ),
    "hypercall": (
        Statement(X_IS_0, "if (hyperv_flush_guest_mapping(4096)) k->y = 1;"),
        Statement(X_IS_0, "if (hyperv_flush_guest_mapping(4096)) k->x = 1;"),
    ),
}
"""A claim that holds and that is proved, and one of a program that is much alike, which fails."""


@cache
def _machines(name: str) -> tuple[Machine, Machine]:
    true, false = PAIRS[name]
    return true.machine(), false.machine()


@cache
def _proofs(name: str) -> tuple[ClaimedProof, ClaimedProof]:
    """Return the true proof about the code proper, and that of the claim."""
    machine, _ = _machines(name)
    prover = ForAll(machine, evidence=False)
    program = machine.with_claims(("it",))
    found = prover.prove(program)
    assert isinstance(found, Evidence), found
    return found.code, found.claim


Item = TypeVar("Item")

# Alterations ---------------------------------------------------------------------------------

OPPOSITE: dict[Relation, Relation] = {
    "==": "!=",
    "!=": "==",
    "<": ">=",
    ">=": "<",
    "<=": ">",
    ">": "<=",
}


def _fact(fact: Fact, kind: int) -> tuple[Fact, ...]:
    """Return what stands in the place of a fact: nothing, less, more, or something else."""
    first, *rest = fact
    one_more = Sum((first.right, FixedNumber(1)))
    match kind:
        case 0:
            return ()
        case 1:
            return ((replace(first, relation=OPPOSITE[first.relation]), *rest),)
        case 2 if not isinstance(first.right, Sum):
            return ((replace(first, right=one_more), *rest),)
        case 3:
            return ((*fact, FactComparison("==", first.left, FixedNumber(1))),)
        case _:
            return ((FactComparison("==", FixedNumber(0), FixedNumber(1)),),)


def _in_facts(proof: ClaimedProof, rng: random.Random) -> ClaimedProof:
    c = rng.randrange(len(proof.cases))
    case = proof.cases[c]
    places = [(k, n) for k, (_, facts) in enumerate(case.facts) for n in range(len(facts))]
    if not places:
        return _more_facts(proof, rng)
    k, n = rng.choice(places)
    where, facts = case.facts[k]
    changed = (*facts[:n], *_fact(facts[n], rng.randrange(5)), *facts[n + 1 :])
    return _with_case(proof, c, replace(case, facts=_put(case.facts, k, (where, changed))))


def _more_facts(proof: ClaimedProof, rng: random.Random) -> ClaimedProof:
    """Let a location be one that nobody comes to."""
    c = rng.randrange(len(proof.cases))
    case = proof.cases[c]
    k = rng.randrange(len(case.facts))
    false: Fact = (FactComparison("<", FixedNumber(1), FixedNumber(0)),)
    return _with_case(
        proof, c, replace(case, facts=_put(case.facts, k, (case.facts[k][0], (false,))))
    )


def _in_values(proof: ClaimedProof, rng: random.Random) -> ClaimedProof:
    if not proof.values:
        return proof
    k = rng.randrange(len(proof.values))
    name, fact = proof.values[k]
    changed = [(name, f) for f in _fact(fact, rng.randrange(5))]
    return replace(proof, values=(*proof.values[:k], *changed, *proof.values[k + 1 :]))


def _in_cuts(proof: ClaimedProof, rng: random.Random) -> ClaimedProof:
    k = rng.randrange(len(proof.cuts))
    cut = proof.cuts[k]
    nearby = Position(cut.at.operation, max(0, cut.at.at + rng.choice((-1, 1))))
    changed: tuple[CutPoint, ...]
    match rng.randrange(5):
        case 0:
            changed = ()
        case 1:
            changed = (replace(cut, at=nearby, facts=(), rank=()),)
        case 2:
            changed = (replace(cut, boundary=not cut.boundary),)
        case 3:
            changed = (replace(cut, head=not cut.head, rank=()),)
        case _:
            changed = (replace(cut, rank=((FixedNumber(1), FixedNumber(0)),)),)
    return replace(proof, cuts=(*proof.cuts[:k], *changed, *proof.cuts[k + 1 :]))


def _in_cases(proof: ClaimedProof, rng: random.Random) -> ClaimedProof:
    c = rng.randrange(len(proof.cases))
    case = proof.cases[c]
    match rng.randrange(5):
        case 0:
            return replace(proof, cases=(*proof.cases[:c], *proof.cases[c + 1 :]))
        case 1:
            return _with_case(proof, c, replace(case, merged=not case.merged))
        case 2:
            return _with_case(proof, c, replace(case, history=not case.history))
        case 3:
            tracked = rng.choice(((), ("",), ("", ""), (*case.tracked, *case.tracked)))
            return _with_case(proof, c, replace(case, tracked=tracked))
        case _:
            return replace(proof, cases=(*proof.cases, case))


def _with_case(proof: ClaimedProof, at: int, case: CaseInvariant) -> ClaimedProof:
    return replace(proof, cases=_put(proof.cases, at, case))


def _put(items: tuple[Item, ...], at: int, item: Item) -> tuple[Item, ...]:
    return (*items[:at], item, *items[at + 1 :])


def _excluding(program: Program, proof: ClaimedProof) -> Iterator[ClaimedProof]:
    """Yield proofs that look at no failure, or at none after some branch."""
    kinds: tuple[type[Assert | Branch], ...] = (Assert, Branch)
    for kind in kinds:
        at = tuple(
            Position(o.name, k)
            for o in program.operations
            for k, i in enumerate(o.code)
            if isinstance(i, kind)
        )
        yield replace(proof, cases=tuple(replace(c, excluded=at) for c in proof.cases))


ALTERATIONS: tuple[Callable[[ClaimedProof, random.Random], ClaimedProof], ...] = (
    _in_facts,
    _in_facts,
    _in_values,
    _in_cuts,
    _in_cases,
    _more_facts,
)
ROUNDS = 24


def _altered(program: Program, proof: ClaimedProof, seed: str) -> Iterator[ClaimedProof]:
    rng = random.Random(seed)
    yield proof
    yield from _excluding(program, proof)
    for k in range(ROUNDS):
        once = ALTERATIONS[k % len(ALTERATIONS)](proof, rng)
        yield once
        if once.cases:
            yield rng.choice(ALTERATIONS)(once, rng)


@pytest.mark.sample("locked")
@pytest.mark.parametrize("name", PAIRS)
def test_no_altered_proof_of_a_false_claim(name: str) -> None:
    """A proof that is near enough to a true one to be confirmed would be one of anything.

    Guards Lemma L31 of docs/soundness.md.
    """
    _, machine = _machines(name)
    program = machine.with_claims(("it",))
    honest = ForAll(machine, evidence=False).defined
    assert not isinstance(honest, str)
    base = getattr(honest, "confirmed", None)
    assert isinstance(base, DefinedProgram), honest
    _, claim = _proofs(name)
    for proof in _altered(program, claim, name):
        assert not isinstance(check_claims(program, proof, base), ProofConfirmed), proof


@pytest.mark.sample("tried", "count")
@pytest.mark.parametrize("name", PAIRS)
def test_the_true_proof_is_confirmed_and_is_one_of_its_own_program(name: str) -> None:
    """Were every proof refused, what is above would show nothing."""
    machine, _ = _machines(name)
    code, claim = _proofs(name)
    base = machine.with_claims(())
    defined = check_defined(base, code)
    assert isinstance(defined, ProofConfirmed)
    program = machine.with_claims(("it",))
    found = check_claims(program, claim, DefinedProgram(base, defined))
    assert isinstance(found, ProofConfirmed)
