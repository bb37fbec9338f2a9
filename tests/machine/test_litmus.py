"""The litmus tests of the x86 catalogues, with the verdicts of x86-TSO and of PSO.

After Owens, Sarkar and Sewell, A Better x86 Memory Model: x86-TSO (TPHOLs 2009), Sewell et al.,
x86-TSO (CACM 2010), and the families of Alglave, Maranget and Tautschnig, Herding Cats (TOPLAS
2014). A thread ends with `when(condition)`, which is a store of its own and so the last of its
stores to reach memory. Where an outcome speaks of the end of memory, every thread ends with a
barrier.
"""

from __future__ import annotations

from pathlib import Path

import pytest

from flushproof.frontend.spec.resolve import from_spec
from flushproof.machine.build import Machine, build_machine
from flushproof.results.verdict import Verdict
from flushproof.support.record import Record, replace
from flushproof.verify.portfolio import Question, decide_claims

HEAD = """\
struct kvm_vmx {
	struct kvm kvm;
	int x; int y; int z; int w;
	int hit0; int hit1; int hit2; int hit3;
	spinlock_t l; spinlock_t k; struct mutex a; struct mutex b; rwlock_t rw; atomic_t n;
};
struct vcpu_vmx { struct kvm_vcpu vcpu; };
#define X (vmx->x)
#define Y (vmx->y)
#define Z (vmx->z)
#define W (vmx->w)
#define when0(condition) do { if (condition) vmx->hit0 = 1; } while (0)
#define when1(condition) do { if (condition) vmx->hit1 = 1; } while (0)
#define when2(condition) do { if (condition) vmx->hit2 = 1; } while (0)
#define when3(condition) do { if (condition) vmx->hit3 = 1; } while (0)
"""
LOAD = """\
void load(struct kvm_vcpu *vcpu, unsigned long root)
{{
	struct kvm_vmx *vmx = to_kvm_vmx(vcpu->kvm);
	int a, b;
	{body}
}}
"""
FLUSH = """\
int flush_(struct kvm *kvm)
{{
	struct kvm_vmx *vmx = to_kvm_vmx(kvm);
	int a, b;
	{body}
	return 0;
}}
"""
SPEC = """\
spec litmus {{
	variant "v.c";
	operations {{ flush flush_(kvm); load load(vcpu, root); }}
	bounds {{ vcpus {vcpus}..{vcpus}; loads 1; flushes {flushes}; flushers 1; }}
	memory {memory};
	claim never "the outcome does not come about" {{
		int done;
		on return load() {{ done = done + 1; }}
		on return flush() {{ done = done + 1; }}
		on end() {{ assert(done < {threads} || {outcome}); }}
	}}
}}
"""


class Litmus(Record, frozen=True):
    """Threads, what memory holds at the end, and whether x86 allows that all conditions hold."""

    threads: tuple[str, ...]
    allowed: bool
    end: str = ""


def _test(*threads: str, allowed: bool, end: str = "") -> Litmus:
    return Litmus(threads, allowed, end)


FORBIDDEN, ALLOWED = False, True
MB = "smp_mb();"

