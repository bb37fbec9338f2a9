"""Arrays of constant size: in the VM, in a vCPU, on the stack and at file level."""

from __future__ import annotations

from pathlib import Path
from shutil import which

import pytest

from flushproof.cli import main as cli
from flushproof.engines.explicit.enumerator import ExplicitEngine, Sizes
from flushproof.engines.outcome import NoCounterexample, Undecided
from flushproof.features.compiled.agree import compare_with_gcc
from flushproof.frontend.spec.resolve import from_spec
from flushproof.machine.build import build_machine
from flushproof.results.verdict import ClaimResult, Verdict
from flushproof.support.diagnostics import InputError
from flushproof.verify.portfolio import Question, decide_claims
from support.machines import machine_from

HEAD = """\
struct entry { int tag; };
struct kvm_vmx { struct kvm kvm; u64 seen[4]; u8 flags[3]; int grid[2][2]; struct entry e[2]; };
struct vcpu_vmx { struct kvm_vcpu vcpu; int last[2]; struct kvm_vcpu *peer[2]; };
static int table[3] = { 5, 6 };
static int sum(int *a, int n) { int i, s = 0; for (i = 0; i < 3; i++) s += a[i]; return s + n; }
"""
FUNCTIONS = """\
void idle(struct kvm_vcpu *vcpu, int k)
{{
	struct vcpu_vmx *own = to_vmx(vcpu);
	{cpu}
}}
int unmap(struct kvm *kvm, u64 k)
{{
	struct kvm_vmx *vmx = to_kvm_vmx(kvm);
	{thread}
	return 0;
}}
"""
SPEC = """\
spec arrays {{
	variant "v.c";
	operations {{ cpu idle(vcpu, k); thread unmap(kvm, k); }}
	bounds {{ vcpus 1..2; loads 2; flushes 1; flushers 1; }}
	{clauses}
}}
"""
BODIES = [
    (
        "own->last[k & 1] = table[k & 1] + 1; own->last[0]++;",
        "vmx->seen[k & 3] = vmx->seen[1] + k;",
    ),
    ("if (own->last[!k] < 9) own->last[!k] += 2;", "vmx->flags[k % 3] |= 1 << (k & 7);"),
    (
        "own->last[1] = sum(table, *table) & 0xff;",
        (
            "int mine[3] = { [1] = 4 }; mine[k % 3] += 2; "
            "table[k % 3] = (mine[2] * 10 + mine[1]) & 255;"
        ),
    ),
    (
        "own->last[0] = sizeof(own->last) + sizeof(table[0]);",
        (
            "u8 x[2] = { }; int i; for (i = 0; i < 2; i++) x[i] = vmx->seen[i] + i; "
            "vmx->flags[x[1] % 3] = x[0];"
        ),
    ),
    (
        "own->last[1] = READ_ONCE(own->last[k & 1]);",
        "WRITE_ONCE(vmx->seen[(k >> 2) & 3], READ_ONCE(vmx->seen[k & 3]) ^ 1);",
    ),
    (
        "own->last[0] = xchg(&table[k & 1], k & 7) + cmpxchg(&table[!k], 5, 9);",
        "vmx->seen[k & 1] = xchg(&vmx->seen[k & 3], k & 15) + xchg(&vmx->flags[1], 3);",
    ),
    (
        "static int kept[2]; own->last[0] = kept[k & 1]++ & 7;",
        "int i = k & 1; table[i] = i++; table[2] = i;",
    ),
]


def _code(cpu: str = "", thread: str = "") -> str:
    return HEAD + FUNCTIONS.format(cpu=cpu, thread=thread)


def _decide(code: str, claim: str, *clauses: str) -> ClaimResult:
    machine = machine_from(code, SPEC.format(clauses=" ".join((*clauses, claim))))
    question = Question(claims=("c",), bounds=machine.setup.bounds, engine="auto")
    (result,) = decide_claims(machine, question)
    return result


@pytest.mark.skipif(which("gcc") is None, reason="there is no gcc")
@pytest.mark.sample("0", "2")
@pytest.mark.parametrize("number", range(len(BODIES)), ids=str)
def test_gcc_agrees(number: int, tmp_path: Path) -> None:
    """Another element would be read or written than the one that C names."""
    (tmp_path / "v.c").write_text(_code(*BODIES[number]))
    (tmp_path / "v.spec").write_text(SPEC.format(clauses=""))
    found = compare_with_gcc(build_machine(from_spec(str(tmp_path / "v.spec"))), 40)
    assert found.agreed == found.asked > 0


