"""Store buffers that stores leave in any order (PSO) end as those of the reference machine."""

from __future__ import annotations

import random
from pathlib import Path

import pytest

from flushproof.ir.program import CallLimits
from flushproof.machine.build import Machine
from flushproof.machine.store_buffers.apply import Buffered, add_store_buffers
from flushproof.machine.store_buffers.checks import ClaimView
from flushproof.support.record import replace
from flushproof.verify.proof_checker.late_stores import find_late_store
from support.buffered_code import OF_STORES, random_body, random_locking, write_machine
from support.store_buffers import Ending
from support.store_buffers import Machine as Reference

RANDOM = 60
READER = "r = vmx->y; r = r * 3 + vmx->x; r = r * 3 + vmx->z;"
OWN = "to_vmx(vcpu)->own"


def _with_buffers(made: Machine, capacity: int, calls: int = 1) -> Buffered:
    limits = CallLimits(calls, calls, 1)
    view = ClaimView(frozenset(f.name for f in made.places), free=True)
    return add_store_buffers(made.base, view, limits, capacity, unordered=True)


def _endings(made: Machine, capacity: int, calls: int = 1) -> frozenset[Ending]:
    woven = made._instrumented(_with_buffers(made, capacity, calls).operations, ())
    limited = replace(woven, limits=CallLimits(calls, calls, 1))
    return Reference(limited, 1, calls).endings()


def _expected(made: Machine, calls: int = 1, *, unordered: bool = True) -> frozenset[Ending]:
    plain = made._instrumented(made.base.operations, ())
    return Reference(plain, 1, calls, unordered=unordered).endings()


PIECES = {
    "message passing": (READER, "vmx->x = 1; vmx->y = 1;"),
    "three stores": (READER, "vmx->x = 1; vmx->z = 1; vmx->y = 1;"),
    "one location": (READER, "vmx->x = 1; vmx->y = 1; vmx->x = 2;"),
    "a barrier between": (READER, "vmx->x = 1; smp_wmb(); vmx->y = 1;"),
    "a barrier before all": (READER, "smp_wmb(); vmx->x = 1; vmx->y = 1;"),
    "a barrier after two": (READER, "vmx->x = 1; vmx->z = 1; smp_wmb(); vmx->y = 1;"),
    "two barriers": (READER, "vmx->x = 1; smp_wmb(); vmx->z = 1; smp_wmb(); vmx->y = 1;"),
    "a release": (READER, "vmx->x = 1; smp_store_release(&vmx->y, 1);"),
    "behind a release": (READER, "vmx->x = 1; smp_store_release(&vmx->z, 1); vmx->y = 1;"),
    "a store after an unlock": (
        READER,
        "spin_lock(&vmx->lock); vmx->x = 1; spin_unlock(&vmx->lock); vmx->y = 1;",
    ),
    "fields of vCPUs": (READER, f"{OWN} = 1; vmx->x = 1; {OWN} = 2; vmx->y = 1;"),
    "on one side of an if": (READER, "vmx->x = 1; if (vmx->z) smp_wmb(); vmx->y = 1;"),
}


@pytest.mark.sample(every=6)
@pytest.mark.parametrize("name", list(PIECES))
def test_pieces_end_as_on_the_reference_machine(name: str, tmp_path: Path) -> None:
    """An ending that is missing would be a proof of what does not hold.

    Guards Lemma L36 of docs/soundness.md.
    """
    made = write_machine(tmp_path, *PIECES[name], memory="pso")
    assert _endings(made, 4) == _expected(made)
    assert _endings(made, 2) <= _expected(made)


def test_what_only_the_order_brings_about_is_there(tmp_path: Path) -> None:
    """Else the two machines agree since neither reorders."""
    made = write_machine(tmp_path, *PIECES["message passing"], memory="pso")
    assert _endings(made, 2) > _expected(made, unordered=False)


def test_a_store_may_go_before_those_of_the_call_before(tmp_path: Path) -> None:
    """A return is no barrier, and a barrier of the call before holds on."""
    made = write_machine(tmp_path, READER, "vmx->x = vmx->x + 1; vmx->y = 1;", memory="pso")
    assert _endings(made, 4, calls=2) == _expected(made, calls=2)


@pytest.mark.sample(every=6)
@pytest.mark.parametrize("seed", range(24))
def test_random_code_ends_as_on_the_reference_machine(seed: int, tmp_path: Path) -> None:
    """The pieces above are those that somebody thought of.

    Guards Lemma L36 of docs/soundness.md.
    """
    chance = random.Random(seed)
    made = _random_machine(chance, tmp_path, "")
    found, exact = _endings(made, 3), _expected(made)
    assert found <= exact
    assert found == exact or _with_buffers(made, 3).full


def _random_machine(chance: random.Random, folder: Path, end: str) -> Machine:
    def code() -> str:
        if chance.random() < 0.3:
            return random_locking(chance)
        return random_body(chance, OF_STORES)

    return write_machine(folder, f"{code()} {end}", f"{code()} {OWN} = r; {end}", memory="pso")


@pytest.mark.slow
def test_random_code_in_time_ends_as_without_buffers(tmp_path: Path) -> None:
    """An ending that only the buffers bring about would be missed by every proof.

    Guards Lemma L35 of docs/soundness.md.
    """
    in_time = stricter = 0
    for seed in range(RANDOM):
        made = _random_machine(random.Random(seed), tmp_path, "smp_mb();")
        program = made.sequential.with_claims(())
        same = find_late_store(program, unordered=True) is None
        stricter += not same and find_late_store(program, unordered=False) is None
        if same:
            buffered = Reference(program, 1, 1, unordered=True).endings(drained=True)
            assert buffered == Reference(program, 1, 1, buffers=False).endings(), seed
        in_time += same
    assert in_time > RANDOM // 20
    assert stricter


def test_stores_that_nothing_keeps_in_order_are_late(tmp_path: Path) -> None:
    """Under TSO the reader sees them in order, under PSO it may not.

    Guards Lemma L35 of docs/soundness.md.
    """
    for between, late in (("", True), ("smp_wmb();", False)):
        right = f"vmx->x = 1; {between} vmx->y = 1; smp_mb(); r = vmx->x;"
        made = write_machine(tmp_path, right, f"{READER} {OWN} = r; smp_mb();", memory="pso")
        program = made.sequential.with_claims(())
        assert find_late_store(program, unordered=False) is None
        assert (find_late_store(program, unordered=True) is not None) is late
