"""A lock with readers, for any number of vCPUs: what is proved, and which accesses commute."""

from __future__ import annotations

from pathlib import Path

import pytest

from flushproof.engines.reduction.commutativity import Site, ThreadCounts
from flushproof.engines.reduction.step_plan import make_plan
from flushproof.frontend.setup import Bounds
from flushproof.ir.code import Acquire, Instr, Mode, Release, TryAcquire, Write
from flushproof.ir.program import Operation, Program, Role
from flushproof.machine.build import Machine
from flushproof.support.record import Record
from flushproof.verify.portfolio import Question, decide_claims
from flushproof.verify.unbounded_proofs import Evidence, ForAll
from support.rwlock_variants import BOGUS, MARK, Variant, write

CHECK = f"if (READ_ONCE(vmx->m)) {BOGUS}"
TRY = f"if (write_trylock(&vmx->rw)) write_unlock(&vmx->rw); else {BOGUS}"
TRY_READ = f"if (read_trylock(&vmx->rw)) read_unlock(&vmx->rw); else {BOGUS}"
READS = "read_lock(&vmx->rw); own->a = 1; read_unlock(&vmx->rw);"
LOOKS = f"x = vmx->n; if (x != vmx->n) {BOGUS}"
SEES = f"x = vmx->n; if (x != vmx->n) {MARK}"
WRITES = "write_lock(&vmx->rw); vmx->n = 1; write_unlock(&vmx->rw);"
STARTLED = "own->a = 1; own->a = 0;"
TWICE = (
    "if (read_trylock(&vmx->rw)) { if (read_trylock(&vmx->rw)) { read_unlock(&vmx->rw); }"
    "else { read_unlock(&vmx->rw); } }"
)
WALK = f"kvm_for_each_vcpu(i, vcpu, kvm) {{ if (to_vmx(vcpu)->a == 1) {BOGUS} }}"


def _as(mode: str, body: str) -> str:
    return f"{mode}_lock(&vmx->rw); {body} {mode}_unlock(&vmx->rw);"


def _first(these: str, others: str, count: int = 1) -> str:
    return f"if (vcpu->vcpu_id < {count}) {{ {these} }} else {{ {others} }}"


class Case(Record, frozen=True):
    """A claim about a variant, and the vCPUs of its smallest counterexample, None if it holds."""

    flush: str
    load: str
    vcpus: int | None
    claim: str = "no_bogus"


CASES = {
    "a writer waits for the flusher": Case(_as("read", LOOKS), WRITES, None),
    "a reader does not wait for the flusher": Case(
        _as("read", LOOKS), _as("read", SEES + "vmx->n = 1;"), 1
    ),
    "the flusher waits for readers": Case(
        _as("write", "vmx->n = 1; vmx->n = 0;") + CHECK, _as("read", SEES), None
    ),
    "no reader any more": Case(
        _as("write", "vmx->n = 1; vmx->n = 0;") + CHECK,
        "read_lock(&vmx->rw); read_unlock(&vmx->rw);" + SEES,
        1,
    ),
    "a reader twice until the second unlock": Case(
        _as("write", "vmx->n = 1; vmx->n = 0;") + CHECK,
        _as("read", "read_lock(&vmx->rw); read_unlock(&vmx->rw);" + SEES),
        None,
    ),
    "a walk that writes": Case(_as("write", WALK), _as("read", STARTLED), None),
    "a walk that reads": Case(_as("read", WALK), _as("read", STARTLED), 1),
    "what is left between two sections": Case(
        _as("write", WALK), _as("read", "own->a = 1;") + _as("read", "own->a = 0;"), 1
    ),
    "a writer waits for another vCPU": Case(CHECK, _first(_as("read", SEES), WRITES), None),
    "a reader beside another vCPU": Case(
        CHECK, _first(_as("read", SEES), _as("read", "vmx->n = 1;")), 2
    ),
    "an attempt to write fails beside readers": Case(TRY, READS, 1),
    "the third vCPU may be the reader": Case(TRY, _first("", READS, 2), 3),
    "an attempt to read succeeds beside readers": Case(TRY_READ, READS, None),
    "an attempt to read fails beside a writer": Case(TRY_READ, WRITES, 1),
    "the flusher keeps itself out": Case(
        _as("read", f"if (write_trylock(&vmx->rw)) {BOGUS}"), READS, None
    ),
    "a load keeps itself out": Case(
        CHECK, _as("read", f"if (write_trylock(&vmx->rw)) {MARK}"), None
    ),
    "another load keeps it out": Case(
        CHECK, _first(_as("read", f"if (write_trylock(&vmx->rw)) {MARK}"), READS), None
    ),
    "the flusher never gets in again": Case(
        f"if (vmx->n) {{ write_lock(&vmx->rw); {BOGUS} }} vmx->n = 1; read_lock(&vmx->rw);",
        "",
        None,
    ),
    "the flusher does not get in after two attempts and one unlock": Case(
        f"if (vmx->n) {{ {BOGUS} {_as('write', '')} }} else {{ vmx->n = 1; {TWICE} }}", "", 1
    ),
    "nor after the wrong unlock": Case(
        f"if (vmx->n) {{ {BOGUS} {_as('write', '')} }}"
        "else { vmx->n = 1; read_lock(&vmx->rw); write_unlock(&vmx->rw); }",
        "",
        1,
    ),
    "nor after the other wrong unlock": Case(
        f"if (vmx->n) {{ {BOGUS} {_as('write', '')} }}"
        "else { vmx->n = 1; write_lock(&vmx->rw); read_unlock(&vmx->rw); }",
        "",
        1,
    ),
    "a load never gets in again": Case(
        CHECK, f"if (own->a) {{ {_as('write', MARK)} }} own->a = 1; read_lock(&vmx->rw);", None
    ),
    "the second of two unlocks": Case(
        CHECK, f"if (own->a) {{ {_as('write', MARK)} }} own->a = 1; {_as('read', '')}", 1
    ),
    "a stranger cannot free for a reader": Case(
        _as("read", LOOKS), "read_unlock(&vmx->rw);" + WRITES, None
    ),
    "a stranger can free for a writer": Case(
        _as("write", LOOKS), "write_unlock(&vmx->rw);" + WRITES, 1
    ),
    "one vCPU is a reader and the next is not": Case(
        "kvm_for_each_vcpu(i, vcpu, kvm) { if (to_vmx(vcpu)->a == 1) x = 1;"
        f"if (x && to_vmx(vcpu)->a == 2) {BOGUS} }}",
        _first("read_lock(&vmx->rw); own->a = 1;", "own->a = 2;"),
        2,
    ),
    "readers race": Case(
        _as("read", "vmx->n = 1;"), READS + _as("read", "x = vmx->n;"), 1, "no_race"
    ),
    "a reader and a writer do not race": Case(
        _as("write", "vmx->n = 1;"), _as("read", "x = vmx->n;"), None, "no_race"
    ),
    "a section that ends": Case(_as("read", WALK), _as("read", STARTLED), None, "lock_balanced"),
    "one lock, two readers": Case(_as("read", ""), _as("read", ""), None, "no_deadlock"),
    "a reader that waits to write": Case(
        "", "read_lock(&vmx->rw);" + _as("write", "") + "read_unlock(&vmx->rw);", 1, "no_deadlock"
    ),
    "a reader that is kept": Case(_as("write", ""), "read_lock(&vmx->rw);", 1, "no_deadlock"),
    "freed as the wrong sort": Case(
        _as("write", ""), "read_lock(&vmx->rw); write_unlock(&vmx->rw);", 1, "lock_balanced"
    ),
}


