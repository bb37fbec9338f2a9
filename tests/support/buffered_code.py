"""Small programs of two threads, written out or random, for a machine with store buffers."""

from __future__ import annotations

import random
from collections.abc import Sequence
from pathlib import Path

from flushproof.frontend.spec.resolve import from_spec
from flushproof.machine.build import Machine, build_machine

FIELDS = ("x", "y", "z")
HEAD = """\
struct kvm_vmx { struct kvm kvm; int x; int y; int z; spinlock_t lock; spinlock_t other;
	struct mutex mutex; };
struct vcpu_vmx { struct kvm_vcpu vcpu; int own; };
int xchg(int *p, int value) __exchange(p, value);
"""
FULL = ("smp_mb();", "xchg(&vmx->{}, 2);")
OF_STORES = ("smp_wmb();", "smp_store_release(&vmx->{}, 1);", "smp_mb();")
"""Barriers: those that wait for stores, and such as only keep their order, too."""
SPEC = """\
spec s {{
	variant "v.c";
	operations {{ flush right(kvm); load left(vcpu, root); }}
	memory {memory};
}}
"""


def write_machine(folder: Path, right: str, left: str, memory: str = "tso") -> Machine:
    """Build a flush and a load from their bodies; the load leaves what it read in `own`."""
    kvm = "struct kvm_vmx *vmx = to_kvm_vmx({});\n\tint r = 0;\n"
    (folder / "v.c").write_text(
        f"{HEAD}int right(struct kvm *kvm)\n{{\n\t{kvm.format('kvm')}{right}\treturn r;\n}}\n"
        f"void left(struct kvm_vcpu *vcpu, unsigned long root)\n"
        f"{{\n\t{kvm.format('vcpu->kvm')}{left}\n}}\n"
    )
    (folder / "v.spec").write_text(SPEC.format(memory=memory))
    return build_machine(from_spec(str(folder / "v.spec")))


def random_body(chance: random.Random, barriers: Sequence[str] = FULL) -> str:
    """Return statements on shared fields, barriers among them."""

    def one() -> str:
        a, b = chance.choice(FIELDS), chance.choice(FIELDS)
        return chance.choice(
            (
                f"vmx->{a} = {chance.randint(1, 2)};",
                f"vmx->{a} = {chance.randint(1, 2)};",
                f"r = r * 3 + vmx->{a};",
                f"if (vmx->{a}) vmx->{b} = 2;",
                chance.choice(barriers).format(a),
            )
        )

    return " ".join(one() for _ in range(chance.randint(2, 3)))


def random_locking(chance: random.Random) -> str:
    """Return statements on shared fields, under locks or not, freed by strangers at times."""

    def access() -> str:
        a = chance.choice(FIELDS)
        store = f"vmx->{a} = {chance.randint(1, 2)};"
        return chance.choice((store, store, f"r = r * 3 + vmx->{a};"))

    def one() -> str:
        lock = chance.choice(("lock", "other"))
        unlock = f"spin_unlock(&vmx->{lock});"
        return chance.choice(
            (
                f"spin_lock(&vmx->{lock}); {access()} {unlock}",
                f"if (spin_trylock(&vmx->{lock})) {{ {access()} {unlock} }} else {access()}",
                f"r = r * 2 + spin_trylock(&vmx->{lock});",
                f"mutex_lock(&vmx->mutex); {access()} mutex_unlock(&vmx->mutex);",
                unlock if chance.random() < 0.2 else access(),
                "smp_mb();" if chance.random() < 0.3 else access(),
                access(),
            )
        )

    return " ".join(one() for _ in range(2))