TESTS: dict[str, Litmus] = {
    # Two threads, two locations.
    "SB": _test("X = 1; a = Y; when(!a);", "Y = 1; a = X; when(!a);", allowed=ALLOWED),
    "SB+mbs": _test(
        f"X = 1; {MB} a = Y; when(!a);", f"Y = 1; {MB} a = X; when(!a);", allowed=FORBIDDEN
    ),
    "SB+mb+po": _test(f"X = 1; {MB} a = Y; when(!a);", "Y = 1; a = X; when(!a);", allowed=ALLOWED),
    "SB+wmbs": _test(
        "X = 1; smp_wmb(); a = Y; when(!a);",
        "Y = 1; smp_wmb(); a = X; when(!a);",
        allowed=ALLOWED,
    ),
    "SB+xchgs (iwp2.8.a)": _test(
        "xchg(&X, 1); a = Y; when(!a);", "xchg(&Y, 1); a = X; when(!a);", allowed=FORBIDDEN
    ),
    "SB+xchg+po": _test(
        "xchg(&X, 1); a = Y; when(!a);", "Y = 1; a = X; when(!a);", allowed=ALLOWED
    ),
    "SB+rmws": _test(
        "X = 1; atomic_inc(&vmx->n); a = Y; when(!a);",
        "Y = 1; atomic_inc(&vmx->n); a = X; when(!a);",
        allowed=FORBIDDEN,
    ),
    "SB+failing cmpxchgs": _test(
        "X = 1; cmpxchg(&Z, 5, 6); a = Y; when(!a);",
        "Y = 1; cmpxchg(&W, 5, 6); a = X; when(!a);",
        allowed=FORBIDDEN,
    ),
    "SB+releases+acquires": _test(
        "smp_store_release(&X, 1); a = smp_load_acquire(&Y); when(!a);",
        "smp_store_release(&Y, 1); a = smp_load_acquire(&X); when(!a);",
        allowed=ALLOWED,
    ),
    "SB, two stores each": _test(
        "X = 1; Z = 1; a = Y; when(!a);", "Y = 1; W = 1; a = X; when(!a);", allowed=ALLOWED
    ),
    "MP (iwp2.1)": _test("X = 1; Y = 1;", "a = Y; b = X; when(a && !b);", allowed=FORBIDDEN),
    "MP+xchg (iwp2.8.b)": _test(
        "xchg(&X, 1); Y = 1;", "a = Y; b = X; when(a && !b);", allowed=FORBIDDEN
    ),
    "MP, the other way": _test("X = 1; Y = 1;", "a = X; b = Y; when(a && !b);", allowed=ALLOWED),
    "LB (iwp2.2)": _test("a = X; Y = 1; when(a);", "a = Y; X = 1; when(a);", allowed=FORBIDDEN),
    "R": _test(
        f"X = 1; Y = 1; {MB}", f"Y = 2; a = X; when(!a); {MB}", allowed=ALLOWED, end="Y == 2"
    ),
    "R+po+mb": _test(
        f"X = 1; Y = 1; {MB}",
        f"Y = 2; {MB} a = X; when(!a); {MB}",
        allowed=FORBIDDEN,
        end="Y == 2",
    ),
    "R+mb+po": _test(
        f"X = 1; {MB} Y = 1; {MB}",
        f"Y = 2; a = X; when(!a); {MB}",
        allowed=ALLOWED,
        end="Y == 2",
    ),
    "S": _test(
        f"X = 2; Y = 1; {MB}", f"a = Y; X = 1; when(a); {MB}", allowed=FORBIDDEN, end="X == 2"
    ),
    "2+2W": _test(
        f"X = 1; Y = 2; {MB}", f"Y = 1; X = 2; {MB}", allowed=FORBIDDEN, end="X == 1 && Y == 1"
    ),
    # One location.
    "CoRR": _test("X = 1;", "a = X; b = X; when(a && !b);", allowed=FORBIDDEN),
    "CoWW": _test(f"X = 1; X = 2; {MB}", allowed=FORBIDDEN, end="X == 1"),
    "CoRW1": _test("a = X; X = 1; when(a);", allowed=FORBIDDEN),
    "CoRW2": _test(
        f"a = X; X = 1; when(a == 2); {MB}", f"X = 2; {MB}", allowed=FORBIDDEN, end="X == 2"
    ),
    "CoWR": _test(
        f"X = 1; a = X; when(a == 2); {MB}", f"X = 2; {MB}", allowed=FORBIDDEN, end="X == 1"
    ),
    "own store (iwp2.3.b)": _test("X = 1; a = X; when(!a);", allowed=FORBIDDEN),
    "n4": _test("a = X; X = 1; when(a == 2);", "a = X; X = 2; when(a == 1);", allowed=FORBIDDEN),
    "n5": _test("X = 1; a = X; when(a == 2);", "X = 2; a = X; when(a == 1);", allowed=FORBIDDEN),
    # A thread reads its own store early.
    "n6": _test(
        f"X = 1; a = X; b = Y; when(a == 1 && !b); {MB}",
        f"Y = 1; X = 2; {MB}",
        allowed=ALLOWED,
        end="X == 1",
    ),
    "SB+rfis (iwp2.4, amd9)": _test(
        "X = 1; a = X; b = Y; when(a && !b);",
        "Y = 1; a = Y; b = X; when(a && !b);",
        allowed=ALLOWED,
    ),
    "SB+rfis+mbs (amd10)": _test(
        f"X = 1; {MB} a = X; b = Y; when(a && !b);",
        f"Y = 1; {MB} a = Y; b = X; when(a && !b);",
        allowed=FORBIDDEN,
    ),
    "n7": _test(
        "X = 1; a = X; b = Y; when(a && !b);",
        "Y = 1;",
        "a = Y; b = X; when(a && !b);",
        allowed=ALLOWED,
    ),
    # Three threads and more.
    "3.SB (podwr001)": _test(
        "X = 1; a = Y; when(!a);",
        "Y = 1; a = Z; when(!a);",
        "Z = 1; a = X; when(!a);",
        allowed=ALLOWED,
    ),
    "3.SB+mbs": _test(
        f"X = 1; {MB} a = Y; when(!a);",
        f"Y = 1; {MB} a = Z; when(!a);",
        f"Z = 1; {MB} a = X; when(!a);",
        allowed=FORBIDDEN,
    ),
    "WRC (iwp2.5, amd8)": _test(
        "X = 1;", "a = X; Y = 1; when(a);", "a = Y; b = X; when(a && !b);", allowed=FORBIDDEN
    ),
    "RWC": _test(
        "X = 1;", "a = X; b = Y; when(a && !b);", "Y = 1; a = X; when(!a);", allowed=ALLOWED
    ),
    "RWC+mb": _test(
        "X = 1;",
        "a = X; b = Y; when(a && !b);",
        f"Y = 1; {MB} a = X; when(!a);",
        allowed=FORBIDDEN,
    ),
    "ISA2": _test(
        "X = 1; Y = 1;",
        "a = Y; Z = 1; when(a);",
        "a = Z; b = X; when(a && !b);",
        allowed=FORBIDDEN,
    ),
    "W+RWC": _test(
        "X = 1; Y = 1;",
        "a = Y; b = Z; when(a && !b);",
        "Z = 1; a = X; when(!a);",
        allowed=ALLOWED,
    ),
    "3.LB": _test(
        "a = X; Y = 1; when(a);",
        "a = Y; Z = 1; when(a);",
        "a = Z; X = 1; when(a);",
        allowed=FORBIDDEN,
    ),
    "Z6.3": _test(
        f"X = 1; Y = 1; {MB}",
        f"Y = 2; Z = 1; {MB}",
        f"a = Z; b = X; when(a && !b); {MB}",
        allowed=FORBIDDEN,
        end="Y == 2",
    ),
    "WWC": _test(
        f"X = 2; {MB}",
        f"a = X; Y = 1; when(a == 2); {MB}",
        f"a = Y; X = 1; when(a); {MB}",
        allowed=FORBIDDEN,
        end="X == 2",
    ),
    "IRIW (amd6)": _test(
        "X = 1;",
        "Y = 1;",
        "a = X; b = Y; when(a && !b);",
        "a = Y; b = X; when(a && !b);",
        allowed=FORBIDDEN,
    ),
    "CO-IRIW (iwp2.6)": _test(
        "X = 1;",
        "X = 2;",
        "a = X; b = X; when(a == 1 && b == 2);",
        "a = X; b = X; when(a == 2 && b == 1);",
        allowed=FORBIDDEN,
    ),
    # Locks, as the kernel has them.
    "SB+one spinlock": _test(
        "spin_lock(&vmx->l); X = 1; spin_unlock(&vmx->l); a = Y; when(!a);",
        "spin_lock(&vmx->l); Y = 1; spin_unlock(&vmx->l); a = X; when(!a);",
        allowed=FORBIDDEN,
    ),
    "SB+two spinlocks": _test(
        "spin_lock(&vmx->l); X = 1; spin_unlock(&vmx->l); a = Y; when(!a);",
        "spin_lock(&vmx->k); Y = 1; spin_unlock(&vmx->k); a = X; when(!a);",
        allowed=ALLOWED,
    ),
    "SB+spinlocks in between": _test(
        "X = 1; spin_lock(&vmx->l); spin_unlock(&vmx->l); a = Y; when(!a);",
        "Y = 1; spin_lock(&vmx->k); spin_unlock(&vmx->k); a = X; when(!a);",
        allowed=FORBIDDEN,
    ),
    "SB+two mutexes": _test(
        "mutex_lock(&vmx->a); X = 1; mutex_unlock(&vmx->a); a = Y; when(!a);",
        "mutex_lock(&vmx->b); Y = 1; mutex_unlock(&vmx->b); a = X; when(!a);",
        allowed=FORBIDDEN,
    ),
    "SB+readers": _test(
        "read_lock(&vmx->rw); X = 1; read_unlock(&vmx->rw); a = Y; when(!a);",
        "read_lock(&vmx->rw); Y = 1; read_unlock(&vmx->rw); a = X; when(!a);",
        allowed=FORBIDDEN,
    ),
    "MP+unlock+lock": _test(
        "X = 1; spin_lock(&vmx->l); Y = 1; spin_unlock(&vmx->l);",
        "spin_lock(&vmx->l); a = Y; spin_unlock(&vmx->l); b = X; when(a && !b);",
        allowed=FORBIDDEN,
    ),
    "a lock that is seen held after its unlock": _test(
        "spin_lock(&vmx->l); spin_unlock(&vmx->l); a = X; when(!a);",
        f"X = 1; {MB} a = spin_trylock(&vmx->l); when(!a);",
        allowed=ALLOWED,
    ),
    "the same, past a barrier": _test(
        f"spin_lock(&vmx->l); spin_unlock(&vmx->l); {MB} a = X; when(!a);",
        f"X = 1; {MB} a = spin_trylock(&vmx->l); when(!a);",
        allowed=FORBIDDEN,
    ),
    "the same of a mutex": _test(
        "mutex_lock(&vmx->a); mutex_unlock(&vmx->a); a = X; when(!a);",
        f"X = 1; {MB} a = mutex_trylock(&vmx->a); when(!a);",
        allowed=FORBIDDEN,
    ),
    "the same of a writer": _test(
        "write_lock(&vmx->rw); write_unlock(&vmx->rw); a = X; when(!a);",
        f"X = 1; {MB} a = read_trylock(&vmx->rw); when(!a);",
        allowed=ALLOWED,
    ),
    "SB+attempts that fail": _test(
        "X = 1; a = spin_trylock(&vmx->l); b = Y; when(!a && !b);",
        "Y = 1; a = spin_trylock(&vmx->l); b = X; when(!a && !b);",
        "spin_lock(&vmx->l);",
        allowed=ALLOWED,
    ),
    "SB+attempts that succeed": _test(
        "X = 1; a = spin_trylock(&vmx->l); b = Y; when(a && !b);",
        "Y = 1; a = spin_trylock(&vmx->k); b = X; when(a && !b);",
        allowed=FORBIDDEN,
    ),
}


