"""Random pairs of variants whose calls have several sections, against every interleaving in C.

What is called equal has the same histories in compiled C, and what differs has others. It may stay
unknown. `FLUSHPROOF_PAIRS` asks for more pairs than are tried by default.
"""

from __future__ import annotations

import os
import random
import subprocess
from collections import Counter
from dataclasses import dataclass
from pathlib import Path

from flushproof.features.nfc.decide import Wanted, compare
from flushproof.frontend.setup import Bounds
from flushproof.frontend.spec.resolve import from_texts
from flushproof.machine.build import Machine, build_machine
from flushproof.results.comparison import Compared, Comparison, Relation, Since
from flushproof.support.source import Source
from support.two_variants import coverage

PAIRS = int(os.environ.get("FLUSHPROOF_PAIRS", "12"))
SEED = 16

STRUCTS = """\
struct kvm_vmx { struct kvm kvm; u64 common; int flag, seen; spinlock_t lock; };
struct vcpu_vmx { struct kvm_vcpu vcpu; u64 own; };
"""
BODIES = """\
int my_flush(struct kvm *kvm)
{
	struct kvm_vmx *vm = to_kvm_vmx(kvm);
	struct kvm_vcpu *vcpu;
	int ret = 0, i = 0;
	u64 root = 0;

	FLUSH
	(void)vcpu; (void)i; (void)root;
	return ret;
}
void my_load(struct kvm_vcpu *vcpu, u64 root)
{
	struct kvm_vmx *vm = to_kvm_vmx(vcpu->kvm);

	LOAD
}
"""
SPEC = 'spec s { variant "s.c"; operations { flush my_flush(kvm); load my_load(vcpu, root); } }'
LOADS = (
    "WRITE_ONCE(to_vmx(vcpu)->own, root);",
    "WRITE_ONCE(vm->common, 0);",
    "WRITE_ONCE(vm->common, root);",
    "WRITE_ONCE(vm->flag, 1);",
    "if (READ_ONCE(vm->flag)) WRITE_ONCE(vm->common, root);",
    "WRITE_ONCE(vm->seen, 1);",
)
FLUSHES = (
    "root = READ_ONCE(vm->common); if (root) ret |= hyperv_flush_guest_mapping(root);",
    """root = READ_ONCE(to_vmx(kvm_get_vcpu(kvm, 0))->own);
	if (root) ret |= hyperv_flush_guest_mapping(root);""",
    "if (READ_ONCE(vm->flag)) ret |= hyperv_flush_guest_mapping(0x5000);",
    "WRITE_ONCE(vm->flag, 0);",
    "if (ret == 0) WRITE_ONCE(vm->common, root);",
    """kvm_for_each_vcpu(i, vcpu, kvm) {
		root = READ_ONCE(to_vmx(vcpu)->own);
		if (root) WRITE_ONCE(vm->common, root);
	}""",
)

Section = tuple[bool, tuple[str, ...]]
"""Whether a lock is held, and the statements."""
Body = tuple[Section, ...]


@dataclass(frozen=True, slots=True)
class Variant:
    """The sections of a flush and of a load."""

    flush: Body
    load: Body

    @property
    def bodies(self) -> str:
        """The two functions."""
        return BODIES.replace("FLUSH", _text(self.flush)).replace("LOAD", _text(self.load))

    @property
    def locked(self) -> bool:
        """Whether each access is made under the lock."""
        return all(held for held, _ in (*self.flush, *self.load))

    def machine(self) -> Machine:
        """Build the variant."""
        code = STRUCTS + self.bodies
        return build_machine(from_texts(Source("s.c", code), Source("s.spec", SPEC)))


@dataclass(frozen=True, slots=True)
class Pair:
    """Two variants and how far they are looked at."""

    old: Variant
    new: Variant
    bounds: Bounds

    @property
    def line(self) -> str:
        """What the C program is asked."""
        b = self.bounds
        fine = not (self.old.locked and self.new.locked)
        return f"{b.vcpus[1]} {b.loads} {b.flushes} {b.flushers} {int(fine)}\n"


def _text(body: Body) -> str:
    parts = []
    for held, statements in body:
        inside = "\n\t".join(statements)
        parts.append(f"spin_lock(&vm->lock);\n\t{inside}\n\tspin_unlock(&vm->lock);")
        parts[-1] = parts[-1] if held else inside
    return "\n\t".join(parts)


# Random pairs ------------------------------------------------------------------------------------


def _body(dice: random.Random, pool: tuple[str, ...], bare: float) -> Body:
    statements = dice.sample(pool, 2 if bare else dice.randint(2, 3))
    cut = dice.randint(0, len(statements) - 1)
    parts = [p for p in (statements[:cut], statements[cut:]) if p]
    return tuple((dice.random() >= bare, tuple(p)) for p in parts)


