"""Random variants with claims of their own, sampled from a grammar.

The code keeps numbers of several widths beside roots; the claims add, convert, divide, shift and go
round in loops, near the limits of types, in handlers of every event. The seed is all there is to a
variant.
"""

from __future__ import annotations

import random
from pathlib import Path

from flushproof.frontend.spec.resolve import from_spec
from flushproof.machine.build import Machine, build_machine

CODE = """\
struct kvm_vmx {{ struct kvm kvm; spinlock_t lock; int x; u8 small; u64 big; bool set; }};
struct vcpu_vmx {{ struct kvm_vcpu vcpu; hpa_t root; int n; }};

static int twice(int v) {{ return v + v; }}
static u64 unused(struct kvm_vcpu *v) {{ return twice(1); }}

int flush(struct kvm *kvm, struct kvm_tlb_range *range)
{{
	struct kvm_vmx *k = to_kvm_vmx(kvm);
	struct kvm_vcpu *vcpu;
	int ret = 0, i, nr = 0;

{flush}
	return ret;
}}

void load(struct kvm_vcpu *vcpu, unsigned long root)
{{
	struct kvm_vmx *k = to_kvm_vmx(vcpu->kvm);
	int i = vcpu->vcpu_id, nr = 0;

{load}
}}
"""

SPEC = """\
spec own {{
	variant "own.c";
	operations {{ flush flush(kvm, range); load load(vcpu, root); }}
	{memory}
	bounds {{ vcpus 1..{vcpus}; loads 1; flushes 1; flushers {flushers}; }}
	assume load_flushes;
	claim it "it holds" {{
		any call c;
		{ghosts}
{handlers}
		headline "it fails";
		because "it";
	}}
}}
"""

EVENTS = (
    "on return c(ret)",
    "on return c(ret)",
    "on enter c(all, start, pages)",
    "on hypercall(r, ok, all, start, pages) in c",
    "on return load(v, r)",
    "on enter load(v)",
    "on end()",
    "on step()",
)
GHOSTS = {
    "int g": ("0", "0", "0x7fffffff", "-1", "2"),
    "u64 h": ("0", "0x7fffffffffffffff", "-1ULL", "1"),
    "u8 s": ("0", "255", "127"),
}
FIXED = ("0", "1", "2", "3", "255", "256", "0x7fffffff", "-1")


class _Dice(random.Random):
    calm = False

    def often(self, chance: float) -> bool:
        return self.random() < chance


def write(seed: int, folder: Path) -> Machine:
    """Build the variant of a seed in a folder."""
    code, spec = sample(seed)
    (folder / "own.c").write_text(code)
    (folder / "own.spec").write_text(spec)
    return build_machine(from_spec(str(folder / "own.spec")))


def sample(seed: int) -> tuple[str, str]:
    """Return the C file and the spec of a seed."""
    dice = _Dice(seed)
    dice.calm = dice.often(0.7)
    flush = _locked(dice, [*_walk(dice), *_some(dice, _statement, 1)])
    load = _locked(dice, ["to_vmx(vcpu)->root = root;", *_some(dice, _statement, 2)])
    flushers = 2 if dice.often(0.15) else 1
    tso = flushers == 1 and dice.often(0.15)
    ghosts = " ".join(f"{name} = {dice.choice(values)};" for name, values in GHOSTS.items())
    spec = SPEC.format(
        memory="memory tso;" if tso else "",
        vcpus=1 if tso or flushers == 2 else 2,
        flushers=flushers,
        ghosts=ghosts,
        handlers="\n".join(_handlers(dice)),
    )
    return CODE.format(flush=_text(flush), load=_text(load)), spec


def _text(lines: list[str]) -> str:
    return "\n".join(f"\t{line}" for line in lines)


def _some(dice: _Dice, make: object, most: int) -> list[str]:
    assert callable(make)
    return [str(make(dice)) for _ in range(dice.randint(0, most))]


# The code ----------------------------------------------------------------------------------------


def _locked(dice: _Dice, lines: list[str]) -> list[str]:
    if dice.often(0.2):
        return lines
    return ["spin_lock(&k->lock);", *lines, "spin_unlock(&k->lock);"]


def _walk(dice: _Dice) -> list[str]:
    body = _some(dice, _statement, 2)
    if dice.often(0.7):
        body.append("ret |= hyperv_flush_guest_mapping(to_vmx(vcpu)->root);")
    return ["kvm_for_each_vcpu(i, vcpu, kvm) {", *(f"\t{x}" for x in body), "}"]


CALM = (
    "k->x = {};",
    "if (k->x < 3) k->x++;",
    "k->x = {} & 3;",
    "k->small = {};",
    "k->set = true;",
    "k->big = {};",
    "nr = {};",
)
"""Nothing here grows without bound, so that a proof for every number has a chance."""


