"""`invariant` lines: what they name is tried in proofs, is never believed, and is checked C."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
import z3

from flushproof.engines.outcome import NoProof
from flushproof.engines.unbounded.finite_instantiation import LARGE, MANY, FiniteInstantiation
from flushproof.frontend.spec.resolve import from_spec
from flushproof.ir.analysis.def_use import fields_of
from flushproof.machine.build import Machine, build_machine
from flushproof.support.diagnostics import InputError
from flushproof.verify.failing_lines import describe_failing_lines
from flushproof.verify.unbounded_proofs import Evidence, ForAll

CODE = """\
struct kvm_vmx { struct kvm kvm; spinlock_t lock; @vm@ };
struct vcpu_vmx { struct kvm_vcpu vcpu; hpa_t root; @vcpu@ };

int flush(struct kvm *kvm, struct kvm_tlb_range *range)
{
	struct kvm_vmx *k = to_kvm_vmx(kvm);
	struct kvm_vcpu *vcpu;
	int ret = 0, i;

	spin_lock(&k->lock);
	@before@
	kvm_for_each_vcpu(i, vcpu, kvm) {
		struct vcpu_vmx *v = to_vmx(vcpu);

		@each@
		if (VALID_PAGE(v->root) && !ret)
			ret = hyperv_flush_guest_mapping(v->root);
	}
	spin_unlock(&k->lock);
	return ret;
}

