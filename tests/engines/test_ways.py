"""A claim's ways to fail: together they are the claim; each may need an invariant of its own."""

from __future__ import annotations

from pathlib import Path

import pytest

from flushproof.engines.bounded.engine import Bounded, Settings
from flushproof.engines.bounded.threads import Counts
from flushproof.engines.counterexample import Counterexample
from flushproof.engines.unbounded.assertion_splitting import split_assertions
from flushproof.frontend.spec.resolve import from_spec
from flushproof.ir.program import Program
from flushproof.machine.build import build_machine
from flushproof.verify.unbounded_proofs import Evidence, ForAll
from support.machines import machine_from, machine_of, program_of
from support.places import SPECS

SMALL = Counts(2, 1, 2, 1)


def _fails(program: Program, claim: str) -> bool:
    engine = Bounded(program, SMALL, Settings())
    return any(isinstance(engine.claim(claim, n), Counterexample) for n in (1, 2))


@pytest.mark.sample(every=3)
@pytest.mark.parametrize(
    ("spec", "claim", "count"),
    [
        ("counter_first", "converges", 3),
        ("enum_status", "converges", 3),
        ("vcpu0_first", "no_repeat", 2),
        ("counter_first", "coverage", 1),
        ("enum_status", "coverage", 1),
    ],
)
def test_a_claim_fails_exactly_if_one_of_its_ways_does(spec: str, claim: str, count: int) -> None:
    """Nothing is lost where the ways are looked at one by one, and nothing comes in.

    Guards Lemma L21 of docs/soundness.md.
    """
    program = program_of(spec, claim)
    found = split_assertions(program)
    assert len(found) == count
    assert any(_fails(p, claim) for p in found) == _fails(program, claim)


def test_each_way_is_one() -> None:
    """A variant that fails in one way does not fail in the others.

    Guards Lemma L21 of docs/soundness.md.
    """
    text = (SPECS / "counter_first.c").read_text()
    call = "ret = hv_remote_flush_pgd(kvm_vmx->hv_tlb_pgd, range);"
    twice = text.replace(call, f"{call}\n\t\t{call}")
    assert twice != text
    machine = machine_from(twice)
    failing = [
        _fails(p, "converges") for p in split_assertions(machine.with_claims(("converges",)))
    ]
    assert failing == [False, True, False]


@pytest.mark.slow
def test_the_second_call_on_one_root_is_found_by_the_first() -> None:
    """That no root is flushed twice has to speak of the vCPU at which it was flushed first.

    Guards Lemma L20 of docs/soundness.md.
    """
    machine = machine_of("dedup_all")
    forall = ForAll(machine, evidence=False)
    program = machine.with_claims(("no_repeat",))
    assert isinstance(forall.prove(program), Evidence)


PAIR = """
claim pair "no two vCPUs have both loaded" {
	any vcpu a;
	any vcpu b;
	bool first, second, both, never;

	on return load(v) {
		if (v == a)
			first = true;
		if (v == b)
			second = true;
		both = first && second;
	}
	on return flush() { assert(a == b || (!both && !never)); }
}
"""


@pytest.mark.slow
def test_a_claim_about_two_vcpus_is_not_looked_at_where_they_are_one(tmp_path: Path) -> None:
    """What fails for two different vCPUs holds wherever both are the one that is tracked.

    Guards Lemma L2 of docs/soundness.md.
    """
    spec = (SPECS / "counter_first.spec").read_text()
    path = tmp_path / "pair.spec"
    (tmp_path / "counter_first.c").write_text((SPECS / "counter_first.c").read_text())
    path.write_text(PAIR + spec)
    machine = build_machine(from_spec(str(path)))
    program = machine.with_claims(("pair",))
    assert len(split_assertions(program)) == 2
    assert _fails(program, "pair")
    forall = ForAll(machine, evidence=False)
    assert not isinstance(forall.prove(program), Evidence)
