"""Random variants at the edge of C: what a reader is most likely to take for something else.

Each is a flush with a cached root, in which one to three places are of these kinds: bit fields,
initialisers, attributes, casts and views of structs, ways to write, macros and functions with the
names of others, guards that are left by jumps, headers, variables at file level, and variables of
other files. What the code does rests on what that place means. The seed is all there is to a
variant.
"""

from __future__ import annotations

import random
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from pathlib import Path

from flushproof.frontend.spec.resolve import from_spec
from flushproof.machine.build import Machine, build_machine

SPEC = """\
spec edge {
	variant "edge.c";
	operations { flush flush(kvm, range); load load(vcpu, root); }
	boot { to_vmx(vcpu)->root = INVALID_PAGE; }
	bounds { vcpus 1..3; loads 1; flushes 2; flushers 1; }
}
"""

CODE = """\
{before}
struct kvm_vmx {{
	struct kvm kvm;
	spinlock_t lock;
	u64 cached;
	{valid};
	{number};
{members}}};
struct vcpu_vmx {{ struct kvm_vcpu vcpu; u64 root; {vcpu_members} }};
{between}
int flush(struct kvm *kvm, struct kvm_tlb_range *range)
{{
	struct kvm_vmx *vm = {vm};
	struct kvm_vcpu *vcpu;
	u64 root, last = INVALID_PAGE;
	int {counter} = 0, ret = 0, i;
	{declared}

	{lock}
	{first}
	if ({used}) {{
		ret = hyperv_flush_guest_mapping(vm->cached);
		{done}
	}}
	kvm_for_each_vcpu(i, vcpu, kvm) {{
		root = {root};
		if (!VALID_PAGE(root){repeated})
			continue;
		{each}
		{failed}
		ret {joins} hyperv_flush_guest_mapping(root);
		last = root;
		{counter}{step};
	}}
	if ({counter} == 1 && !ret) {{
		{keep}
		{use}
	}}
	{done}
}}

void load(struct kvm_vcpu *vcpu, u64 root)
{{
	struct kvm_vmx *vm = to_kvm_vmx(vcpu->kvm);
	{lock_load}
	{store}
	{drop}
	{unlock_load}
}}
"""


PLAIN = {
    "before": "",
    "valid": "bool valid",
    "number": "int number",
    "members": "",
    "vcpu_members": "",
    "between": "",
    "vm": "to_kvm_vmx(kvm)",
    "counter": "count",
    "declared": "",
    "lock": "spin_lock(&vm->lock);",
    "first": "",
    "used": "vm->valid",
    "done": "spin_unlock(&vm->lock); return ret;",
    "root": "to_vmx(vcpu)->root",
    "repeated": " || root == last",
    "each": "",
    "failed": "",
    "joins": "|=",
    "step": "++",
    "keep": "vm->cached = last;",
    "use": "vm->valid = true;",
    "lock_load": "spin_lock(&vm->lock);",
    "store": "to_vmx(vcpu)->root = root;",
    "drop": "vm->valid = false;",
    "unlock_load": "spin_unlock(&vm->lock);",
}


@dataclass(frozen=True)
class Edge:
    """A variant in parts: the slots of `CODE`, the header beside it, and which kinds it has."""

    slots: dict[str, str]
    header: str = ""
    kinds: tuple[str, ...] = ()

    def text(self) -> str:
        """Return the C file."""
        return CODE.format_map(self.slots)

    def having(self, kind: str, **slots: str) -> Edge:
        """Return the variant with other slots, of one kind more."""
        return replace(self, slots={**self.slots, **slots}, kinds=(*self.kinds, kind))

    def adding(self, slot: str, text: str) -> Edge:
        """Return the variant with more in a slot."""
        return replace(self, slots={**self.slots, slot: f"{self.slots[slot]}{text}"})


@dataclass(frozen=True)
class Sample:
    """A variant with its seed."""

    seed: int
    edge: Edge = field(compare=False)


def sample(seed: int) -> Sample:
    """Return the variant of a seed."""
    dice = random.Random(seed)
    edge = Edge(_plain(dice))
    for kind in dice.sample(sorted(KINDS), dice.choice((1, 1, 2, 2, 3))):
        edge = KINDS[kind](edge, dice)
    return Sample(seed, edge)


def write(s: Sample, folder: Path) -> Machine:
    """Write a variant and its spec into a folder, and build it."""
    (folder / "edge.c").write_text(s.edge.text())
    (folder / "edge.spec").write_text(SPEC)
    if s.edge.header:
        (folder / "edge.h").write_text(s.edge.header)
    return build_machine(from_spec(str(folder / "edge.spec")))