def _smallest(machine: Machine, claim: str) -> int | None:
    """Look with one load and two flushes, and with one vCPU and two loads."""
    asked = (Bounds((1, 3), 1, 2, 1), Bounds((1, 1), 2, 1, 1))
    found = (next(decide_claims(machine, Question((claim,), b))).smallest_vcpus for b in asked)
    return min((n for n in found if n is not None), default=None)


@pytest.mark.sample("freed as the wrong sort")
@pytest.mark.parametrize("name", CASES)
def test_what_is_proved(name: str, tmp_path: Path) -> None:
    """Who is taken for no reader is not waited for, and what follows from that is false."""
    case = CASES[name]
    machine = write(Variant(case.flush, case.load), tmp_path)
    forall = ForAll(machine, evidence=False)
    program = machine.with_claims((case.claim,))
    proved = isinstance(forall.prove(program), Evidence)
    assert (_smallest(machine, case.claim), proved) == (case.vcpus, case.vcpus is None)


class Past(Record, frozen=True):
    """Whether the first such thing in the flush moves past the first such in a load.

    `right`: it can be put off until after it; `left`: it can be made before it.
    """

    flush: str
    mine: type
    load: str
    other: type
    right: bool
    left: bool


READ = _as("read", "vmx->n = 1;")
WRITE = _as("write", "vmx->n = 1;")
TRIES = "if (write_trylock(&vmx->rw)) { vmx->n = 1; write_unlock(&vmx->rw); }"
TRIES_READ = "if (read_trylock(&vmx->rw)) { vmx->n = 1; read_unlock(&vmx->rw); }"

PAST = {
    "two readers": Past(READ, Acquire, READ, Acquire, right=True, left=True),
    "a reader before a writer": Past(READ, Release, WRITE, Acquire, right=False, left=True),
    "a writer after a reader": Past(WRITE, Acquire, READ, Release, right=True, left=False),
    "a writer before a reader": Past(WRITE, Release, READ, Acquire, right=False, left=True),
    "readers leave in any order": Past(READ, Release, READ, Release, right=True, left=True),
    "a reader leaves before an attempt": Past(
        READ, Release, TRIES, TryAcquire, right=False, left=False
    ),
    "a reader comes before an attempt": Past(
        READ, Acquire, TRIES, TryAcquire, right=False, left=True
    ),
    "an attempt to read": Past(READ, Acquire, TRIES_READ, TryAcquire, right=True, left=True),
    "stores of two readers": Past(
        READ, Write, _as("read", "vmx->n = 0;"), Write, right=False, left=False
    ),
    "stores of a reader and a writer": Past(
        READ, Write, _as("write", "vmx->n = 0;"), Write, right=True, left=True
    ),
}


@pytest.mark.parametrize("name", PAST)
def test_what_moves(name: str, tmp_path: Path) -> None:
    """What is taken to commute and does not makes steps too large.

    Guards Lemma L7 of docs/soundness.md.
    """
    case = PAST[name]
    program = write(Variant(case.flush, case.load), tmp_path).with_claims(())
    found = make_plan(program, ThreadCounts(None, 1)).atomicity
    assert found is not None
    mine, other = (
        next(Site(o.name, at) for at, i in enumerate(o.code) if isinstance(i, kind) and _seen(i))
        for o, kind in zip(_both(program), (case.mine, case.other), strict=True)
    )
    mover = found.movers[mine]
    assert (other not in mover.earlier, other not in mover.later) == (case.right, case.left)


def _both(program: Program) -> tuple[Operation, Operation]:
    (flush,) = program.of(Role.FLUSH)
    (load,) = program.of(Role.LOAD)
    return flush, load


def _seen(instr: Instr) -> bool:
    return not isinstance(instr, Write) or instr.mode is not Mode.GHOST