@pytest.mark.parametrize(
    ("thread", "wanted"),
    [
        ("vmx->seen[k & 3] = 1;", Verdict.PROVED),
        ("vmx->seen[k] = 1;", Verdict.UNKNOWN),
        ("vmx->seen[(int)k] = 1;", Verdict.UNKNOWN),
        ("if (k < 4) vmx->seen[k] = 1;", Verdict.PROVED),
        ("if ((int)k < 4) vmx->seen[(int)k] = 1;", Verdict.UNKNOWN),
        ("vmx->seen[4] = 1;", Verdict.UNKNOWN),
        ("vmx->seen[-1] = 1;", Verdict.UNKNOWN),
        ("if (vmx->seen[3]) vmx->seen[4] = 1;", Verdict.PROVED),
        ("u64 x[2] = { 1, 1 }; vmx->seen[0] = x[k & 2];", Verdict.UNKNOWN),
        ("u8 i = k; u64 x[2] = { 1, 1 }; vmx->seen[0] = x[i > 3];", Verdict.PROVED),
    ],
)
def test_out_of_range_is_undefined(thread: str, wanted: Verdict) -> None:
    """Code that writes beside an array would be proved to do what it should."""
    claim = "claim c { on return unmap() { assert(to_kvm_vmx(kvm)->seen[0] < 2); } }"
    found = _decide(_code("", thread), claim)
    assert found.verdict.holds is (wanted is Verdict.PROVED)
    if wanted is Verdict.UNKNOWN:
        assert found.verdict is Verdict.UNKNOWN
        assert "an index is out of range" in found.reason


def test_elements_are_apart() -> None:
    """A store to one element would change the others, or a read of one race with them."""
    code = _code("own->last[0] = to_kvm_vmx(vcpu->kvm)->seen[0];", "vmx->seen[1 + (k & 1)] = 7;")
    claim = "claim c { any vcpu w; on step() { assert(to_vmx(w)->last[0] == 0); } }"
    invariant = "invariant to_kvm_vmx(kvm)->seen[0] == 0;"
    assert _decide(code, claim, invariant).verdict is Verdict.PROVED
    race = machine_from(code, SPEC.format(clauses=""))
    engine = ExplicitEngine(race.with_claims(("no_race",)), Sizes(1, 1, 1, 1))
    assert isinstance(engine.claim("no_race", 1), NoCounterexample | Undecided)
    wider = machine_from(code.replace("1 + (k & 1)", "k & 1"), SPEC.format(clauses=""))
    engine = ExplicitEngine(wider.with_claims(("no_race",)), Sizes(1, 1, 1, 1))
    assert not isinstance(engine.claim("no_race", 1), NoCounterexample)


def test_traces_tell_elements_from_vcpus() -> None:
    """Element 1 of vCPU 0 would look like element 0 of vCPU 1."""
    claim = "claim c { any vcpu w; on return idle() { assert(to_vmx(w)->last[1] != 6); } }"
    found = _decide(_code("own->last[k & 1] = 6;", "vmx->seen[2] = 1;"), claim)
    assert found.trace is not None
    assert ("vcpu0.last[1]", "6") in found.trace.steps[-1].changed


@pytest.mark.parametrize(
    ("cpu", "title"),
    [
        ("own->last = 0;", "an array cannot be assigned"),
        ("int *p = own->last; *p = 1;", "outside the subset: a pointer variable to such an"),
        ("int *p = &table[k & 1]; *p = 1;", "outside the subset: a pointer variable to such an"),
        ("int x[65]; x[0] = k;", "outside the subset: an array of more than 64 elements"),
        ("to_kvm_vmx(vcpu->kvm)->e[1].tag = 1;", "outside the subset: an array with elements of"),
        ("to_kvm_vmx(vcpu->kvm)->grid[1][0] = 1;", "outside the subset: an array with elements"),
        ("own->last[1] = *&table;", "outside the subset: the address of a whole array"),
        ("own->last[1] = k[1];", "outside the subset: an array"),
        ("struct kvm *kvm = vcpu->kvm; own->last[1] = sum((int *)to_kvm_vmx(kvm)->seen, 1);", ""),
    ],
)
def test_refusals(cpu: str, title: str) -> None:
    """What is not understood of an array must not be taken for something else."""
    with pytest.raises(InputError) as caught:
        machine_from(_code(cpu), SPEC.format(clauses=""))
    (found,) = caught.value.diagnostics
    assert found.title.startswith(title)
    assert found.span is not None


@pytest.mark.slow
def test_a_proof_is_confirmed(tmp_path: Path) -> None:
    """A certificate that names elements could not be read again."""
    code = _code(
        "own->last[k & 1] = to_kvm_vmx(vcpu->kvm)->flags[k & 1];", "vmx->flags[k & 1] = 5;"
    )
    (tmp_path / "v.c").write_text(code)
    clauses = "".join(
        f"invariant to_kvm_vmx(kvm)->flags[{k}] == 0 || to_kvm_vmx(kvm)->flags[{k}] == 5;\n"
        for k in range(2)
    )
    five = "to_vmx(w)->last[1] == 0 || to_vmx(w)->last[1] == 5"
    clauses += f"claim c {{ any vcpu w; on step() {{ assert({five}); }} }}"
    spec, proof = tmp_path / "v.spec", tmp_path / "proof"
    spec.write_text(SPEC.format(clauses=clauses))
    off = ("--no-sanity", "--no-cache", "--certificate", str(proof))
    assert cli.main(["prove", str(spec), "--claim", "c", *off]) == 0
    assert cli.main(["recheck", str(proof), "--against", str(spec)]) == 0
