"""Variants around one lock for readers and writers, written out or sampled.

What should not be reached is marked by a hypercall on a root that is none, so that the claim
`no_bogus` says that it is not reached.
"""

from __future__ import annotations

import random
from pathlib import Path

from flushproof.frontend.spec.resolve import from_variant
from flushproof.machine.build import Machine, build_machine
from flushproof.support.record import Record

TEXT = """\
struct kvm_vmx {{
	struct kvm kvm;
	int n, m;
	rwlock_t rw;
}};
struct vcpu_vmx {{ struct kvm_vcpu vcpu; int a; }};

int hv_remote_flush_tlb_with_range(struct kvm *kvm, struct kvm_tlb_range *range)
{{
	struct kvm_vmx *vmx = to_kvm_vmx(kvm);
	struct kvm_vcpu *vcpu;
	int ret = 0, x = 0, i;

	{flush}
	return ret;
}}

void vmx_load_mmu_pgd(struct kvm_vcpu *vcpu, unsigned long root, int level)
{{
	struct kvm_vmx *vmx = to_kvm_vmx(vcpu->kvm);
	struct vcpu_vmx *own = to_vmx(vcpu);
	int x = 0;

	{load}
}}
"""

BOGUS = "ret = hyperv_flush_guest_mapping(0);"
MARK = "WRITE_ONCE(vmx->m, 1);"


class Variant(Record, frozen=True):
    """The bodies of a flush and of a load."""

    flush: str
    load: str

    @property
    def text(self) -> str:
        """The whole file."""
        return TEXT.format(flush=self.flush, load=self.load)


def write(variant: Variant, folder: Path) -> Machine:
    """Build a variant in a folder."""
    path = folder / "variant.c"
    path.write_text(variant.text)
    return build_machine(from_variant(str(path), None))


def sample(seed: int) -> Variant:
    """Return the variant of a seed."""
    return _Sampler(random.Random(f"readers {seed}")).variant()


class _Sampler:
    """Samples bodies: sections as a reader or writer with accesses in between, some accesses bare.

    Sections are mostly balanced; now and then an unlock is missing, doubled or of the wrong sort.
    """

    def __init__(self, dice: random.Random) -> None:
        self.dice = dice

    def variant(self) -> Variant:
        flush = [*self._body(flusher=True), f"if (READ_ONCE(vmx->m)) {{ {BOGUS} }}"]
        load = self._body(flusher=False)
        if self._often(0.3):
            number = self.dice.choice((1, 1, 2))
            load = [f"if (vcpu->vcpu_id {self.dice.choice(('<', '>='))} {number}) {{", *load, "}"]
            if self._often(0.6):
                load += ["else {", *self._section(flusher=False, depth=1), "}"]
        return Variant("\n\t".join(flush), "\n\t".join(load))

    def _often(self, chance: float) -> bool:
        return self.dice.random() < chance

    def _body(self, *, flusher: bool) -> list[str]:
        before = self._accesses(flusher=flusher) if self._often(0.15) else []
        after = self._accesses(flusher=flusher) if self._often(0.15) else []
        return [*before, *self._section(flusher=flusher), *after]

    def _section(self, *, flusher: bool, depth: int = 0) -> list[str]:
        mode = self.dice.choice(("read", "read", "write"))
        inside = self._accesses(flusher=flusher)
        if depth == 0 and self._often(0.15):
            inside = self._section(flusher=flusher, depth=1)
        unlock = f"{mode}_unlock(&vmx->rw);"
        if self._often(0.4):
            failed = ["else {", self._marked(flusher=flusher), "}"] if self._often(0.6) else []
            return [f"if ({mode}_trylock(&vmx->rw)) {{", *inside, unlock, "}", *failed]
        return [f"{mode}_lock(&vmx->rw);", *inside, *self._freed(mode, unlock)]

    def _freed(self, mode: str, unlock: str) -> list[str]:
        other = "write" if mode == "read" else "read"
        sorts: tuple[list[str], ...] = (
            [unlock],
            [],
            [unlock, unlock],
            [f"{other}_unlock(&vmx->rw);"],
        )
        return self.dice.choices(sorts, (88, 4, 4, 4))[0]

    def _accesses(self, *, flusher: bool) -> list[str]:
        """Return accesses that notice, or can be noticed by, others in the same section."""
        mark = self._marked(flusher=flusher)
        own = "own->a = 1; own->a = 0;", f"if (own->a) {{ {mark} }} own->a = 1;", "own->a = 1;"
        walks = (
            f"kvm_for_each_vcpu(i, vcpu, kvm) {{ if (to_vmx(vcpu)->a) {{ {mark} }} }}",
            "kvm_for_each_vcpu(i, vcpu, kvm) { to_vmx(vcpu)->a = 0; }",
        )
        return [
            self.dice.choice(
                (
                    "vmx->n = 1; vmx->n = 0;",
                    "vmx->n = 1;",
                    f"x = vmx->n; if (x != vmx->n) {{ {mark} }}",
                    f"if (vmx->n == 1) {{ {mark} }}",
                    *(walks if flusher else own),
                )
            )
            for _ in range(self.dice.choice((1, 1, 1, 2)))
        ]

    def _marked(self, *, flusher: bool) -> str:
        return BOGUS if flusher else MARK
