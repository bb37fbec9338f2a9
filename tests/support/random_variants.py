"""Random variants of the flush, sampled from a grammar: right ones, wrong ones, and odd ones.

They have loops, early exits, counters, flags, nested conditions, one or two locks or none, taken
where they should be and where not, both hypercalls, and several fields. The seed is all there is
to a variant.
"""

from __future__ import annotations

import random
from dataclasses import dataclass
from pathlib import Path

from flushproof.frontend.spec.resolve import from_spec
from flushproof.machine.build import Machine, build_machine

STRUCTS = """\
enum status { UNKNOWN, SAME, OTHER };
struct kvm_vmx {
	struct kvm kvm;
	hpa_t cached;
	bool valid;
	int count;
	enum status status;
	spinlock_t lock;
	spinlock_t other_lock;
};
struct vcpu_vmx {
	struct kvm_vcpu vcpu;
	hpa_t root;
	bool loaded;
};

static int flush_root(u64 root, struct kvm_tlb_range *range)
{
	if (range)
		return hyperv_flush_guest_mapping_range(root, kvm_fill_hv_flush_list_func,
							(void *)range);
	return hyperv_flush_guest_mapping(root);
}

"""

SPEC = """\
spec random {{
	variant "random.c";
	operations {{ flush flush(kvm, range); load load(vcpu, root); }}
	boot {{ {boot} }}
	cache when {used} is vmx_of(kvm)->cached{mask};
	bounds {{ vcpus 1..2; loads 1; flushes 1; flushers 1; }}
	assume load_flushes;
}}
"""

BOOT = "to_vmx(vcpu)->root = INVALID_PAGE;"
USED = (
    "VALID_PAGE(to_kvm_vmx(kvm)->cached)",
    "to_kvm_vmx(kvm)->valid",
    "to_kvm_vmx(kvm)->status == SAME",
    "to_kvm_vmx(kvm)->count == 1",
)
INSIDE = ("root != INVALID_PAGE", "VALID_PAGE(root)", "root == vmx->cached", "to_vmx(vcpu)->loaded")
ANYWHERE = (
    "VALID_PAGE(vmx->cached)",
    "vmx->valid",
    "vmx->count > 1",
    "vmx->count == 1",
    "vmx->status == SAME",
    "vmx->status != OTHER",
    "seen",
    "nr > 1",
    "nr == 1",
    "ret",
    "range",
)
VALUES = {
    "vmx->cached": ("INVALID_PAGE", "root", "INVALID_PAGE", "0"),
    "vmx->valid": ("true", "false", "nr == 1", "!seen"),
    "vmx->count": ("0", "nr", "1"),
    "vmx->status": ("UNKNOWN", "SAME", "OTHER"),
}


@dataclass(frozen=True, slots=True)
class Variant:
    """A C file and its spec."""

    code: str
    spec: str


def write(variant: Variant, folder: Path) -> Machine:
    """Build a variant in a folder."""
    (folder / "random.c").write_text(variant.code)
    (folder / "random.spec").write_text(variant.spec)
    return build_machine(from_spec(str(folder / "random.spec")))


def sample(seed: int) -> Variant:
    """Return the variant of a seed."""
    return _Sampler(random.Random(f"variant {seed}")).variant()


def _marked(line: str) -> str:
    left, equals, value = line.partition("vmx->cached = ")
    if equals:
        return f"{left}WRITE_ONCE(vmx->cached, {value.removesuffix(';')});"
    return line.replace("vmx->cached", "READ_ONCE(vmx->cached)")


