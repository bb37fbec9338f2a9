"""Why a vCPU was missed: the decision that left it out is named, with the values it went by."""

from __future__ import annotations

import re
from itertools import pairwise
from pathlib import Path

import pytest

from flushproof.cli import main as cli
from support.places import SPECS

VARIANT = """\
struct kvm_vmx { struct kvm kvm; spinlock_t lock; };
struct vcpu_vmx { struct kvm_vcpu vcpu; hpa_t root; int leader; };

int lead_flush(struct kvm *kvm)
{
	struct kvm_vmx *vm = to_kvm_vmx(kvm);
	struct kvm_vcpu *vcpu;
	int ret = 0, i;

	spin_lock(&vm->lock);
	kvm_for_each_vcpu(i, vcpu, kvm) {
		@DECISION@
		ret = hyperv_flush_guest_mapping(to_vmx(vcpu)->root);
		if (ret)
			break;
	}
	spin_unlock(&vm->lock);
	return ret;
}

void lead_load(struct kvm_vcpu *vcpu, hpa_t root)
{
	struct kvm_vmx *vm = to_kvm_vmx(vcpu->kvm);

	spin_lock(&vm->lock);
	to_vmx(vcpu)->root = root;
	spin_unlock(&vm->lock);
}
"""
SPEC = """\
spec leader {
    variant "leader.c";
    operations { flush lead_flush(kvm); load lead_load(vcpu, root); }
    boot { to_vmx(vcpu)->root = INVALID_PAGE; }
    bounds { vcpus 1..3; loads 1; flushes 1; }
    expect { coverage proved; }
}
"""


def _refute(
    capsys: pytest.CaptureFixture[str], claim: str, *files: str, code: int = 0
) -> tuple[str, str]:
    """Return the text of a refutation, and its excerpt of the source with its carets."""
    assert cli.main(["refute", *files, "--claim", claim]) == code
    out = capsys.readouterr().out
    return out, out.partition("\n\n")[2].partition("\n\n  step")[0]


@pytest.mark.parametrize(
    ("decision", "told"),
    [
        (
            "if (to_vmx(vcpu)->leader != i)\n\t\t\tcontinue;",
            "12: skips vCPU1: leader[1] = 0, i = 1",
        ),
        (
            "int first = to_vmx(vcpu)->leader;\n\t\tif (first != i)\n\t\t\tcontinue;",
            "13: skips vCPU1: leader[1] = 0, i = 1",
        ),
        (
            "if (VALID_PAGE(to_vmx(vcpu)->root))\n\t\t\tcontinue;",
            "12: skips vCPU0: root[0] = A",
        ),
    ],
)
def test_the_decision_that_left_a_vcpu_out(
    decision: str,
    told: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """What was flushed does not say why the one that matters was not."""
    monkeypatch.chdir(tmp_path)
    Path("leader.c").write_text(VARIANT.replace("@DECISION@", decision), encoding="utf-8")
    Path("leader.spec").write_text(SPEC, encoding="utf-8")
    out, excerpt = _refute(capsys, "coverage", "leader.spec")
    cells = " ".join(re.sub(r"^ +\d+ ?| \| ", " ", x) for x in out.splitlines())
    line, _, words = told.partition(": ")
    assert f"leader.c:{line}\n" in excerpt
    assert f"^ {words}" in excerpt or words in " ".join(excerpt.split())
    assert f"{line}: {words.split(':')[0]}" in " ".join(cells.split())


@pytest.mark.parametrize(
    ("claim", "name", "line"), [("lock_balanced", "early_return.spec", "if (to_vmx(vcpu)->")]
)
def test_a_brace_says_nothing(
    claim: str, name: str, line: str, capsys: pytest.CaptureFixture[str]
) -> None:
    """A caret at the end of a function is no help: what matters is what it did not do before."""
    _, excerpt = _refute(capsys, claim, str(SPECS / name))
    marked = [a for a, b in pairwise(excerpt.splitlines()) if "^" in b]
    assert marked
    assert all(text.strip() != "}" for text in marked)
    assert line in excerpt
