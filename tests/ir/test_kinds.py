"""Which representation the integers of the corpus get."""

from __future__ import annotations

from pathlib import Path

import pytest

from flushproof.ir.analysis.representation import Kinds, Representation, infer_kinds
from flushproof.ir.program import Operation, Role
from support.machines import machine_of, program_of
from support.places import NAMES
from support.small_c import machine

COUNTERS = {"counter_first": "nr_roots", "counter_late": "nr_roots", "dedup_all": "nr_roots"}


def _local(kinds: Kinds, operation: Operation, name: str) -> Representation:
    known = {
        slot[1].name: kind
        for slot, kind in kinds.slots.items()
        if isinstance(slot, tuple) and slot[0] == operation.name
    }
    return known[name]


def test_all_variants() -> None:
    """The tables below would pass on an empty corpus."""
    assert len(NAMES) == 17


@pytest.mark.parametrize("name", NAMES)
def test_roots_are_uninterpreted(name: str) -> None:
    """Bit-vectors for roots cost three orders of magnitude; the corpus does not need them."""
    program = machine_of(name).base
    kinds = infer_kinds(program)
    assert kinds.exact_roots
    names = {"ept_pointer", "hv_tlb_pgd", "hv_tlb_eptp"}
    tracked = [f for f in program.fields if f.name.rpartition(".")[2] in names]
    assert tracked
    assert {kinds.field(f) for f in tracked} == {Representation.ROOT}
    assert all(kinds.is_root(f) for f in tracked)
    others = [f for f in program.fields if f not in tracked and not f.ghost]
    assert not any(kinds.is_root(f) for f in others)
    (load,) = program.of(Role.LOAD)
    assert _local(kinds, load, "root") is Representation.ROOT


@pytest.mark.parametrize("name", NAMES)
def test_error_codes_are_flags(name: str) -> None:
    """`ret |=` on 32-bit vectors would be ten times slower."""
    program = machine_of(name).base
    (flush,) = program.of(Role.FLUSH)
    assert _local(infer_kinds(program), flush, "ret") is Representation.FLAG


@pytest.mark.parametrize("name", sorted(COUNTERS))
def test_counters_count(name: str) -> None:
    """A counter kept as a flag would lose the difference between one root and two.

    Guards Lemma L3 of docs/soundness.md.
    """
    program = machine_of(name).base
    (flush,) = program.of(Role.FLUSH)
    kinds = infer_kinds(program)
    assert _local(kinds, flush, COUNTERS[name]) is Representation.COUNT
    assert _local(kinds, flush, "i") is Representation.COUNT


@pytest.mark.sample(every=6)
@pytest.mark.parametrize("name", NAMES)
def test_claims_keep_the_kinds(name: str) -> None:
    """A monitor that made roots bit-vectors would make its claim slow without need."""
    made = machine_of(name)
    for claim in made.setup.claims:
        if made.statable(claim.name):
            assert infer_kinds(program_of(name, claim.name)).exact_roots, claim.name


FLUSH = """
int f(struct kvm *kvm)
{{
	u64 root = to_vmx(kvm_get_vcpu(kvm, 0))->root;
	{body}
	return hyperv_flush_guest_mapping(root);
}}
"""


@pytest.mark.parametrize(
    ("body", "exact"),
    [
        ("", True),
        ("if (root == 0 || root == INVALID_PAGE) return 0;", True),
        ("root &= PAGE_MASK;", True),
        ("root |= 0x1e;", True),
        ("if (root & 1) return 1;", True),
        ("root += PAGE_SIZE;", False),
        ("root ^= 1;", False),
        ("root >>= 1;", False),
        ("if (root > 77) return 0;", False),
        ("root = ~root;", False),
        ("root &= 0xff000;", False),
        ("root = (u32)root;", False),
        ("root *= 2;", False),
    ],
)
def test_what_is_done_to_roots(body: str, exact: bool, tmp_path: Path) -> None:
    """Uninterpreted roots are exact only where nothing but copying and comparing happens.

    Guards Lemma L5 of docs/soundness.md.
    """
    made = machine(tmp_path, FLUSH.format(body=body), "flush f(kvm);")
    kinds = infer_kinds(made.base)
    assert kinds.exact_roots is exact
    (field,) = (f for f in made.base.fields if f.label == "root")
    assert kinds.field(field) is (Representation.ROOT if exact else Representation.BITS)
    assert not infer_kinds(made.base, exact_roots=False).exact_roots
