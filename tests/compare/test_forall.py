"""Equality of two variants for every number of vCPUs."""

from __future__ import annotations

from pathlib import Path

import pytest

from flushproof import pipeline
from flushproof.engines.outcome import NoProof
from flushproof.features.nfc.unbounded import Related, equal_for_all
from flushproof.frontend.spec.resolve import from_variant
from flushproof.ir.program import Program
from flushproof.machine.build import build_machine
from flushproof.results.comparison import Relation
from flushproof.verify.options import Comparing, Options
from support.places import SPECS


def program(path: Path) -> Program:
    """Return the plain program of a C file."""
    return build_machine(from_variant(str(path), None)).with_claims(())


def changed(tmp_path: Path, name: str, old: str, new: str) -> Path:
    """Write a variant with a piece of it changed."""
    text = (SPECS / f"{name}.c").read_text()
    assert text.count(old) == 1
    path = tmp_path / f"{name}.c"
    path.write_text(text.replace(old, new))
    return path


@pytest.mark.slow
def test_equal_for_all() -> None:
    """A reviewer with a thousand vCPUs is not told about four, and sees what relates the two."""
    paths = (str(SPECS / "counter_late.c"), str(SPECS / "counter_first.c"))
    found = pipeline.nfc(*paths, None, Options(), Comparing())
    assert found.relation is Relation.EQUAL
    assert (found.scope.vcpus, found.scope.loads, found.scope.flushes) == (None, None, None)
    assert "old kvm.hv_tlb_pgd == new kvm.hv_tlb_pgd" in found.invariant
    assert "old vcpu[v].hv_tlb_pgd == new vcpu[v].hv_tlb_pgd" in found.invariant


def test_not_equal_with_many(tmp_path: Path) -> None:
    """Equal for as many vCPUs as are tried is not equal: the sixth vCPU is left out.

    Guards Lemma L19, Lemma L27 of docs/soundness.md.
    """
    loop = "kvm_for_each_vcpu(i, vcpu, kvm) {"
    path = changed(tmp_path, "vcpu0_first", loop, f"{loop} if (i == 5) continue;")
    old = program(SPECS / "vcpu0_first.c")
    assert isinstance(equal_for_all(old, program(path), 1, after_load=False), NoProof)


@pytest.mark.slow
@pytest.mark.parametrize("after_load", [False, True])
def test_not_equal_at_boot(after_load: bool) -> None:
    """Two variants that differ before the first load only are related from then on."""
    old, new = (program(SPECS / f"{n}.c") for n in ("enum_cached", "mismatch_flag"))
    found = equal_for_all(old, new, 1, after_load=after_load)
    assert isinstance(found, Related) == after_load


def test_results_are_compared(tmp_path: Path) -> None:
    """Another error code is another result, whatever the number of vCPUs.

    Guards Lemma L27 of docs/soundness.md.
    """
    path = changed(tmp_path, "vcpu0_first", "return ret;", "return ret ? 1 : 0;")
    old = program(SPECS / "vcpu0_first.c")
    assert isinstance(equal_for_all(old, program(path), 1, after_load=False), NoProof)


def test_a_lock_that_is_kept(tmp_path: Path) -> None:
    """A call that keeps its lock makes the next wait for ever: nothing is equal after that.

    Guards Lemma L27 of docs/soundness.md.
    """
    unlock = "spin_unlock(&kvm_vmx->ept_pointer_lock);\n\treturn ret;"
    path = changed(tmp_path, "vcpu0_first", unlock, "return ret;")
    same = program(path)
    assert isinstance(equal_for_all(same, same, 1, after_load=False), NoProof)


def test_readers() -> None:
    """How many readers a lock has is more than the relation speaks of, which is said."""
    same = program(SPECS / "rwlock_walk.c")
    found = equal_for_all(same, same, 1, after_load=False)
    assert found == NoProof("there is a lock for readers and writers")
