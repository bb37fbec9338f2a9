"""`boot { x = any; }`: a field of the VM holds any value at boot, in every engine and in words."""

from __future__ import annotations

from pathlib import Path
from shutil import which

import pytest

from flushproof.cli import main as cli
from flushproof.results.verdict import ClaimResult, Verdict
from flushproof.support.diagnostics import InputError
from flushproof.verify.portfolio import Question, decide_claims
from support.machines import machine_from

CODE = """\
struct kvm_vmx { struct kvm kvm; int gen; bool flag; u64 root; unsigned int low : 3, high : 5; };
struct vcpu_vmx { struct kvm_vcpu vcpu; int last; };
void idle(struct kvm_vcpu *vcpu) { to_vmx(vcpu)->last = to_kvm_vmx(vcpu->kvm)->gen; }
int unmap(struct kvm *kvm)
{
	WRITE_ONCE(to_kvm_vmx(kvm)->gen, 5);
	return to_kvm_vmx(kvm)->flag && to_kvm_vmx(kvm)->root == 0x1000;
}
"""
SPEC = """\
spec any_boot {{
	variant "v.c";
	operations {{ cpu idle(vcpu); thread unmap(kvm); }}
	boot {{ {boot} }}
	bounds {{ vcpus 1..2; loads 1; flushes 1; flushers 1; }}
	claim seen "a vCPU never sees nine" {{ on return idle(v) {{ assert(to_vmx(v)->last != 9); }} }}
	claim none "nothing is returned" {{ on return unmap(r) {{ assert(!r); }} }}
	claim late "no vCPU has seen nine" {{
		any vcpu w;
		on return unmap() {{ assert(to_vmx(w)->last != 9); }}
	}}
	claim five "it is five then" {{ on return unmap() {{ assert(to_kvm_vmx(kvm)->gen == 5); }} }}
}}
"""
VM = "to_kvm_vmx(kvm)->"
ALL = f"{VM}gen = any; {VM}flag = any; {VM}root = any;"


def _decide(boot: str, claim: str) -> ClaimResult:
    machine = machine_from(CODE, SPEC.format(boot=boot))
    question = Question(claims=(claim,), bounds=machine.setup.bounds, engine="auto")
    (result,) = decide_claims(machine, question)
    return result


def test_a_value_that_is_overwritten_is_that_of_boot() -> None:
    """What the field holds in the end would be replayed as what it held at boot."""
    machine = machine_from(CODE, SPEC.format(boot=ALL))
    question = Question(claims=("late",), bounds=machine.setup.bounds, engine="enumerate")
    (result,) = decide_claims(machine, question)
    assert result.verdict is Verdict.REFUTED
    assert result.trace is not None
    assert "gen is 9 at boot" in result.trace.because
    assert result.scope.roots.endswith("some values at boot")


@pytest.mark.parametrize(
    ("boot", "claim", "wanted"),
    [
        (ALL, "seen", Verdict.REFUTED),
        (ALL, "none", Verdict.REFUTED),
        (ALL, "five", Verdict.PROVED),
        (f"{VM}gen = any; {VM}root = any;", "none", Verdict.PROVED),
        (f"{VM}gen = any; {VM}gen = 3;", "seen", Verdict.PROVED),
        (f"{VM}gen = 3; {VM}gen = any;", "seen", Verdict.REFUTED),
    ],
)
def test_verdicts(boot: str, claim: str, wanted: Verdict) -> None:
    """A field that is to hold anything would start as 0, or what is set last would not count."""
    assert _decide(boot, claim).verdict is wanted


def test_words() -> None:
    """What a counterexample found at boot, and what a proof rests on, would not be said."""
    refuted = _decide(ALL, "seen")
    assert refuted.trace is not None
    assert "gen is 9 at boot" in refuted.trace.because
    assert "gen has any value at boot" in _decide(ALL, "five").assumptions


@pytest.mark.parametrize(
    "boot",
    [f"{VM}gen = any + 1;", "to_vmx(vcpu)->last = any;", f"{VM}low = any;"],
)
def test_what_cannot_be_any(boot: str) -> None:
    """A part that is any, taken for the whole or for one value, proves too much."""
    with pytest.raises(InputError) as caught:
        machine_from(
            CODE.replace("return to", "to_kvm_vmx(kvm)->low = 1;\n\treturn to"),
            SPEC.format(boot=boot),
        )
    (found,) = caught.value.diagnostics
    assert found.title == "only a whole field of the VM can hold any value at boot"
    assert found.span is not None
    assert found.span.line == 4


@pytest.mark.skipif(which("gcc") is None, reason="there is no gcc")
def test_it_runs(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """The compiled counterexample would start from zeros, or from a variable of no file."""
    (tmp_path / "v.c").write_text(CODE)
    spec = tmp_path / "v.spec"
    spec.write_text(SPEC.format(boot=ALL))
    assert cli.main(["reproduce", str(spec), "--claim", "seen", "--run"]) == 0
    assert "reproduced" in capsys.readouterr().out
