"""`atomic { ... }`: a block that no other thread sees the middle of."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from shutil import which

import pytest

from flushproof.cli import main as cli
from flushproof.engines.explicit.enumerator import ExplicitEngine, Sizes
from flushproof.engines.outcome import NoCounterexample
from flushproof.features.compiled.agree import compare_with_gcc
from flushproof.frontend.spec.resolve import from_spec
from flushproof.ir.code import BeginAtomic, EndAtomic, Fence, Instr, Jump
from flushproof.ir.invariant import ClaimedProof
from flushproof.machine.build import Machine, build_machine
from flushproof.results.verdict import Verdict
from flushproof.support.diagnostics import InputError
from flushproof.support.memory_model import MemoryModel
from flushproof.support.record import replace
from flushproof.verify.portfolio import Question, decide_claims
from flushproof.verify.proof_checker.checked_program import CheckedProgram
from flushproof.verify.proof_checker.terms import NotUnderstood
from support.machines import machine_from

CODE = """\
struct kvm_vmx {{ struct kvm kvm; spinlock_t l; int a, b; bool seen[2]; }};
struct vcpu_vmx {{ struct kvm_vcpu vcpu; bool c; }};
static int two(struct kvm_vmx *x) {{ if (x->b > 5) return 2; return x->a; }}
static int around(int n) {{ while (n > 7) n--; return n; }}
void fill(struct kvm_vcpu *vcpu)
{{
	struct kvm_vmx *x = to_kvm_vmx(vcpu->kvm);
	int i;

	{cpu}
}}
int look(struct kvm *kvm)
{{
	struct kvm_vmx *x = to_kvm_vmx(kvm);
	int p = 0, q = 0;

	{thread}
	return p != q;
}}
"""
SPEC = """\
spec blocks {{
	variant "v.c";
	operations {{ cpu fill(vcpu); thread look(kvm); }}
	bounds {{ vcpus 1..2; loads 2; flushes 2; flushers 1; }}
	claim c {{ {} }}
}}
"""
TURN, PLAIN = "x->a = (x->a + 1) & 3; x->b = x->a;", "p = x->a; q = x->b;"
SAME = "on return look(r) { assert(r == 0); }"
STEP = "on step() { assert(to_kvm_vmx(kvm)->a == to_kvm_vmx(kvm)->b); }"


def _machine(cpu: str, thread: str, claim: str = SAME) -> Machine:
    return machine_from(CODE.format(cpu=cpu, thread=thread), SPEC.format(claim))


def _verdict(machine: Machine, engine: str = "auto") -> Verdict:
    question = Question(claims=("c",), bounds=machine.setup.bounds, engine=engine)
    (found,) = decide_claims(machine, question)
    return found.verdict


@pytest.mark.parametrize(
    ("cpu", "thread", "claim", "wanted"),
    [
        (f"atomic {{ {TURN} }}", f"atomic {{ {PLAIN} }}", SAME, Verdict.PROVED),
        (TURN, f"atomic {{ {PLAIN} }}", SAME, Verdict.REFUTED),
        (f"atomic {{ {TURN} }}", PLAIN, SAME, Verdict.REFUTED),
        (f"atomic {{ {TURN} }}", "atomic { p = x->a; } q = x->b;", SAME, Verdict.REFUTED),
        (f"atomic {{ {TURN} }}", "p = x->a; atomic { q = x->b; }", SAME, Verdict.REFUTED),
        (f"atomic {{ {TURN} }}", "", STEP, Verdict.PROVED),
        (TURN, "", STEP, Verdict.REFUTED),
        ("atomic { x->a = 1; } atomic { x->b = 1; }", "", STEP, Verdict.REFUTED),
        ("atomic { x->a = 1; xchg(&x->b, 1); }", "", STEP, Verdict.PROVED),
        ("atomic { cmpxchg(&x->a, x->b, 3); x->b = two(x); }", "", STEP, Verdict.PROVED),
        ("atomic { if (x->seen[x->a & 1]) x->a = 1; }", "", STEP, Verdict.PROVED),
        ("atomic { x->seen[x->a & 1] = 1; if (x->seen[0]) x->a = 1; }", "", STEP, Verdict.REFUTED),
    ],
)
def test_a_block_is_one_step(cpu: str, thread: str, claim: str, wanted: Verdict) -> None:
    """Others would see the middle of a block, or what comes before it would be one with it."""
    machine = _machine(cpu, thread, claim)
    assert _verdict(machine) is wanted
    engine = ExplicitEngine(machine.with_claims(("c",)), Sizes(1, 2, 2, 1))
    assert isinstance(engine.claim("c", 1), NoCounterexample) is (wanted is Verdict.PROVED)


@pytest.mark.parametrize("engine", ["bounded", "enumerate"])
def test_stores_before_a_block_are_in_memory(engine: str) -> None:
    """A block would be one step of memory, with an older store of its thread coming after it."""
    claim = "any vcpu w; on step() { assert(!to_kvm_vmx(kvm)->b || to_kvm_vmx(kvm)->a); }"
    for cpu, wanted in (
        ("WRITE_ONCE(x->a, 1); atomic { x->b = 1; }", Verdict.BOUNDED),
        ("atomic { x->b = 1; } WRITE_ONCE(x->a, 1);", Verdict.REFUTED),
    ):
        machine = _machine(cpu, "", claim)
        machine = build_machine(replace(machine.setup, memory=MemoryModel.TSO))
        assert _verdict(machine, engine) is wanted


@pytest.mark.parametrize(
    ("body", "title"),
    [
        ("atomic { spin_lock(&x->l); }", "`spin_lock()` in an `atomic` block"),
        ("atomic { hyperv_flush_guest_mapping(0); }", "in an `atomic` block"),
        ("atomic { __wait(READ_ONCE(x->a)); }", "a loop or label in an `atomic` block"),
        ("atomic { for (i = 0; i < 2; i++) x->a = i; }", "a loop or label in an `atomic` block"),
        ("atomic { x->a = around(x->b); }", "a loop or label in an `atomic` block"),
        ("atomic { again: x->a = 1; goto again; }", "a loop or label in an `atomic` block"),
        ("atomic { if (x->a) return; }", "a jump out of an `atomic` block"),
        ("for (i = 0; i < 2; i++) { atomic { break; } }", "a jump out of an `atomic` block"),
        ("while (i--) { atomic { continue; } }", "a jump out of an `atomic` block"),
        ("atomic { atomic { x->a = 1; } }", "an `atomic` block within another one"),
        ("atomic { smp_mb(); }", "`smp_mb()` in an `atomic` block"),
        ("atomic { smp_cond_load_relaxed(&x->a, VAL); }", "a wait in an `atomic` block"),
    ],
)
def test_refusals(body: str, title: str) -> None:
    """What waits in the middle of a step would keep all others waiting, or be left out."""
    with pytest.raises(InputError) as caught:
        _machine(body, "")
    assert title in caught.value.diagnostics[0].title


def test_the_word_is_a_name_elsewhere() -> None:
    """A variable or parameter of that name, as the kernel has, would be a syntax error."""
    machine = _machine("bool atomic = x->a; if (atomic) { x->b = atomic; }", PLAIN, STEP)
    assert _verdict(machine) is Verdict.PROVED


def test_single_accesses_are_not_asked_about() -> None:
    """No race would be claimed of code of which accesses are left out."""
    machine = _machine(f"atomic {{ {TURN} }}", PLAIN)
    assert "single accesses" in machine.why_unstatable("no_race")
    assert not _machine(TURN, PLAIN).why_unstatable("no_race")


@pytest.mark.parametrize(
    ("place", "instead"),
    [
        (BeginAtomic, lambda _at, i: Fence(i.span)),
        (EndAtomic, lambda at, i: Jump(at + 1, i.span)),
    ],
)
def test_the_checker_sees_to_blocks(place: type, instead: Callable[[int, Instr], Instr]) -> None:
    """Accesses would be taken for one step that are not between the two ends of a block."""
    machine = _machine(f"atomic {{ {TURN} }} x->a = 0;", PLAIN)
    proof = ClaimedProof((), (), ())
    program = machine.base
    CheckedProgram(program, proof)
    first = program.operations[0]
    code = tuple(
        i if not isinstance(i, place) else instead(at, i) for at, i in enumerate(first.code)
    )
    broken = replace(program, operations=(replace(first, code=code), *program.operations[1:]))
    with pytest.raises(NotUnderstood, match="atomic block"):
        CheckedProgram(broken, proof)


@pytest.mark.skipif(which("gcc") is None, reason="there is no gcc")
def test_compiled_code_agrees(tmp_path: Path) -> None:
    """An exchange in a block would do something else than anywhere else."""
    body = "atomic { x->a = 5 + xchg(&x->b, 3); i = cmpxchg(&x->a, 5, 6); x->b = two(x) + i; }"
    (tmp_path / "v.c").write_text(CODE.format(cpu=body, thread="atomic { p = x->a; }"))
    (tmp_path / "v.spec").write_text(SPEC.format(SAME))
    found = compare_with_gcc(build_machine(from_spec(str(tmp_path / "v.spec"))), 20)
    assert found.agreed == found.asked > 0


@pytest.mark.slow
def test_certificates_are_confirmed(tmp_path: Path) -> None:
    """A proof that rests on blocks would be one that its own checker refuses."""
    (tmp_path / "v.c").write_text(
        CODE.format(cpu=f"atomic {{ {TURN} }}", thread=f"atomic {{ {PLAIN} }}")
    )
    spec, proof = tmp_path / "v.spec", str(tmp_path / "proof")
    spec.write_text(SPEC.format(SAME))
    off = ("--no-sanity", "--no-cache", "--certificate", proof)
    assert cli.main(["prove", str(spec), "--claim", "c", *off]) == 0
    assert cli.main(["recheck", proof, "--against", str(spec)]) == 0