REORDERED = frozenset({"MP (iwp2.1)", "R+po+mb", "S", "2+2W", "ISA2", "Z6.3"})
"""What PSO allows for besides: a store is seen before one that its thread made earlier."""

WMB = "smp_wmb();"
ORDERED: dict[str, Litmus] = {
    "MP+wmb": _test(f"X = 1; {WMB} Y = 1;", "a = Y; b = X; when(a && !b);", allowed=FORBIDDEN),
    "MP+release": _test(
        "X = 1; smp_store_release(&Y, 1);", "a = Y; b = X; when(a && !b);", allowed=FORBIDDEN
    ),
    "MP+a release too early": _test(
        "smp_store_release(&X, 1); Y = 1;", "a = Y; b = X; when(a && !b);", allowed=ALLOWED
    ),
    "MP+a wmb too early": _test(
        f"{WMB} X = 1; Y = 1;", "a = Y; b = X; when(a && !b);", allowed=ALLOWED
    ),
    "MP+unlock": _test(
        "spin_lock(&vmx->l); X = 1; spin_unlock(&vmx->l); Y = 1;",
        "a = Y; b = X; when(a && !b);",
        allowed=ALLOWED,
    ),
    "MP+both under a lock": _test(
        "spin_lock(&vmx->l); X = 1; Y = 1; spin_unlock(&vmx->l);",
        "spin_lock(&vmx->l); a = Y; b = X; spin_unlock(&vmx->l); when(a && !b);",
        allowed=FORBIDDEN,
    ),
    "SB+releases": _test(
        "smp_store_release(&X, 1); a = Y; when(!a);",
        "smp_store_release(&Y, 1); a = X; when(!a);",
        allowed=ALLOWED,
    ),
    "S+wmb": _test(
        f"X = 2; {WMB} Y = 1; {MB}",
        f"a = Y; X = 1; when(a); {MB}",
        allowed=FORBIDDEN,
        end="X == 2",
    ),
    "2+2W+wmbs": _test(
        f"X = 1; {WMB} Y = 2; {MB}",
        f"Y = 1; {WMB} X = 2; {MB}",
        allowed=FORBIDDEN,
        end="X == 1 && Y == 1",
    ),
    "2+2W+wmb+po": _test(
        f"X = 1; {WMB} Y = 2; {MB}",
        f"Y = 1; X = 2; {MB}",
        allowed=ALLOWED,
        end="X == 1 && Y == 1",
    ),
    "ISA2+wmb": _test(
        f"X = 1; {WMB} Y = 1;",
        "a = Y; Z = 1; when(a);",
        "a = Z; b = X; when(a && !b);",
        allowed=FORBIDDEN,
    ),
    "Z6.3+wmb+po": _test(
        f"X = 1; {WMB} Y = 1; {MB}",
        f"Y = 2; Z = 1; {MB}",
        f"a = Z; b = X; when(a && !b); {MB}",
        allowed=ALLOWED,
        end="Y == 2",
    ),
    "Z6.3+wmbs": _test(
        f"X = 1; {WMB} Y = 1; {MB}",
        f"Y = 2; {WMB} Z = 1; {MB}",
        f"a = Z; b = X; when(a && !b); {MB}",
        allowed=FORBIDDEN,
        end="Y == 2",
    ),
}
"""Barriers between stores, which PSO needs and x86 does not; the verdicts are those of PSO."""

