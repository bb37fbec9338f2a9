"""Which loops are shown to end: none that may go on for ever, and those that a kernel file has."""

from __future__ import annotations

import pytest

from flushproof.engines.reduction.ranking import unranked_heads
from flushproof.ir.code import Instr
from flushproof.ir.program import Role
from support.machines import machine_from

CODE = """\
struct kvm_vmx { struct kvm kvm; int x, y; u64 wide; spinlock_t lock; };
struct vcpu_vmx { struct kvm_vcpu vcpu; int a; };
int any_int(void) __free;
static bool step_back(int *n) { return --*n > 0; }
int my_flush(struct kvm *kvm, int a, int b)
{
	struct kvm_vmx *k = to_kvm_vmx(kvm);
	struct kvm_vcpu *vcpu;
	bool again = false;
	unsigned int u = a;
	int i = 0, j, n = b;
	u64 w = a;

	BODY
	return i + n + again + u + w;
}
void my_load(struct kvm_vcpu *vcpu, unsigned long root) { to_vmx(vcpu)->a = 1; }
"""
SPEC = """\
spec own {
	variant "own.c";
	operations { flush my_flush(kvm, free, free); load my_load(vcpu, root); }
}
"""
ENDS = {
    "walk": "kvm_for_each_vcpu(i, vcpu, kvm) { if (to_vmx(vcpu)->a) break; k->x++; }",
    "for": "for (i = 0; i < a; i++) k->x = i;",
    "bound that moves": "for (i = 0; i < READ_ONCE(k->x); i++) { }",
    "for or equal": "for (i = 0; i <= 7; i++) k->x = i;",
    "downwards": "for (i = n; i >= 0; i--) k->x = i;",
    "do": "do { k->x = i; } while (++i < 3);",
    "while": "while (n > 0) { n--; if (any_int()) continue; k->x = n; }",
    "post": "while (u--) k->x = u;",
    "until equal": "for (i = 0; i != a; i++) k->x = i;",
    "halved": "while (w) { w >>= 1; k->x++; }",
    "bits": "while (u) { u &= u - 1; k->x++; }",
    "by two": "for (i = 0; i < 100; i += 2) k->x = i;",
    "nested": "for (i = 0; i < a; i++) for (j = 0; j < b; j++) k->x = j;",
    "once more": "retry: k->x = 1; if (k->y && !again) { again = true; goto retry; }",
    "in a function": "while (step_back(&n)) k->x = n;",
    "either": "while (i < a && n > 0) { if (k->x) i++; else n--; }",
    "lexicographic": "while (i < 9) { if (u > 0) u--; else { i++; u = any_int(); } }",
    "left in the middle": "for (;;) { if (i >= 5) break; i++; k->x = i; }",
    "two ways round": "again: i++; if (i < 3) goto again; if (i < 9 && k->x) goto again;",
}
MAY_NOT_END = {
    "for ever": "while (1) WRITE_ONCE(k->x, 1);",
    "waits": "while (READ_ONCE(k->x)) k->y = 1;",
    "do waits": "do { n = READ_ONCE(k->x); k->y = n; } while (n);",
    "tries": "do { n = READ_ONCE(k->x); k->y = n; } while (cmpxchg(&k->x, n, n + 1) != n);",
    "trylock": "while (!spin_trylock(&k->lock)) k->y = 1;",
    "goto": "again: k->y = 1; if (READ_ONCE(k->x)) goto again;",
    "not counted": "for (i = 0; i < a; ) { if (any_int()) i++; k->x = 1; }",
    "counted back": "for (i = 0; i < a; i++) { if (k->x) i--; }",
    "set back": "for (i = 0; i < a; i++) { if (k->x) i = 0; }",
    "jumps over": "for (i = 0; i != 7; i += 2) k->x = i;",
    "wraps": "for (i = 0; i >= 0 || i < 0; i++) k->x = i;",
    "to a bound that moves": "for (i = 0; i != READ_ONCE(k->x); i++) { }",
    "nested": "for (i = 0; i < a; i++) while (READ_ONCE(k->x)) k->y = i;",
    "inner undoes": "while (n > 0) { n--; while (any_int()) { n++; if (n > 99) break; } }",
    "inner counts for outer": "while (i < a) { while (n > 0) { n--; i++; } }",
    "nothing": "for (;;) { }",
    "swaps": "while (i < n) { j = i; i = n; n = j; if (i > n) { j = i; i = n; n = j; } }",
}


def _code(body: str) -> tuple[Instr, ...]:
    program = machine_from(CODE.replace("BODY", body), SPEC).with_claims(())
    (flush,) = program.of(Role.FLUSH)
    return flush.code


@pytest.mark.parametrize("name", ENDS)
def test_loops_that_end(name: str) -> None:
    """A loop that surely ends is taken to be a place where others may step in."""
    assert unranked_heads(_code(ENDS[name])) == frozenset()


@pytest.mark.sample(every=4)
@pytest.mark.parametrize("name", MAY_NOT_END)
def test_loops_that_may_not_end(name: str) -> None:
    """A step is taken to end although it goes round for ever, or only others end it.

    Guards Lemma L10 of docs/soundness.md.
    """
    assert unranked_heads(_code(MAY_NOT_END[name])) != frozenset()