def _plain(dice: random.Random) -> dict[str, str]:
    """Return a variant without anything odd, right or wrong."""
    return {
        **PLAIN,
        "used": dice.choice(("vm->valid", "vm->valid", "vm->valid && VALID_PAGE(vm->cached)")),
        "repeated": dice.choice(("", " || root == last", " || root == last")),
        "failed": dice.choice(("", "", "if (ret) break;")),
        "joins": dice.choice(("|=", "|=", "=")),
        "drop": dice.choice(("vm->valid = false;", "vm->valid = false;", "")),
    }


# Kinds -------------------------------------------------------------------------------------------


def _bits(e: Edge, dice: random.Random) -> Edge:
    match dice.randrange(6):
        case 0:
            # A signed field of one bit is never 1.
            test = dice.choice(
                ("vm->valid", "vm->valid == 1", "vm->valid < 0", "vm->valid == true")
            )
            return e.having("bits", valid="int valid : 1", used=test)
        case 1:
            width, most = dice.choice(((1, 1), (2, 3), (2, 2), (3, 7)))
            return e.having(
                "bits",
                number=f"unsigned number : {width}",
                keep="vm->cached = last; vm->number++;",
                use=f"if (vm->number != {most}) vm->valid = true;",
            )
        case 2:
            width = dice.choice((1, 4, 5, 9))
            value = dice.choice((1, 8, 16, 31, 256))
            return e.having(
                "bits",
                number=f"int number : {width}",
                drop=f"vm->number = {value}; if (vm->number) vm->valid = false;",
            )
        case 3:
            sign = dice.choice(("", "unsigned "))
            return e.having(
                "bits",
                valid=f"{sign}int valid : 2",
                use=f"vm->valid = {dice.choice(('1', '2', '3', '-1'))};",
                used=dice.choice(("vm->valid > 0", "vm->valid != 0", "(u8)vm->valid == 3")),
            )
        case 4:
            return e.having(
                "bits",
                valid="u8 valid : 1, other : 3; bool third : 1",
                use="vm->valid |= 1; vm->other = 9;",
                used=dice.choice(("vm->valid && vm->other == 1", "vm->valid && vm->other == 9")),
            )
        case _:
            width = dice.choice((1, 3, 8))
            return e.having(
                "bits",
                number=f"int number : {width}",
                done=f"vm->number = ret; spin_unlock(&vm->lock); "
                f"return {dice.choice(('ret', 'vm->number', 'vm->number ? -5 : 0'))};",
            )


def _initialisers(e: Edge, dice: random.Random) -> Edge:
    values = dice.choice(
        (
            "{ 1, 2, 3 }",
            "{ 1 }",
            "{ .b = 1 }",
            "{ .b = 1, 2 }",
            "{ .c = 1, .a = 2 }",
            "{ 1, .c = 2 }",
            "{ .in = { 1, 2 } }",
            "{ 0, 0, 1, .in.y = 2 }",
            "{ .in.x = 1, 2 }",
            "{ 1, 2, 3, { 4 } }",
            "{ 1, 2, 3, 4, 5 }",
            "{ .a = 1, .a = 0 }",
        )
    )
    member = dice.choice(("a", "b", "c", "in.x", "in.y"))
    types = "struct inner { int x; u8 y; };\nstruct config { int a, b, c; struct inner in; };\n"
    test = dice.choice((f"config.{member}", f"!config.{member}", f"config.{member} == 1"))
    skip = f"if ({test}) {{ ret = 0; {e.slots['done']} }}"
    if dice.randrange(2):
        named = e.having("initialisers", declared=f"struct config config = {values};", first=skip)
        return named.adding("before", types)
    static = dice.choice(("static ", "static const ", ""))
    return e.having("initialisers", first=skip).adding(
        "before", f"{types}{static}struct config config = {values};\n"
    )


def _attributes(e: Edge, dice: random.Random) -> Edge:
    word = dice.choice(
        (
            "__attribute__((unused)) ",
            "__maybe_unused ",
            "__attribute__((cleanup(freed))) ",
            "__attribute__((noinline)) ",
            "const ",
            "volatile ",
            "__attribute__((aligned(8))) ",
        )
    )
    freed = "static int off;\nstatic void freed(int *p) { off = *p; }\n"
    test = dice.choice(("odd && off", "odd || off", "off"))
    declared = f"int {word}odd = {dice.choice(('0', '1'))};" if "const" not in word else ""
    if not declared:
        declared = f"{word}int odd = {dice.choice(('0', '1'))};"
    return e.having(
        "attributes",
        declared=f"{e.slots['declared']} {declared}",
        first=f"if ({test}) {{ ret = 0; {e.slots['done']} }}",
    ).adding("before", freed)