void load(struct kvm_vcpu *vcpu, unsigned long root, u32 level)
{
	struct kvm_vmx *k = to_kvm_vmx(vcpu->kvm);
	struct vcpu_vmx *v = to_vmx(vcpu);

	spin_lock(&k->lock);
	v->root = root;
	@load@
	spin_unlock(&k->lock);
}
"""
SPEC = """\
spec own {{
	variant "own.c";
	operations {{ flush flush(kvm, range); load load(vcpu, root, free); }}
	boot {{ to_vmx(vcpu)->root = INVALID_PAGE; {boot} }}
	bounds {{ vcpus 1..2; loads 1; flushes 1; flushers 1; }}
	assume load_flushes;
	{lines}
}}
"""
SKIP = "{ spin_unlock(&k->lock); return 0; }"
VARIANTS = {
    "order": (
        {
            "vm": "u32 low, high, seen;",
            "boot": "to_kvm_vmx(kvm)->low = 5; to_kvm_vmx(kvm)->high = 5;",
            "before": f"if (k->seen && k->seen > (k->high & ~1u)) {SKIP} k->seen = k->low & ~1u;",
            "load": """if (level < k->low) k->low = level;
                if (level > k->high) k->high = level;
                k->seen = 0;""",
        },
        "invariant to_kvm_vmx(kvm)->low <= to_kvm_vmx(kvm)->high;",
    ),
    "mirror": (
        {
            "vm": "u32 level, mirror, tag;",
            "before": f"if (k->tag && k->tag != (k->mirror | 1)) {SKIP} k->tag = k->level | 1;",
            "load": "k->level = level; k->mirror = level; k->tag = 0;",
        },
        "invariant to_kvm_vmx(kvm)->level == to_kvm_vmx(kvm)->mirror;",
    ),
    "mirrors of vCPUs": (
        {
            "vcpu": "u32 level, mirror, tag;",
            "each": "if (v->tag && v->tag != (v->mirror | 1)) continue; v->tag = v->level | 1;",
            "load": "v->level = level; v->mirror = level; v->tag = 0;",
        },
        "invariant any vcpu v: to_vmx(v)->level == to_vmx(v)->mirror;",
    ),
}


def _machine(folder: Path, name: str, lines: str) -> Machine:
    parts, _ = VARIANTS[name]
    (folder / "own.c").write_text(re.sub("@(\\w+)@", lambda m: parts.get(m[1], ""), CODE))
    (folder / "own.spec").write_text(SPEC.format(lines=lines, boot=parts.get("boot", "")))
    return build_machine(from_spec(str(folder / "own.spec")))


def _proved(machine: Machine, claim: str = "coverage") -> Evidence | NoProof:
    return ForAll(machine, evidence=False).prove(machine.with_claims((claim,)))


@pytest.mark.sample("order")
@pytest.mark.parametrize("name", VARIANTS)
def test_a_line_makes_a_proof(name: str, tmp_path: Path) -> None:
    """What no atom says stays bounded, and a user who knows the relation could do nothing."""
    without = _proved(_machine(tmp_path, name, ""))
    assert isinstance(without, NoProof)
    assert "between calls; an `invariant` line in the spec may help" in without.reason
    assert isinstance(_proved(_machine(tmp_path, name, VARIANTS[name][1])), Evidence)


@pytest.mark.sample("invariant 0")
@pytest.mark.parametrize(
    "line",
    [
        "invariant to_kvm_vmx(kvm)->low <= to_kvm_vmx(kvm)->high;",
        "invariant 0;",
        "invariant unlocked() && to_kvm_vmx(kvm)->seen == 7;",
    ],
)
def test_a_wrong_line_proves_and_refutes_nothing(line: str, tmp_path: Path) -> None:
    """A line that is believed would prove what fails: the variant that skips a walk too often.

    Guards Lemma L22 of docs/soundness.md.
    """
    broken = _broken(tmp_path, line)
    assert isinstance(_proved(broken), NoProof)
    assert isinstance(_proved(broken, "failure_kept"), Evidence)


def _broken(folder: Path, line: str) -> Machine:
    _machine(folder, "order", line)
    text = (folder / "own.c").read_text()
    edited = text.replace("if (level < k->low)", "").replace("if (level > k->high)", "if (0)")
    assert "if (0)" in edited
    (folder / "own.c").write_text(edited)
    return build_machine(from_spec(str(folder / "own.spec")))


@pytest.mark.slow
def test_a_line_that_does_not_help_is_told(tmp_path: Path) -> None:
    """A user must see that the line was tried, and which state it leaves."""
    found = _proved(_machine(tmp_path, "order", "invariant to_kvm_vmx(kvm)->low <= 7;"))
    assert isinstance(found, NoProof)
    assert "`seen == " in found.reason
    assert "the `invariant` lines of the spec do not help" in found.reason


@pytest.mark.parametrize(
    ("line", "column", "text"),
    [
        ("invariant to_kvm_vmx(kvm)->lower <= 1;", 12, "has no member `lower`"),
        ("invariant any vcpu v: to_vmx(w)->root;", 31, "`w` is not declared"),
        ("invariant to_kvm_vmx(kvm)->low++;", 12, "an `invariant` line changes something"),
        ("invariant (to_kvm_vmx(kvm)->low = 1);", 13, "an `invariant` line changes something"),
        ("invariant hyperv_flush_guest_mapping(1);", 12, "a claim cannot call"),
        ("invariant SELF == 1;", 2, "an `invariant` line asks who runs"),
        ("invariant to_kvm_vmx(kvm)->low * 2 < 9;", 2, "multiplies, divides"),
        ("invariant in coverag 1;", 15, "there is no claim `coverag`"),
        ("invariant any root r: 1;", 16, "`root` is no kind of subject"),
    ],
)
def test_what_is_no_condition_is_refused(line: str, column: int, text: str, tmp_path: Path) -> None:
    """What is not understood must be told at its place, not left out of a proof in silence."""
    with pytest.raises(InputError) as caught:
        _machine(tmp_path, "order", line)
    (diagnostic,) = caught.value.diagnostics
    assert diagnostic.span is not None
    assert text in diagnostic.title
    assert (diagnostic.span.line, diagnostic.span.column) == (7, column)


@pytest.mark.parametrize("number", [-3, 0, 7, 39, 40, 41])
def test_a_number_of_a_model_is_told_as_it_is(number: int) -> None:
    """Large numbers have stand-ins in small domains, which mean nothing to a reader."""
    x = z3.Int("x")
    finite = FiniteInstantiation([x <= 40], ())
    known = 40 - LARGE - 2 * MANY if number > LARGE else 0
    inner = number - known
    bits = [bool(inner >> k & 1) for k in range(finite.width)]
    assert finite.read_value(x, bits) == number


@pytest.mark.parametrize(("limit", "fails"), [(2, True), (5, False)])
def test_a_line_that_fails_is_told(limit: int, fails: bool, tmp_path: Path) -> None:
    """A user who takes a wrong line for an invariant would look for the fault elsewhere."""
    machine = _machine(tmp_path, "order", f"invariant to_kvm_vmx(kvm)->low <= {limit};")
    assert ("own.spec:7" in describe_failing_lines(machine)) == fails


def test_a_line_knows_the_names_of_a_claim(tmp_path: Path) -> None:
    """A relation between a claim's variables and the state could not be named otherwise."""
    line = "invariant in converges any vcpu v: !armed || runs_on[v] == r;"
    (candidate,) = _machine(tmp_path, "order", line).candidates
    used = {f.name for i in candidate.operation.code for f in fields_of(i)}
    assert used == {"converges:armed", "converges:r", "runs_on"}
