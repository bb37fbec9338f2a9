"""Code whose stores nobody sees late does the same with store buffers and without."""

from __future__ import annotations

import os
import random
from pathlib import Path

import pytest

from flushproof.machine.build import Machine
from flushproof.results.verdict import Verdict
from flushproof.verify.portfolio import Question, decide_claims
from flushproof.verify.proof_checker import late_stores
from flushproof.verify.proof_checker.late_stores import find_late_store
from support.buffered_code import random_body, random_locking, write_machine
from support.store_buffers import Ending
from support.store_buffers import Machine as Reference

RANDOM = int(os.environ.get("FLUSHPROOF_LATE_STORES", "400"))
"""How many random programs are looked at."""

LOCKED = "spin_lock(&vmx->lock); vmx->x = 1; r = vmx->y; vmx->y = 1; spin_unlock(&vmx->lock);"
IN_TIME = {
    "all under one lock": (LOCKED, LOCKED),
    "barriers": ("vmx->x = 1; smp_mb(); r = vmx->y;", "vmx->y = 1; vmx->z = 1; smp_mb();"),
    "a locked unlock": (
        "mutex_lock(&vmx->mutex); vmx->x = 1; mutex_unlock(&vmx->mutex); r = vmx->y;",
        "mutex_lock(&vmx->mutex); vmx->y = 1; mutex_unlock(&vmx->mutex);",
    ),
    "a lock after the store": ("vmx->x = 1; spin_lock(&vmx->lock); spin_unlock(&vmx->lock);",) * 2,
    "a read of what nobody writes": ("vmx->x = 1; r = vmx->z; smp_mb();", "r = vmx->x;"),
}
LATE = {
    "at the end of the call": ("r = vmx->x;", "vmx->x = 1;"),
    "before a read": ("vmx->x = 1; r = vmx->y; smp_mb();", "vmx->y = 1; smp_mb();"),
    "before its own read": ("vmx->x = 1; r = vmx->x; smp_mb();", "vmx->x = 2; smp_mb();"),
    "on one path": ("if (r) smp_mb(); vmx->x = 1; if (r) smp_mb();", "r = vmx->x;"),
    "behind a plain unlock": (
        "vmx->z = 1; spin_lock(&vmx->lock); vmx->x = 1; spin_unlock(&vmx->lock);",
        "spin_lock(&vmx->other); r = vmx->x; spin_unlock(&vmx->other);",
    ),
    "under different locks": (
        LOCKED,
        "spin_lock(&vmx->other); vmx->x = 2; spin_unlock(&vmx->other);",
    ),
    "under a lock that is tried": (
        LOCKED,
        "if (spin_trylock(&vmx->lock)) { vmx->x = 2; spin_unlock(&vmx->lock); }",
    ),
    "under a lock that strangers free": (LOCKED, "spin_unlock(&vmx->lock); " + LOCKED),
    "beside a store under a lock": (
        "spin_lock(&vmx->lock); vmx->z = 1; vmx->x = 1; spin_unlock(&vmx->lock); smp_mb();",
        "spin_lock(&vmx->lock); vmx->x = 2; spin_unlock(&vmx->lock); r = vmx->z;",
    ),
}


def _endings(made: Machine, *, buffers: bool) -> frozenset[Ending]:
    plain = made.sequential.with_claims(())
    return Reference(plain, 1, 1, buffers=buffers).endings(drained=True)


@pytest.mark.parametrize("name", list(IN_TIME))
def test_stores_in_time_are_recognised(name: str, tmp_path: Path) -> None:
    """Without that, nothing would be proved for every number of vCPUs under TSO."""
    made = write_machine(tmp_path, *IN_TIME[name])
    assert find_late_store(made.sequential.with_claims(()), unordered=False) is None
    assert _endings(made, buffers=True) == _endings(made, buffers=False)


@pytest.mark.parametrize("name", list(LATE))
def test_late_stores_are_found(name: str, tmp_path: Path) -> None:
    """One that is not found is a proof about another machine.

    Guards Lemma L35 of docs/soundness.md.
    """
    found = find_late_store(
        write_machine(tmp_path, *LATE[name]).sequential.with_claims(()), unordered=False
    )
    assert found is not None
    assert "v.c:" in found or "plain store" in found


