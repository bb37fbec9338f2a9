"""Every barrier of the kernel has its meaning on x86-64."""

from __future__ import annotations

from pathlib import Path

import pytest

from flushproof.frontend.spec.resolve import from_spec
from flushproof.machine.build import build_machine
from flushproof.results.verdict import Verdict
from flushproof.verify.portfolio import Question, decide_claims

VARIANT = """\
struct kvm_vmx {{ struct kvm kvm; int x; int y; int seen; atomic_t n; spinlock_t lock; }};
struct vcpu_vmx {{ struct kvm_vcpu vcpu; }};
int right(struct kvm *kvm)
{{
	struct kvm_vmx *vmx = to_kvm_vmx(kvm);
	{right}
	return vmx->x;
}}
void left(struct kvm_vcpu *vcpu, unsigned long root)
{{
	struct kvm_vmx *vmx = to_kvm_vmx(vcpu->kvm);
	{left}
	if (!vmx->y)
		vmx->seen = 1;
}}
"""
SPEC = """\
spec s {
	variant "v.c";
	operations { flush right(kvm); load left(vcpu, root); }
	bounds { vcpus 1; loads 1; flushes 1; flushers 1; }
	memory tso;
	claim both "one of the two sees the other's store" {
		bool missed;
		on return flush(ret) { missed = ret == 0; }
		on end() { assert(!missed || !to_kvm_vmx(kvm)->seen); }
	}
}
"""

FULL = [f"{{x}} = 1; {name}();" for name in ("smp_mb", "mb", "dma_mb", "virt_mb", "__smp_mb")]
FULL += [
    "smp_store_mb({x}, 1);",
    "virt_store_mb({x}, 1);",
    "xchg(&{x}, 1);",
    "{x} = 1; atomic_inc(&vmx->n);",
    "{x} = 1; atomic_cmpxchg(&vmx->n, 7, 8);",
    "cmpxchg(&{x}, 0, 1);",
    "{x} = 1; spin_lock(&vmx->lock); spin_unlock(&vmx->lock);",
]
EMPTY = [
    *("barrier", "rmb", "wmb", "smp_rmb", "smp_wmb", "dma_rmb", "dma_wmb", "virt_rmb", "virt_wmb"),
    *("smp_mb__before_atomic", "smp_mb__after_atomic", "smp_mb__after_spinlock"),
    *("smp_mb__after_unlock_lock", "smp_acquire__after_ctrl_dep", "smp_read_barrier_depends"),
    *("__smp_rmb", "__smp_wmb", "__smp_mb__before_atomic", "__smp_mb__after_atomic", "cpu_relax"),
]
NONE = [f"{{x}} = 1; {name}();" for name in EMPTY]
NONE += [
    "smp_store_release(&{x}, 1);",
    "WRITE_ONCE({x}, 1);",
    "{x} = 1; (void)smp_load_acquire(&{x});",
    "{x} = 1; atomic_set(&vmx->n, 1);",
    "{x} = 1; (void)atomic_read(&vmx->n);",
]


def _verdict(folder: Path, right: str, left: str) -> Verdict:
    bodies = {"right": right.format(x="vmx->y"), "left": left.format(x="vmx->x")}
    (folder / "v.c").write_text(VARIANT.format(**bodies))
    (folder / "v.spec").write_text(SPEC)
    made = build_machine(from_spec(str(folder / "v.spec")))
    (result,) = decide_claims(made, Question(("both",), made.setup.bounds, engine="enumerate"))
    return result.verdict


@pytest.mark.parametrize("store", FULL)
def test_what_is_a_full_barrier_waits_for_the_store(store: str, tmp_path: Path) -> None:
    """A fence that was none would refute code that is right."""
    assert _verdict(tmp_path, store, "vmx->x = 1; smp_mb();") is Verdict.BOUNDED


@pytest.mark.sample(every=5)
@pytest.mark.parametrize("store", NONE)
def test_what_is_no_full_barrier_leaves_the_store_in_the_buffer(store: str, tmp_path: Path) -> None:
    """A compiler barrier that was a fence would prove what x86 does otherwise."""
    assert _verdict(tmp_path, store, "vmx->x = 1; smp_mb();") is Verdict.REFUTED
