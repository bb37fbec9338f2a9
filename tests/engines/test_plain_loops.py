"""Variants that walk over vCPUs by number: what holds is proved, and what is off by one is not."""

from __future__ import annotations

import pytest

from flushproof.engines.explicit.enumerator import Sizes, enumerate_claim
from flushproof.frontend.setup import Bounds
from flushproof.frontend.spec.builtin import load_builtin
from flushproof.machine.build import Machine
from flushproof.results.verdict import Verdict
from flushproof.verify.portfolio import Question, decide_claims
from flushproof.verify.unbounded_proofs import DefinedCode, Evidence, ForAll
from support.machines import machine_from
from support.places import TESTS

FOLDER = TESTS / "engines" / "plain_loops"

SPEC = """
spec NAME {
	variant "NAME.c";
	operations {
		flush hv_remote_flush_tlb_with_range(kvm, range);
		load vmx_load_mmu_pgd(vcpu, root, free);
	}
	boot { to_vmx(vcpu)->hv_tlb_pgd = INVALID_PAGE; }
	cache when CACHED is to_kvm_vmx(kvm)->hv_tlb_pgd;
	bounds { vcpus 1..3; loads 2; flushes 2; flushers 1; }
	assume load_flushes;
}
"""

CACHED = {
    "enum_agree": "to_kvm_vmx(kvm)->status == ROOTS_AGREE",
    "local_only": "VALID_PAGE(to_kvm_vmx(kvm)->hv_tlb_pgd)",
    "two_passes": "VALID_PAGE(to_kvm_vmx(kvm)->hv_tlb_pgd)",
}
"""When a variant uses its cached root, where that is not told by a flag."""

REFUTED: dict[str, dict[str, int]] = {
    "enum_agree": {"no_repeat": 3},
    "for_down": {},
    "for_unsigned": {},
    "for_up": {},
    "local_only": {"no_repeat": 3},
    "not_dropped": {"coverage": 2, "no_repeat": 3, "cache_sound": 2},
    "saturated": {"no_repeat": 3},
    "to_the_last": {},
    "two_locks": {},
    "two_passes": {"no_repeat": 3, "no_bogus": 1},
    "two_steps": {},
    "while_left": {},
}
"""The claims that fail of each variant, with the fewest vCPUs: worked out by the enumerator."""

OPEN = {("not_dropped", "converges")}
"""What holds and is not proved: that the cached root is that of some vCPU, whichever it is."""

CLAIMS = tuple(c.name for c in load_builtin().claims)
CASES = [
    (name, claim)
    for n, name in enumerate(REFUTED)
    for k, claim in enumerate(CLAIMS)
    if (n + k) % 10 == 5 or (name, claim) in OPEN
]
"""One claim of each variant, or two, others of the next: each claim is asked of some variant."""

ABOUT_WALKS = ("coverage", "no_repeat", "no_wasted", "converges", "cache_sound")
"""The claims that hang on what a walk comes to."""

ENUMERATED = [
    (name, claim)
    for n, name in enumerate(REFUTED)
    for k, claim in enumerate(ABOUT_WALKS)
    if (n + k) % 2 == 0 or claim in REFUTED[name]
]

OFF_BY_ONE = [
    ("for_up", "i = 0; i < n", "i = 0; i <= n"),
    ("for_up", "n = atomic_read(&kvm->online_vcpus)", "n = atomic_read(&kvm->online_vcpus) + 1"),
    ("for_unsigned", "j = 0; j < i", "j = 0; j <= i + 1"),
    ("to_the_last", "j = i - 1; j >= 0", "j = i - 1; j >= -1"),
    ("to_the_last", "online_vcpus) - 1", "online_vcpus)"),
    ("for_down", "i = n - 1; i >= 0", "i = n; i >= 0"),
    ("for_down", "j = i + 1; j < n", "j = i + 1; j <= n"),
    ("while_left", "while (i-- > 0)", "while (i-- >= 0)"),
    ("while_left", "j = n - 1", "j = n"),
]
"""Edits by which a walk asks for a vCPU that there is not."""


def _machine(name: str, old: str = "", new: str = "") -> Machine:
    """Return the machine of a variant, with one text replaced."""
    code = (FOLDER / f"{name}.c").read_text(encoding="utf-8")
    assert old in code
    cached = CACHED.get(name, "to_kvm_vmx(kvm)->hv_tlb_pgd_valid")
    spec = SPEC.replace("NAME", name).replace("CACHED", cached)
    return machine_from(code.replace(old, new, 1) if old else code, spec, name)


def _is_proved(machine: Machine, claim: str) -> bool:
    """Tell whether a claim is proved for every number of vCPUs, the proof being confirmed."""
    forall = ForAll(machine, evidence=False)
    program = machine.with_claims((claim,))
    return isinstance(forall.prove_claim(claim, program), Evidence)


@pytest.mark.sample("for_up-no_bogus")
@pytest.mark.parametrize(("name", "claim"), CASES)
def test_what_holds_is_proved(name: str, claim: str) -> None:
    """A plain `for` over numbers would be held for few vCPUs only, though it is what most write."""
    holds = claim not in REFUTED[name] and (name, claim) not in OPEN
    assert _is_proved(_machine(name), claim) == holds


@pytest.mark.sample("for_up-no_repeat")
@pytest.mark.parametrize(("name", "claim"), ENUMERATED)
def test_the_enumerator_agrees(name: str, claim: str) -> None:
    """A proof of what some run breaks would be the worst of all defects."""
    machine = _machine(name)
    least = REFUTED[name].get(claim)
    (result,) = decide_claims(machine, Question((claim,), Bounds((1, 3), 1, 2, 1)))
    assert result.smallest_vcpus == least
    assert result.verdict == (Verdict.BOUNDED if least is None else Verdict.REFUTED)
    for n in (1, 2):
        outcome = enumerate_claim(machine.with_claims((claim,)), Sizes(n, 1, 1), claim, 5_000)
        assert outcome.undefined is None
        assert outcome.found is None or (least is not None and least <= n)


@pytest.mark.sample(every=16)
@pytest.mark.parametrize(("name", "old", "new"), OFF_BY_ONE)
def test_a_walk_that_is_off_by_one_is_not_proved(name: str, old: str, new: str) -> None:
    """A number that is none of a vCPU is undefined behaviour, however many there are."""
    assert not isinstance(ForAll(_machine(name, old, new), evidence=False).defined, DefinedCode)


@pytest.mark.sample(every=2)
@pytest.mark.parametrize(
    ("name", "old", "new"),
    [
        ("while_left", "while (i-- > 0) {", "while (i > 0) { i--;"),
        ("while_left", "while (i-- > 0) {", "for (; --i >= 0; ) {"),
    ],
)
def test_a_walk_that_moves_first_ends(name: str, old: str, new: str) -> None:
    """Where the move comes before a loop within, what the rank says there is another."""
    assert isinstance(ForAll(_machine(name, old, new), evidence=False).defined, DefinedCode)


@pytest.mark.parametrize("edit", ["bool i, n = atomic_read", "u16 i, n = atomic_read"])
def test_a_walk_over_another_type(edit: str) -> None:
    """What says at which vCPU a walk is may be no number to the search, which stumbled over it."""
    machine = _machine("saturated", "int i, n = atomic_read", edit)
    assert not _is_proved(machine, "coverage")