def _views(e: Edge, dice: random.Random) -> Edge:
    match dice.randrange(6):
        case 0:
            low = dice.choice(("u8", "s8", "u16", "u32", "bool", "s32"))
            return e.having(
                "views",
                number="u64 number",
                keep=f"vm->cached = last; vm->number = ({low})last;",
                use=f"if ({dice.choice(('', '!'))}vm->number) vm->valid = true;",
            )
        case 1:
            return e.having("views", vm="container_of(kvm, struct kvm_vmx, kvm)")
        case 2:
            return e.having("views", root="((struct vcpu_vmx *)vcpu)->root")
        case 3:
            given = dice.choice(("'\\xff'", "'a'", "'\\200'", "(char)200", "(s8)200", "(u8)200"))
            test = dice.choice((f"{given} < 0", f"{given} == 255", f"{given} > 100"))
            return e.having("views", drop=f"if ({test}) vm->valid = false;")
        case 4:
            cast = dice.choice(("(int)", "(unsigned)", "(u8)", "(long)", "(s16)"))
            test = dice.choice((f"{cast}-1 > 0", f"{cast}-1 > 0u", f"{cast}-1 == -1L"))
            return e.having("views", drop=f"if ({test}) vm->valid = false;")
        case _:
            return e.having(
                "views",
                vcpu_members="u64 other;",
                store="struct vcpu_vmx *v = to_vmx(vcpu); u64 *p = "
                f"{dice.choice(('&v->root', '&v->other'))}; *p = root;",
            )


def _writes(e: Edge, dice: random.Random) -> Edge:
    pair = "struct pair { u64 root; bool valid; };\n"
    match dice.randrange(7):
        case 0:
            copy = dice.choice(
                ("vm->pair = new;", "new = vm->pair;", "struct pair *p = &vm->pair; *p = new;")
            )
            return e.having(
                "writes",
                members="\tstruct pair pair;\n",
                used="vm->pair.valid",
                use=f"struct pair new = {{ last, true }}; {copy}",
                drop="vm->pair.valid = false;",
            ).adding("before", pair)
        case 1:
            return e.having(
                "writes", use=dice.choice(("vm->valid ^= 1;", "vm->valid |= 2;", "vm->valid += 2;"))
            )
        case 2:
            return e.having(
                "writes",
                drop=dice.choice(
                    (
                        "vm->number = vm->valid = 0;",
                        "vm->number = 1, vm->valid = 0;",
                        "vm->valid = (vm->number = 2) == 1;",
                    )
                ),
            )
        case 3:
            return e.having("writes", drop="bool *p = &vm->valid; *p = false;")
        case 4:
            return e.having(
                "writes",
                drop=dice.choice(
                    ("swap(vm->valid, vm->other);", "vm->other = vm->valid; vm->valid = vm->other;")
                ),
                members="\tbool other;\n",
            )
        case 5:
            return e.having(
                "writes",
                drop=dice.choice(
                    (
                        "WRITE_ONCE(vm->valid, false);",
                        "*&vm->valid = 0;",
                        "(*(&vm->valid))--;",
                        "if (vm->valid--) vm->number++;",
                    )
                ),
            )
        case _:
            body = dice.choice(("*p = v;", "bool *q = p; *q = v;", "bool q = v; p = &q;"))
            set_ = f"static void set(bool *p, int v) {{ {body} }}\n"
            return e.having("writes", drop="set(&vm->valid, 0);").adding("between", set_)


def _shadows(e: Edge, dice: random.Random) -> Edge:
    match dice.randrange(7):
        case 0:
            test = dice.choice(("((x) != 0)", "((x) != INVALID_PAGE && (x))", "1", "0"))
            return e.having("shadows").adding(
                "before", f"#undef VALID_PAGE\n#define VALID_PAGE(x) {test}\n"
            )
        case 1:
            low = dice.choice(("0", "1"))
            loop = f"for (i = {low}; i < __online_vcpus(k) && ((v) = kvm_get_vcpu(k, i)); i++)"
            return e.having("shadows").adding(
                "before", f"#define kvm_for_each_vcpu(i, v, k) {loop}\n"
            )
        case 2:
            return e.having("shadows", use="vm->valid = max(0, 1);").adding(
                "before", f"#undef max\n#define max(a, b) ({dice.choice(('a', 'b', 'a > b'))})\n"
            )
        case 3:
            inner = dice.choice(
                (
                    "{ bool valid = false; vm->number = valid; }",
                    "{ struct kvm_vmx other, *vm = &other; vm->valid = false; }",
                )
            )
            return e.having("shadows", drop=inner)
        case 4:
            condition = dice.choice(
                (
                    "-1 > 0u",
                    "'\\xff' < 0",
                    "1 ? 0 : 1u - 2 > 0",
                    "~0 == -1",
                    "defined(NOT_DEFINED) || 3 / 2 == 1",
                    "(-1 >> 1) < 0",
                    "-1 / 2u > 0",
                )
            )
            return e.having("shadows", drop=f"\n#if {condition}\n\tvm->valid = false;\n#endif\n")
        case 5:
            name = dice.choice(("spin_is_locked", "lockdep_is_held", "min_valid"))
            return e.having(
                "shadows", first=f"if ({name}(&vm->lock)) {{ ret = 0; {e.slots['done']} }}"
            ).adding(
                "between",
                f"static int {name}(spinlock_t *l) {{ return {dice.choice(('0', '1'))}; }}\n",
            )
        case _:
            return e.having("shadows", counter="NULLS").adding("before", "#define NULLS EINVALS\n")


