"""A variable that another file defines holds any value at boot, in every engine and in words."""

from __future__ import annotations

from pathlib import Path

import pytest

from flushproof.engines.explicit.enumerator import Sizes, enumerate_claim
from flushproof.features.nfc.decide import Wanted, compare
from flushproof.frontend.setup import Bounds
from flushproof.frontend.spec.resolve import from_spec
from flushproof.machine.build import Machine, build_machine
from flushproof.results.comparison import Compared, Relation, Since
from flushproof.results.verdict import Verdict
from flushproof.support.diagnostics import InputError
from flushproof.verify.assumptions import list_assumptions
from flushproof.verify.portfolio import Question, decide_claims

VARIANT = """
{before}
struct kvm_vmx {{ struct kvm kvm; spinlock_t lock; }};
struct vcpu_vmx {{ struct kvm_vcpu vcpu; u64 root; }};
int flush(struct kvm *kvm)
{{
	struct kvm_vcpu *vcpu;
	int i, ret = 0;

	spin_lock(&to_kvm_vmx(kvm)->lock);
	{flush}
	kvm_for_each_vcpu(i, vcpu, kvm) {{
		if (VALID_PAGE(to_vmx(vcpu)->root) && !({skip}))
			ret |= hyperv_flush_guest_mapping(to_vmx(vcpu)->root);
	}}
	spin_unlock(&to_kvm_vmx(kvm)->lock);
	return ret;
}}
void load(struct kvm_vcpu *vcpu, u64 root)
{{
	spin_lock(&to_kvm_vmx(vcpu->kvm)->lock);
	to_vmx(vcpu)->root = root;
	{load}
	spin_unlock(&to_kvm_vmx(vcpu->kvm)->lock);
}}
"""
SPEC = """
spec variable {{
	variant "{name}.c";
	operations {{ flush flush(kvm); load load(vcpu, root); }}
	bounds {{ vcpus 1..2; loads 1; flushes 2; }}
	assume vcpu_roots_start_invalid;
	{boot}
}}
"""


def _machine(
    folder: Path,
    before: str,
    skip: str,
    load: str = "",
    flush: str = "",
    boot: str = "",
    *,
    name: str = "variable",
) -> Machine:
    text = VARIANT.format(before=before, skip=skip, load=load, flush=flush)
    (folder / f"{name}.c").write_text(text)
    (folder / f"{name}.spec").write_text(SPEC.format(name=name, boot=boot))
    return build_machine(from_spec(str(folder / f"{name}.spec")))


CFG = "struct cfg { int on; bool skip; };"
CASES = {
    "any": ("extern bool skip;", "skip", "", "", False),
    "number": ("extern int skip;", "skip == 70000", "", "", False),
    "negative": ("extern int skip;", "skip < 0", "", "", False),
    "root": ("extern u64 page;", "to_vmx(vcpu)->root == page", "", "", False),
    "member": (f"{CFG} extern struct cfg cfg;", "cfg.skip", "", "", False),
    "enumeration": (
        "enum how { LITTLE, MUCH }; extern enum how e;",
        "e == MUCH",
        "",
        "",
        False,
    ),
    "tentative": ("bool skip;", "skip", "", "", True),
    "static": ("static bool skip;", "skip", "", "", True),
    "defined_later": ("extern bool skip; bool skip;", "skip", "", "", True),
    "defined_before": ("bool skip; extern bool skip;", "skip", "", "", True),
    "value_later": ("extern bool skip; bool skip = true;", "skip", "", "", False),
    "value_before": ("bool skip = true; extern bool skip;", "skip", "", "", False),
    "extern_value": ("extern bool skip = false;", "skip", "", "", True),
    "load_clears_it": ("extern bool skip;", "skip", "skip = false;", "", True),
    "flush_clears_it": ("extern bool skip;", "skip", "", "skip = false;", True),
    "flush_counts": ("extern u8 count;", "count == 2", "", "count++;", False),
    "boot_sets_it": ("extern bool skip;", "skip", "", "skip = false;", True),
}


@pytest.mark.sample(every=6)
@pytest.mark.parametrize("name", list(CASES))
def test_any_value_at_boot(name: str, tmp_path: Path) -> None:
    """Taken as 0, a flag of another file would never do what it is there for."""
    before, skip, load, code, holds = CASES[name]
    at_boot = name == "boot_sets_it"
    boot = f"boot {{ {code} }}" if at_boot else ""
    made = _machine(tmp_path, before, skip, load, "" if at_boot else code, boot)
    (result,) = decide_claims(made, Question(("coverage",), Bounds((1, 2), 1, 2, 1)))
    assert result.verdict is (Verdict.BOUNDED if holds else Verdict.REFUTED)
    outcome = enumerate_claim(made.with_claims(("coverage",)), Sizes(1, 1, 2), "coverage")
    if name not in {"number", "negative", "flush_counts"}:  # of few values it knows
        assert (outcome.found is None) is holds
    unknown = name in {"any", "number", "negative", "root", "member", "enumeration"}
    unknown |= name in {"load_clears_it", "flush_clears_it", "flush_counts"}
    said = [a for a in list_assumptions(made) if a.endswith("has any value at boot")]
    assert len(said) == unknown


def test_the_counterexample_says_what_it_was(tmp_path: Path) -> None:
    """A schedule alone does not show why nothing was flushed."""
    made = _machine(tmp_path, "extern bool skip;", "skip")
    (result,) = decide_claims(made, Question(("coverage",), Bounds((1, 1), 1, 1, 1)))
    assert result.trace is not None
    assert "skip is true at boot" in result.trace.because
    assert result.trace.recipe is not None
    assert ("skip", "true") in result.trace.recipe.initial


def test_a_pointer_to_a_vcpu_from_elsewhere_is_refused(tmp_path: Path) -> None:
    """Any vCPU, and one that never was, is more than is modelled."""
    with pytest.raises(InputError) as caught:
        _machine(tmp_path, "extern struct kvm_vcpu *who;", "who != vcpu")
    (d,) = caught.value.diagnostics
    assert "a pointer to a vCPU that another file defines" in d.title
    assert d.span is not None
    assert (d.span.line, d.span.column) == (2, 24)


SKIPS = ("extern bool skip;", "skip")


@pytest.mark.sample(every=3)
@pytest.mark.parametrize(
    ("old", "new", "relation"),
    [
        (SKIPS, ("extern bool skip;", "skip || skip"), Relation.BOUNDED),
        (SKIPS, ("extern bool skip;", "!skip"), Relation.DIFFERS),
        (SKIPS, ("extern bool other;", "other"), Relation.DIFFERS),
        (SKIPS, ("bool skip;", "skip"), Relation.DIFFERS),
        (("extern int n;", "n > 3"), ("extern int n;", "n >= 4"), Relation.BOUNDED),
        (("extern bool skip;", "skip++"), ("extern bool skip;", "(skip = true)"), Relation.UNKNOWN),
    ],
)
def test_both_variants_find_the_same(
    old: tuple[str, str], new: tuple[str, str], relation: Relation, tmp_path: Path
) -> None:
    """Two variants that read one flag differ in nothing because it may be anything."""
    first = _machine(tmp_path, *old, name="old")
    second = _machine(tmp_path, *new, name="new")
    wanted = Wanted(Compared.SEQUENCE, Since.BOOT, Bounds((1, 2), 1, 1, 1))
    found = compare(first, second, wanted, lambda _: pytest.fail("nobody asks"))
    assert found.relation is relation