def _random_machine(seed: int, folder: Path) -> Machine:
    chance = random.Random(seed)
    body = random_locking if seed % 3 else random_body

    def code() -> str:
        barrier = "smp_mb();" if chance.random() < 0.8 else ""
        return f"{body(chance)} {barrier}"

    return write_machine(folder, code(), f"{code()} to_vmx(vcpu)->own = r; smp_mb();")


@pytest.mark.slow
def test_random_code_ends_as_without_buffers(tmp_path: Path) -> None:
    """An ending that only the buffers bring about would be missed by every proof.

    Guards Lemma L35 of docs/soundness.md.
    """
    in_time = late = 0
    for seed in range(RANDOM):
        made = _random_machine(seed, tmp_path)
        same = find_late_store(made.sequential.with_claims(()), unordered=False) is None
        if same:
            assert _endings(made, buffers=True) == _endings(made, buffers=False), seed
        elif late < RANDOM // 8 and _endings(made, buffers=True) != _endings(made, buffers=False):
            late += 1
        in_time += same
    assert in_time > RANDOM // 10
    assert late


CLAIMS = """\
	claim noted {{
		int seen;
		on {event}() {{ if (unlocked(){more}) {body} }}
	}}
"""


def test_a_claim_that_acts_on_free_locks_is_told(tmp_path: Path) -> None:
    """An unlock that waits keeps a lock from seeming free, so what a claim notes would differ."""
    from flushproof.frontend.spec.resolve import from_spec
    from flushproof.machine.build import build_machine

    write_machine(tmp_path, LOCKED, LOCKED)
    text = (tmp_path / "v.spec").read_text()

    def late(event: str, more: str, body: str) -> str | None:
        claim = CLAIMS.format(event=event, more=more, body=body)
        (tmp_path / "v.spec").write_text(text.replace("memory tso;", f"memory tso;\n{claim}"))
        made = build_machine(from_spec(str(tmp_path / "v.spec")))
        return find_late_store(made.sequential.with_claim("noted"), unordered=False)

    look = "assert(to_kvm_vmx(kvm)->x < 3);"
    assert late("step", "", look) is None
    assert late("step", " && to_kvm_vmx(kvm)->y", look) is None
    assert "free" in (late("return flush", "", "seen = 1;") or "")
    assert "free" in (late("return flush", "", f"{{ {look} }} else seen = 1;") or "")
    assert late("return flush", "", "{ } " + look) is not None


def test_what_is_proved_for_every_number_says_so(tmp_path: Path) -> None:
    """The scope has no bound on the buffers then: no store waits where it matters."""
    made = write_machine(tmp_path, LOCKED, LOCKED)
    (result,) = decide_claims(made, Question(("no_race",), made.setup.bounds, engine="auto"))
    assert (result.verdict, result.scope.vcpus) == (Verdict.PROVED, None), result.reason
    assert (str(result.scope.memory), result.scope.buffer) == ("tso", None)


def test_what_may_be_late_is_the_reason(tmp_path: Path) -> None:
    """Whoever wants the proof has to know where a barrier is missing."""
    made = write_machine(tmp_path, *LATE["at the end of the call"])
    (result,) = decide_claims(made, Question(("no_bogus",), made.setup.bounds, engine="auto"))
    assert result.verdict is Verdict.BOUNDED
    assert "stores to `x`, which may still be buffered" in result.reason


@pytest.mark.parametrize("forgotten", ["_find_odd_unlock", "_hidden_fields", "_find_noticed"])
def test_each_rule_is_needed(
    forgotten: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A rule that nothing needs is no rule."""
    every = frozenset(f"kvm_vmx.{x}" for x in "xyz") | {"vcpu_vmx.own"}
    result = every if forgotten == "_hidden_fields" else None
    monkeypatch.setattr(late_stores, forgotten, lambda *_, **__: result)
    missed = [
        name
        for name, code in LATE.items()
        if find_late_store(
            write_machine(tmp_path, *code).sequential.with_claims(()), unordered=False
        )
        is None
    ]
    assert missed