def _guards(e: Edge, dice: random.Random) -> Edge:
    guarded = e.having(
        "guards",
        lock="guard(spinlock)(&vm->lock);",
        done="return ret;",
        first=e.slots["first"].replace("spin_unlock(&vm->lock); ", ""),
    )
    if "vm->number = ret" in e.slots["done"]:
        return e.having("guards")
    match dice.randrange(5):
        case 0:
            return guarded
        case 1:
            return guarded.having(
                "guards", failed="if (ret) goto out;", use="vm->valid = true; out:;"
            )
        case 2:
            left = dice.choice(("break;", "continue;", "(void)0;"))
            body = f"vm->number++; if (vm->number & 1) {left}"
            return e.having(
                "guards",
                members=f"{e.slots['members']}\tstruct mutex mutex;\n",
                each=f"scoped_guard(mutex, &vm->mutex) {{ {body} }}",
            )
        case 3:
            value = dice.choice(
                (
                    "({ guard(mutex)(&vm->mutex); vm->valid; })",
                    "({ if (vm->number < 0) return 0; vm->valid; })",
                )
            )
            return guarded.having(
                "guards",
                members=f"{e.slots['members']}\tstruct mutex mutex;\n",
                used=value,
            )
        case _:
            return guarded.having(
                "guards",
                lock_load="scoped_guard(spinlock, &vm->lock) {",
                unlock_load="}",
                drop=dice.choice(
                    (
                        "vm->valid = false;",
                        "if (root) break; vm->valid = false;",
                        "if (!root) return; vm->valid = false;",
                    )
                ),
            )


def _headers(e: Edge, dice: random.Random) -> Edge:
    value = dice.choice(("0", "1", "-1 > 0u"))
    joins = dice.choice(("&&", "||"))
    header = (
        "#ifndef EDGE_H\n#define EDGE_H\n"
        f"#define DROPS ({value})\n"
        f"static inline bool drops(int n) {{ return DROPS {joins} n > 2; }}\n#endif\n"
    )
    made = e.having(
        "headers",
        drop=dice.choice(("if (DROPS) vm->valid = false;", "if (drops(3)) vm->valid = false;")),
    )
    return replace(made.adding("before", '#include "edge.h"\n'), header=header)


def _statics(e: Edge, dice: random.Random) -> Edge:
    value = dice.choice(("", " = 1", " = 0", " = true"))
    word = dice.choice(("static bool", "bool", "static int", "static u8"))
    match dice.randrange(3):
        case 0:
            return e.having(
                "statics", used="flag", use="flag = true;", drop="flag = false;"
            ).adding("before", f"{word} flag{value};\n")
        case 1:
            return e.having(
                "statics",
                first=f"{{ static int calls{value}; if (calls++ > 1) vm->valid = false; }}",
            )
        case _:
            return e.having("statics", drop="if (flag) vm->valid = false; flag = !flag;").adding(
                "before", f"{word} flag;\n{word} flag{value};\n"
            )


def _outside(e: Edge, dice: random.Random) -> Edge:
    test = dice.choice(("off", "!off", "level > 2", "level < 0", "level == 3"))
    first = dice.choice(
        (f"if ({test}) {{ ret = 0; {e.slots['done']} }}", f"if ({test}) vm->valid = false;")
    )
    return e.having("outside", first=first).adding(
        "before", "extern bool off;\nextern int level;\n"
    )


KINDS: dict[str, Callable[[Edge, random.Random], Edge]] = {
    "attributes": _attributes,
    "bits": _bits,
    "guards": _guards,
    "headers": _headers,
    "initialisers": _initialisers,
    "outside": _outside,
    "shadows": _shadows,
    "statics": _statics,
    "views": _views,
    "writes": _writes,
}