UNDER_PSO = ORDERED | {
    name: replace(x, allowed=x.allowed or name in REORDERED) for name, x in TESTS.items()
}


def _made(
    litmus: Litmus,
    folder: Path,
    load: str,
    flush: str,
    vcpus: int,
    flushes: int,
    memory: str = "tso",
) -> Machine:
    code = f"{HEAD}{LOAD.format(body=load)}{FLUSH.format(body=flush)}"
    (folder / "v.c").write_text(code)
    hits = [f"hit{k}" for k, body in enumerate(litmus.threads) if "when(" in body]
    ends = [f"{part[0].lower()}{part[1:]}" for part in litmus.end.split(" && ") if part]
    outcome = " || ".join(f"!(to_kvm_vmx(kvm)->{c})" for c in (*hits, *ends))
    threads = len(litmus.threads)
    spec = SPEC.format(
        vcpus=vcpus, flushes=flushes, threads=threads, outcome=outcome, memory=memory
    )
    (folder / "v.spec").write_text(spec)
    return build_machine(from_spec(str(folder / "v.spec")))


def _bodies(litmus: Litmus) -> list[str]:
    return [body.replace("when(", f"when{k}(") for k, body in enumerate(litmus.threads)]


def _verdict(made: Machine, engine: str) -> Verdict:
    (result,) = decide_claims(made, Question(("never",), made.setup.bounds, engine=engine))
    return result.verdict


