"""Between which numbers locals lie: what is said holds, and is enough for loops that count."""

from __future__ import annotations

import pytest

from flushproof.ir.analysis.intervals import find_ranges
from flushproof.ir.code import Read, Write
from support.machines import machine_from

LEAST, MOST = -(1 << 31), (1 << 31) - 1

CODE = """
struct kvm_vmx { struct kvm kvm; int x; int y; };
struct vcpu_vmx { struct kvm_vcpu vcpu; };

int hv_remote_flush_tlb_with_range(struct kvm *kvm, struct kvm_tlb_range *range)
{
	struct kvm_vmx *kvm_vmx = to_kvm_vmx(kvm);
	TYPE i, n = kvm_vmx->x;

	STATEMENTS
	return 0;
}

void vmx_load_mmu_pgd(struct kvm_vcpu *vcpu, unsigned long root, int level)
{
	to_kvm_vmx(vcpu->kvm)->x = level;
}
"""
NOTE = "kvm_vmx->y = i;"
"""The store before which a row says where `i` lies."""

ROWS = [
    ("int", f"for (i = 0; i < n; i++) {NOTE}", (0, MOST - 1)),
    ("int", f"for (i = 0; i <= n; i++) {NOTE}", None),
    ("int", f"for (i = n - 1; i >= 0; i--) {NOTE}", (0, MOST)),
    ("int", f"i = n; while (i-- > 0) {NOTE}", (0, MOST - 1)),
    ("int", f"i = n; while (--i >= 3) {NOTE}", (3, MOST)),
    ("unsigned int", f"for (i = 0; i < n; i++) {NOTE}", (0, 2 * MOST)),
    ("int", f"i = n; if (i > 4 && !(i >= 9)) {NOTE}", (5, 8)),
    ("int", f"i = n; if (i < 4 || i > 9) {NOTE}", None),
    ("int", f"i = n; if (i == 7) i = i + 1; else i = 3; {NOTE}", (3, 8)),
    ("int", f"i = atomic_read(&kvm->online_vcpus) - 1; {NOTE}", (0, MOST - 1)),
    ("int", f"i = n + 1; {NOTE}", None),
]


@pytest.mark.parametrize(("kind", "statements", "expected"), ROWS)
def test_where_a_local_lies(kind: str, statements: str, expected: tuple[int, int] | None) -> None:
    """Too wide, and loops that end have no rank that is confirmed; too narrow would be false."""
    machine = machine_from(CODE.replace("TYPE", kind).replace("STATEMENTS", statements))
    flush = next(o for o in machine.with_claims(()).operations if o.name.startswith("hv_"))
    (at,) = (at for at, i in enumerate(flush.code) if isinstance(i, Write))
    assert any(isinstance(i, Read) for i in flush.code)
    known = {x.name: found for x, found in find_ranges(flush.code)[at].items()}
    assert known.get("i") == expected