def _changed(dice: random.Random, body: Body, pool: tuple[str, ...]) -> Body:
    """Make one change of the kind that a patch makes."""
    sections = [(held, list(statements)) for held, statements in body]
    at = dice.randrange(len(sections))
    held, inside = sections[at]
    match dice.choice(("swap", "split", "merge", "turn", "replace", "unlock", "empty")):
        case "swap" if len(inside) > 1:
            inside.reverse()
        case "split" if len(inside) > 1:
            sections[at : at + 1] = [(held, inside[:1]), (held, inside[1:])]
        case "merge" if len(sections) > 1:
            sections = [(all(h for h, _ in sections), [s for _, i in sections for s in i])]
        case "turn":
            sections.reverse()
        case "replace":
            inside[dice.randrange(len(inside))] = dice.choice(pool)
        case "unlock":
            sections[at] = (not held, inside)
        case _:
            sections.insert(at, (True, [";"]))
    return tuple((h, tuple(i)) for h, i in sections)


def _pair(number: int) -> Pair:
    dice = random.Random(f"{SEED}.{number}")
    bare = dice.choice((0.0, 0.0, 0.3))
    old = Variant(_body(dice, FLUSHES, bare), _body(dice, LOADS, bare))
    new = old
    for _ in range(dice.randint(1, 2)):
        if dice.random() < 0.5:
            new = Variant(_changed(dice, new.flush, FLUSHES), new.load)
        else:
            new = Variant(new.flush, _changed(dice, new.load, LOADS))
    wide = [Bounds((1, 1), 1, 2, 1), Bounds((1, 1), 1, 1, 2), Bounds((1, 2), 1, 1, 1)]
    small = Bounds((1, 1), 1, 1, 1)
    return Pair(old, new, dice.choice(wide) if old.locked and new.locked else small)


# Every interleaving ------------------------------------------------------------------------------


def _program(pairs: list[Pair]) -> str:
    variants = [v for p in pairs for v in (p.old, p.new)]
    texts = []
    for number, variant in enumerate(variants):
        text = variant.bodies.replace("my_flush", f"flush{number}")
        texts.append(text.replace("my_load", f"load{number}"))
    table = ",\n\t".join(f"{{ flush{n}, load{n} }}" for n in range(len(variants)))
    frame = (Path(__file__).parent / "sections.c").read_text()
    for name, text in (("STRUCTS", STRUCTS), ("VARIANTS", "\n".join(texts)), ("TABLE", table)):
        frame = frame.replace(name, text, 1)
    return frame


def _same_in_c(pairs: list[Pair], folder: Path) -> list[tuple[bool, int]]:
    """Tell of each pair whether it has the same histories in C, and how many the old one has."""
    (folder / "sections.c").write_text(_program(pairs))
    flags = ["-std=gnu11", "-O1", "-w"]
    command = ["gcc", *flags, "-o", "sections", "sections.c"]
    subprocess.run(command, cwd=folder, check=True, capture_output=True)
    asked = "".join(p.line for p in pairs)
    done = subprocess.run(
        [folder / "sections"], input=asked, check=True, capture_output=True, text=True
    )
    rows = (line.split() for line in done.stdout.splitlines())
    return [(same == "1", int(many)) for same, many in rows]


def _compared(pair: Pair) -> Comparison:
    wanted = Wanted(Compared.SEQUENCE, Since.BOOT, pair.bounds)
    return compare(pair.old.machine(), pair.new.machine(), wanted, coverage(pair.bounds))


def test_no_pair_is_called_equal_that_is_not(tmp_path: Path) -> None:
    """Calls in several sections are called equal although some interleaving tells them apart.

    Guards Lemma L25 of docs/soundness.md.
    """
    pairs = [_pair(number) for number in range(PAIRS)]
    tally: Counter[tuple[str, bool]] = Counter()
    for number, (pair, (same, many)) in enumerate(
        zip(pairs, _same_in_c(pairs, tmp_path), strict=True)
    ):
        relation = _compared(pair).relation
        shown = f"pair {number}: {relation}; C: {'the same' if same else 'other'} histories\n"
        shown += f"{pair.bounds}\n{pair.old.bodies}\n{pair.new.bodies}"
        assert many > 1, shown
        assert not (relation.alike and not same), shown
        assert not (relation in (Relation.DIFFERS, Relation.REFINES) and same), shown
        tally[str(relation), same] += 1
    print(dict(tally))  # noqa: T201 - how much was compared, for who asks with -s
    assert sum(n for (_, same), n in tally.items() if same) >= PAIRS // 10
    assert sum(n for (_, same), n in tally.items() if not same) >= PAIRS // 10
    assert any(relation == "unknown" for relation, _ in tally)
    assert any(relation in ("equal", "bounded") for relation, _ in tally)