@pytest.mark.sample(every=24)
@pytest.mark.parametrize("name", list(TESTS))
def test_every_state_gives_the_verdict_of_x86(name: str, tmp_path: Path) -> None:
    """An outcome that x86 allows and we do not is a proof of what fails on every machine.

    Guards Lemma L24 of docs/soundness.md.
    """
    litmus = TESTS[name]
    cases = (f"if (vcpu->vcpu_id == {k}) {{ {body} }}" for k, body in enumerate(_bodies(litmus)))
    made = _made(litmus, tmp_path, "\n\t".join(cases), "", len(litmus.threads), 0)
    wanted = Verdict.REFUTED if litmus.allowed else Verdict.BOUNDED
    assert _verdict(made, "enumerate") is wanted


@pytest.mark.sample(every=8)
@pytest.mark.parametrize("name", [name for name, x in TESTS.items() if len(x.threads) == 2])
def test_the_solver_gives_the_verdict_of_x86(name: str, tmp_path: Path) -> None:
    """The steps that are taken together are told from the code with its buffers."""
    litmus = TESTS[name]
    load, flush = _bodies(litmus)
    made = _made(litmus, tmp_path, load, flush, 1, 1)
    wanted = Verdict.REFUTED if litmus.allowed else Verdict.BOUNDED
    assert _verdict(made, "bounded") is wanted


