"""What only a claim looks at holds at boot what it holds for the code.

Guards Lemma L1 of docs/soundness.md.
"""

from __future__ import annotations

from pathlib import Path

import pytest

from flushproof.frontend.setup import Bounds
from flushproof.frontend.spec.resolve import from_spec
from flushproof.ir.analysis.def_use import defined_local, used_locals
from flushproof.machine.build import build_machine
from flushproof.results.verdict import Verdict
from flushproof.verify.portfolio import Question, decide_claims

CODE = """\
struct kvm_vmx { struct kvm kvm; int x; };
struct vcpu_vmx { struct kvm_vcpu vcpu; u64 hv_tlb_pgd; int n; };
static int limit = 5;
extern int other;
int flush(struct kvm *kvm, struct kvm_tlb_range *range) { return 0; }
void load(struct kvm_vcpu *vcpu, unsigned long root) { USES }
"""

SPEC = """\
spec boots {{
	variant "code.c";
	operations {{ flush flush(kvm, range); load load(vcpu, root); }}
	boot {{
		to_vmx(vcpu)->hv_tlb_pgd = INVALID_PAGE;
		to_vmx(vcpu)->n = 9;
		to_kvm_vmx(kvm)->x = 7;
	}}
	bounds {{ vcpus 1..2; loads 1; flushes 1; flushers 1; }}
	assume load_flushes;
	claim it "it holds" {{
		on enter load(v, r) {{ assert({condition}); }}
		headline "it fails";
		because "it";
	}}
}}
"""

CASES = {
    "v->vcpu_id == 0": False,
    "(u8)v->vcpu_id == v->vcpu_id": None,
    "to_vmx(v)->hv_tlb_pgd == INVALID_PAGE": True,
    "to_vmx(v)->hv_tlb_pgd == 0": False,
    "to_vmx(v)->n == 9": True,
    "to_vmx(v)->n == 0": False,
    "to_kvm_vmx(kvm)->x == 7": True,
    "limit == 5": True,
    "limit == 0": False,
    "other == 0": False,
}
"""Whether each holds; None where it does with few vCPUs only."""

USES = "int x = limit + other + to_vmx(vcpu)->n + to_kvm_vmx(vcpu->kvm)->x + vcpu->vcpu_id;"


@pytest.mark.sample(every=12)
@pytest.mark.parametrize("engine", ["bounded", "enumerate", "unbounded"])
@pytest.mark.parametrize("condition", CASES)
@pytest.mark.parametrize("uses", ["", USES])
def test_boot(condition: str, engine: str, uses: str, tmp_path: Path) -> None:
    """A field that the code does not use is zero for a claim, whatever creation sets.

    Guards Lemma L1 of docs/soundness.md.
    """
    (tmp_path / "code.c").write_text(CODE.replace("USES", uses))
    (tmp_path / "it.spec").write_text(SPEC.format(condition=condition))
    machine = build_machine(from_spec(str(tmp_path / "it.spec")))
    (found,) = decide_claims(machine, Question(("it",), Bounds((1, 2), 1, 1, 1), engine=engine))
    holds = CASES[condition]
    assert ("other has any value at boot" in found.assumptions) == ("other" in condition + uses)
    if engine == "unbounded" and not holds:
        assert found.verdict is Verdict.UNKNOWN
    elif holds is False:
        assert found.verdict is Verdict.REFUTED
    else:
        assert found.verdict.holds


def test_a_helper_in_a_claim_has_names_of_its_own(tmp_path: Path) -> None:
    """The parameter of a helper is called as the load's own: a claim must not change that.

    With another vCPU in its place the load would be seen to give that one the root.

    Guards Lemma L1 of docs/soundness.md.
    """
    (tmp_path / "code.c").write_text(CODE.replace("USES", ""))
    claim = "any vcpu w; on enter load(v, r) { assert(to_vmx(w)->n == 9); }"
    handler = "on enter load(v, r) { assert(to_vmx(v)->n == 9); }"
    spec = SPEC.format(condition="to_vmx(v)->n == 9").replace(handler, claim)
    (tmp_path / "it.spec").write_text(spec)
    program = build_machine(from_spec(str(tmp_path / "it.spec"))).with_claims(("it",))
    for operation in program.operations:
        own = set(operation.parameters.all)
        own |= {x for i in operation.code if not i.from_claim for x in used_locals(i)}
        assigned = {defined_local(i) for i in operation.code if i.from_claim}
        assert not own & assigned
