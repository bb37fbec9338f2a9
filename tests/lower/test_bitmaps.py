"""Bits of words and of bitmaps: `set_bit()` and its kin, `atomic_or()` and its kin."""

from __future__ import annotations

from pathlib import Path
from shutil import which

import pytest

from flushproof.engines.explicit.enumerator import ExplicitEngine, Sizes
from flushproof.engines.outcome import NoCounterexample
from flushproof.features.compiled.agree import compare_with_gcc
from flushproof.frontend.spec.resolve import from_spec
from flushproof.machine.build import Machine, build_machine
from flushproof.results.verdict import Verdict
from flushproof.verify.portfolio import Question, decide_claims
from support.machines import machine_from

CODE = """\
struct kvm_vmx {{
	struct kvm kvm; unsigned long word; DECLARE_BITMAP(map, 100); atomic_t a; atomic64_t w;
}};
struct vcpu_vmx {{ struct kvm_vcpu vcpu; unsigned long own; bool got; }};
void take(struct kvm_vcpu *vcpu, int k)
{{
	struct kvm_vmx *x = to_kvm_vmx(vcpu->kvm);
	struct vcpu_vmx *v = to_vmx(vcpu);

	{cpu}
}}
int look(struct kvm *kvm, int k)
{{
	struct kvm_vmx *x = to_kvm_vmx(kvm);

	{thread}
	return 0;
}}
"""
SPEC = """\
spec bits {{
	variant "v.c";
	operations {{ cpu take(vcpu, k); thread look(kvm, k); }}
	bounds {{ vcpus 1..2; loads 2; flushes 2; flushers 1; }}
	claim c {{ {} }}
}}
"""
RETURNS = "on return look(k, r) { assert(r == 0); }"
WORD = "on step() { assert(to_kvm_vmx(kvm)->word != 3); }"
APART = """any vcpu a; any vcpu b; on step() {
	assert(a == b || !to_vmx(a)->got || !to_vmx(b)->got); }"""
DROP = "if (v->got) { v->got = 0; clear_bit(3, x->map); } else if (k) "
GUARDED = [
    ("if (!test_and_set_bit(3, x->map)) v->got = 1;", Verdict.BOUNDED),
    ("if (!test_bit(3, x->map)) { set_bit(3, x->map); v->got = 1; }", Verdict.REFUTED),
    ("if (!test_and_set_bit(k & 3, x->map)) v->got = 1;", Verdict.REFUTED),
    ("if (!(atomic_fetch_or(8, &x->a) & 8)) v->got = 1;", Verdict.PROVED),
]
BODIES = [
    ("set_bit(k & 63, &v->own);", "v_ret = test_and_clear_bit(k & 3, &x->word);"),
    ("__set_bit(k & 7, x->map); v->got = test_bit(3, x->map);", "__clear_bit(k & 3, x->map);"),
    (
        "v->own = BITS_TO_LONGS(100) + BIT_MASK(k & 63) + BIT_WORD(k & 127);",
        "x->word = atomic_fetch_andnot(k, &x->a) + atomic_fetch_or(k, &x->a);",
    ),
    (
        "v->got = test_and_set_bit(64 + (k & 31), x->map);",
        "atomic64_or(k, &x->w); atomic64_and(6, &x->w); atomic_and(k, &x->a);",
    ),
]


def _machine(cpu: str, thread: str, claim: str = RETURNS) -> Machine:
    return machine_from(CODE.format(cpu=cpu, thread=thread), SPEC.format(claim))


def _verdict(machine: Machine) -> Verdict:
    question = Question(claims=("c",), bounds=machine.setup.bounds, engine="auto")
    (found,) = decide_claims(machine, question)
    return found.verdict


@pytest.mark.parametrize(
    ("cpu", "thread", "claim", "wanted"),
    [
        ("set_bit(0, &x->word);", "set_bit(1, &x->word);", WORD, Verdict.REFUTED),
        ("set_bit(0, &x->word);", "set_bit(2, &x->word);", WORD, Verdict.PROVED),
        ("x->word = 2;", "__set_bit(0, &x->word);", WORD, Verdict.REFUTED),
        (
            "set_bit(1, &x->word);",
            "clear_bit(1, &x->word); set_bit(0, &x->word);",
            WORD,
            Verdict.REFUTED,
        ),
        ("set_bit(69, x->map);", "if (test_bit(5, x->map)) return 1;", RETURNS, Verdict.PROVED),
        ("set_bit(69, x->map);", "if (test_bit(69, x->map)) return 1;", RETURNS, Verdict.REFUTED),
        ("set_bit(64, &x->word);", "return test_bit(0, &x->word);", RETURNS, Verdict.UNKNOWN),
        ("set_bit(k, x->map);", "", RETURNS, Verdict.UNKNOWN),
        ("if (k >= 0 && k < 128) set_bit(k, x->map);", "", RETURNS, Verdict.PROVED),
        ("", "return (atomic_fetch_or(5, &x->a) & 2) != 0;", RETURNS, Verdict.PROVED),
        (
            "atomic_or(2, &x->a);",
            "return (atomic_fetch_or(5, &x->a) & 2) != 0;",
            RETURNS,
            Verdict.REFUTED,
        ),
        (
            "atomic64_andnot(~4ULL, &x->w);",
            "atomic64_set(&x->w, 7); return atomic64_read(&x->w) == 5;",
            RETURNS,
            Verdict.PROVED,
        ),
    ],
)
def test_bits_are_set_and_cleared(cpu: str, thread: str, claim: str, wanted: Verdict) -> None:
    """Another bit would be meant, or one beside the bitmap."""
    assert _verdict(_machine(cpu, thread, claim)) is wanted


@pytest.mark.parametrize(("take", "wanted"), GUARDED)
def test_a_bit_is_taken_once(take: str, wanted: Verdict) -> None:
    """Two vCPUs would take one bit, or a test and a later set would be one step."""
    machine = _machine(DROP + take, "", APART)
    assert _verdict(machine) is wanted
    found = ExplicitEngine(machine.with_claims(("c",)), Sizes(2, 1, 1, 1)).claim("c", 2)
    assert isinstance(found, NoCounterexample) is (wanted is not Verdict.REFUTED)


@pytest.mark.skipif(which("gcc") is None, reason="there is no gcc")
@pytest.mark.sample("0")
@pytest.mark.parametrize("number", range(len(BODIES)), ids=str)
def test_gcc_agrees(number: int, tmp_path: Path) -> None:
    """Another bit would be read or written than the one that C names."""
    cpu, thread = BODIES[number]
    code = CODE.format(cpu=cpu, thread=thread.replace("v_ret", "x->a.counter"))
    (tmp_path / "v.c").write_text(code)
    (tmp_path / "v.spec").write_text(SPEC.format(RETURNS))
    found = compare_with_gcc(build_machine(from_spec(str(tmp_path / "v.spec"))), 40)
    assert found.agreed == found.asked > 0