@pytest.mark.sample(every=24)
@pytest.mark.parametrize("name", list(UNDER_PSO))
def test_every_state_gives_the_verdict_of_pso(name: str, tmp_path: Path) -> None:
    """A barrier that is missing on a machine that reorders stores has to be seen to be missing.

    Guards Lemma L36 of docs/soundness.md.
    """
    litmus = UNDER_PSO[name]
    cases = (f"if (vcpu->vcpu_id == {k}) {{ {body} }}" for k, body in enumerate(_bodies(litmus)))
    made = _made(litmus, tmp_path, "\n\t".join(cases), "", len(litmus.threads), 0, "pso")
    wanted = Verdict.REFUTED if litmus.allowed else Verdict.BOUNDED
    assert _verdict(made, "enumerate") is wanted


@pytest.mark.sample(every=8)
@pytest.mark.parametrize("name", [name for name, x in UNDER_PSO.items() if len(x.threads) == 2])
def test_the_solver_gives_the_verdict_of_pso(name: str, tmp_path: Path) -> None:
    """The steps that are taken together are told from the code with its buffers."""
    litmus = UNDER_PSO[name]
    load, flush = _bodies(litmus)
    made = _made(litmus, tmp_path, load, flush, 1, 1, "pso")
    wanted = Verdict.REFUTED if litmus.allowed else Verdict.BOUNDED
    assert _verdict(made, "bounded") is wanted


def test_a_verdict_that_three_stores_would_change_says_how_many_there_are(tmp_path: Path) -> None:
    """On x86 the buffers may hold more: the outcome comes about there."""
    litmus = _test(
        "X = 1; Z = 1; Z = 2; a = Y; when(!a);",
        "Y = 1; W = 1; W = 2; a = X; when(!a);",
        allowed=ALLOWED,
    )
    load, flush = _bodies(litmus)
    made = _made(litmus, tmp_path, load, flush, 1, 1)
    (result,) = decide_claims(made, Question(("never",), made.setup.bounds))
    assert result.verdict is Verdict.BOUNDED
    assert result.scope.buffer == 2