def _statement(dice: _Dice) -> str:
    if dice.calm:
        return dice.choice(CALM).format(dice.choice(("0", "1", "2", "255")))
    plain = dice.choice(
        (
            "k->x++;",
            "k->x = {};",
            "k->x += {};",
            "k->small = {};",
            "k->small += {};",
            "k->big += {};",
            "k->big = {};",
            "k->set = {} > 0;",
            "nr = {};",
            "nr++;",
        )
    ).format(_number(dice))
    if dice.often(0.3):
        test = dice.choice(("i >= 1", "i >= 2", "k->set", "k->x > 1", "k->small == 255"))
        return f"if ({test}) {plain}"
    return plain


def _number(dice: _Dice) -> str:
    return dice.choice(("nr", "i", "k->x", "k->small", "(int)k->big", *FIXED))


# The claim ---------------------------------------------------------------------------------------


def _handlers(dice: _Dice) -> list[str]:
    out = []
    for _ in range(dice.choice((1, 2, 2, 3))):
        event = dice.choice(EVENTS)
        out.append(f"\t\t{event} {{ {' '.join(_body(dice, event))} }}")
    asserting = dice.choice(EVENTS)
    test = _test(dice, asserting)
    return [*out, f"\t\t{asserting} {{ int i = 0; assert({test}); }}"]


def _body(dice: _Dice, event: str) -> list[str]:
    lines = ["int i = 0;"]
    for _ in range(dice.choice((1, 1, 2))):
        line = _act(dice, event)
        if dice.often(0.3):
            line = f"if ({_test(dice, event)}) {{ {line} }}"
        if dice.often(0.15):
            line = f"for (i = 0; i < {dice.choice('123')}; i++) {{ {line} }}"
        lines.append(line)
    if dice.often(0.5):
        lines.append(f"assert({_test(dice, event)});")
    return lines


def _act(dice: _Dice, event: str) -> str:
    value = _value(dice, event)
    other = _value(dice, event)
    if dice.calm:
        return dice.choice(
            (
                f"g = {value};",
                "if (g < 3) g++;",
                "if (s < 255) s++;",
                dice.choice((f"g = to_kvm_vmx(kvm)->x / {dice.choice('123')};", "g = 2;")),
                "g = 1 << to_kvm_vmx(kvm)->x;",
                "s = to_kvm_vmx(kvm)->x;",
                "h = to_kvm_vmx(kvm)->x;",
            )
        )
    return dice.choice(
        (
            f"g += {value};",
            f"g -= {value};",
            f"h += {value};",
            f"s += {value};",
            f"s = {value};",
            f"g = {value};",
            f"g = twice({value});",
            f"g = {value} / {other};",
            f"g = {value} % ({other} + 1);",
            f"g = 1 << ({value} & 31);",
            f"g = 1 << {other};",
            f"h >>= {dice.choice(('1', '63', 's'))};",
            f"g = (s8){value};",
        )
    )


def _value(dice: _Dice, event: str) -> str:
    names = ["g", "s", "(int)h", "i", "k->x", "k->small", "(u8)k->x", *FIXED]
    if "start" in event:
        names += ["start", "pages", "start + pages"]
    if "ret" in event and "(ret)" in event:
        names.append("ret")
    if "(v" in event:
        names += ["v->vcpu_id", "to_vmx(v)->n"]
    return dice.choice(names).replace("k->", "to_kvm_vmx(kvm)->")


def _test(dice: _Dice, event: str) -> str:
    left, right = _value(dice, event), _value(dice, event)
    if dice.calm and dice.often(0.85):
        return dice.choice(
            (
                "to_kvm_vmx(kvm)->x <= 255",
                "to_kvm_vmx(kvm)->x + 1 > to_kvm_vmx(kvm)->x",
                "(u8)to_kvm_vmx(kvm)->x == to_kvm_vmx(kvm)->x",
                "(s8)to_kvm_vmx(kvm)->x >= -1",
                "twice(to_kvm_vmx(kvm)->x) >= 0",
                "to_kvm_vmx(kvm)->x + 0x7fffff00 > 0",
                "to_kvm_vmx(kvm)->x - 0x7fffffff < 0",
                "g >= -1",
                "s + 1 > s",
            )
        )
    far = dice.choice(("", "", " + 1", " - 1", " + 0x7ffffff0"))
    test = f"{left}{far} {dice.choice(('==', '!=', '!=', '<', '<=', '>='))} {right}"
    if dice.often(0.5):
        ready = dice.choice(("g == 0", "s != 0", "h > 1", "!k->set", "k->x < 2"))
        test = f"{ready.replace('k->', 'to_kvm_vmx(kvm)->')} || {test}"
    return test