class _Sampler:
    def __init__(self, dice: random.Random) -> None:
        self.dice = dice
        self.fields = dice.sample(sorted(VALUES), k=dice.choice((1, 2, 2, 3)))
        if "vmx->cached" not in self.fields and dice.random() < 0.8:
            self.fields.append("vmx->cached")
        self.marked = dice.random() < 0.15
        self.loops = 0

    def variant(self) -> Variant:
        code = STRUCTS + self._flush() + self._load()
        boot = BOOT if self._often(0.9) else "to_vmx(vcpu)->loaded = false;"
        if self._often(0.3):
            boot += " to_kvm_vmx(kvm)->cached = INVALID_PAGE;"
        mask = " & PAGE_MASK" if self._often(0.2) else ""
        spec = SPEC.format(boot=boot, used=self.dice.choice(USED), mask=mask)
        return Variant(self._accesses(code), spec.replace("vmx_of", "to_kvm_vmx"))

    def _often(self, chance: float) -> bool:
        return self.dice.random() < chance

    def _accesses(self, code: str) -> str:
        """Mark accesses to the cached root as READ_ONCE and WRITE_ONCE, in some variants."""
        if not self.marked:
            return code
        return "\n".join(_marked(line) for line in code.split("\n"))

    # Locks -----------------------------------------------------------------------------------

    def _locked(self, lines: list[str]) -> list[str]:
        """Put code under a lock: mostly all of it, sometimes a part, another lock or none."""
        kind = self.dice.choices(("all", "part", "none", "two", "odd"), (70, 12, 8, 6, 4))[0]
        lock, unlock = "spin_lock(&vmx->lock);", "spin_unlock(&vmx->lock);"
        match kind:
            case "all":
                return [lock, *lines, unlock]
            case "part":
                cut = self.dice.randrange(len(lines) + 1)
                return [*lines[:cut], lock, *lines[cut:], unlock]
            case "two":
                other = ["spin_lock(&vmx->other_lock);", "spin_unlock(&vmx->other_lock);"]
                order = [lock, other[0]] if self._often(0.5) else [other[0], lock]
                return [*order, *lines, other[1], unlock]
            case "odd":
                return (
                    [lock, *lines]
                    if self._often(0.3)
                    else ["spin_lock(&vmx->other_lock);", *lines, "spin_unlock(&vmx->other_lock);"]
                )
            case _:
                return lines

    # The flush -------------------------------------------------------------------------------

    def _flush(self) -> str:
        body: list[str] = []
        for _ in range(self.dice.choice((1, 1, 2, 2, 3))):
            body += self._statement(0, inside=False)
        if not self.loops:
            body += self._walk(0)
        lines = self._locked(body)
        seen = "bool seen;" if self._often(0.08) else "bool seen = false;"
        text = "\n".join(f"\t{line}" for line in ("", *lines))
        return (
            "int flush(struct kvm *kvm, struct kvm_tlb_range *range)\n{\n"
            "\tstruct kvm_vmx *vmx = to_kvm_vmx(kvm);\n\tstruct kvm_vcpu *vcpu;\n"
            f"\tint ret = 0, nr = 0, i;\n\tu64 root = INVALID_PAGE;\n\t{seen}\n"
            f"{text}\n\treturn ret;\n}}\n\n"
        )

    def _statement(self, depth: int, *, inside: bool) -> list[str]:
        kinds = ["assign", "count", "call", "if", "exit", "walk"]
        weights = [4, 2, 4, 5 if depth < 3 else 0, 2, 4 if not inside and self.loops < 2 else 0]
        match self.dice.choices(kinds, weights)[0]:
            case "assign":
                return [self._assignment(inside=inside)]
            case "count":
                return [self.dice.choice(("nr++;", "seen = true;", "++nr;", "seen = nr > 1;"))]
            case "call":
                return self._call(inside=inside)
            case "if":
                return self._if(depth, inside=inside)
            case "walk":
                return self._walk(depth)
            case _:
                return self._exit(inside=inside)

    def _assignment(self, *, inside: bool) -> str:
        target = self.dice.choice(self.fields)
        if target == "vmx->count" and self._often(0.3):
            return "vmx->count++;"
        values = VALUES[target]
        if inside and target == "vmx->cached" and self._often(0.5):
            return "vmx->cached = root;"
        return f"{target} = {self.dice.choice(values)};"

    def _call(self, *, inside: bool) -> list[str]:
        root = "root" if inside else self.dice.choice(("vmx->cached", "vmx->cached", "root"))
        call = f"flush_root({root}, {self.dice.choice(('range', 'range', 'range', 'NULL'))})"
        form = self.dice.choice(
            ("ret = {};", "ret |= {};", "if (!ret) ret = {};", "ret = ret ?: {};")
        )
        return [form.format(call)]

    def _condition(self, *, inside: bool) -> str:
        plain = self.dice.choice(ANYWHERE + (INSIDE * 2 if inside else ()))
        if self._often(0.3):
            plain = f"!({plain})"
        if self._often(0.25):
            other = self.dice.choice(ANYWHERE + (INSIDE if inside else ()))
            plain = f"({plain}) {self.dice.choice(('&&', '||'))} ({other})"
        return plain

    def _if(self, depth: int, *, inside: bool) -> list[str]:
        test = self._condition(inside=inside)
        yes = self._block(depth + 1, inside=inside)
        out = [f"if ({test}) {{", *(f"\t{x}" for x in yes), "}"]
        if self._often(0.4):
            no = self._block(depth + 1, inside=inside)
            out[-1:] = ["} else {", *(f"\t{x}" for x in no), "}"]
        return out

    def _block(self, depth: int, *, inside: bool) -> list[str]:
        count = self.dice.choice((1, 1, 2))
        return [x for _ in range(count) for x in self._statement(depth, inside=inside)]

    def _exit(self, *, inside: bool) -> list[str]:
        test = self._condition(inside=inside)
        if inside:
            return [f"if ({test}) {self.dice.choice(('continue', 'continue', 'break'))};"]
        if self._often(0.25):
            return [f"if ({test}) return ret;"]
        return [f"if ({test}) {{ spin_unlock(&vmx->lock); return ret; }}"]

    def _walk(self, depth: int) -> list[str]:
        self.loops += 1
        body = ["root = to_vmx(vcpu)->root;"]
        if self._often(0.8):
            body.append("if (!VALID_PAGE(root)) continue;")
        for _ in range(self.dice.choice((1, 2, 2, 3))):
            body += self._statement(depth + 1, inside=True)
        if self._often(0.7):
            body += self._call(inside=True)
        return ["kvm_for_each_vcpu(i, vcpu, kvm) {", *(f"\t{x}" for x in body), "}"]

    # The load --------------------------------------------------------------------------------

    def _load(self) -> str:
        lines = ["to_vmx(vcpu)->root = root;"]
        if self._often(0.4):
            lines.append("to_vmx(vcpu)->loaded = true;")
        resets = {"vmx->cached": "INVALID_PAGE", "vmx->valid": "false", "vmx->count": "0"}
        lines += [
            f"{target} = {resets.get(target, 'UNKNOWN')};"
            for target in self.fields
            if self._often(0.85)
        ]
        if self._often(0.3):
            self.dice.shuffle(lines)
        lines = self._locked(lines)
        text = "\n".join(f"\t{line}" for line in ("", *lines))
        return (
            "void load(struct kvm_vcpu *vcpu, unsigned long root)\n{\n"
            f"\tstruct kvm_vmx *vmx = to_kvm_vmx(vcpu->kvm);\n{text}\n}}\n"
        )
