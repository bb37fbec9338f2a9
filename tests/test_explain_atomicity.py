"""`--explain-atomicity`: which code is one step, and what keeps the rest apart."""

from __future__ import annotations

import json
from importlib.resources import files
from pathlib import Path

import jsonschema
import pytest

from flushproof import pipeline
from flushproof.cli import main as cli
from flushproof.engines.bounded.engine import Bounded
from flushproof.engines.bounded.threads import Counts
from flushproof.frontend.spec.resolve import from_variant
from flushproof.machine.build import build_machine
from flushproof.report import atomicity
from flushproof.results.atomicity import AtomicSteps, OperationSteps
from flushproof.support.source import Source
from flushproof.verify.options import Options
from support.places import SPECS, TOP

VARIANTS = (
    "counter_first",
    "counter_late",
    "dedup_all",
    "enum_cached",
    "enum_status",
    "mismatch_flag",
    "vcpu0_first",
)
SCHEMA = json.loads(files("flushproof.report").joinpath("schema.json").read_text())
FIRST, SECOND = "hv_remote_flush_tlb_with_range", "vmx_load_mmu_pgd"
HEAD = """\
struct kvm_vmx { struct kvm kvm; int x; spinlock_t a; spinlock_t b; };
struct vcpu_vmx { struct kvm_vcpu vcpu; };
"""


def _pair(folder: Path, flush: str, load: str) -> Path:
    """Write a variant whose flush stands in line 6 and whose load stands in line 12."""
    path = folder / "v.c"
    path.write_text(
        f"{HEAD}int {FIRST}(struct kvm *kvm, struct kvm_tlb_range *range)\n{{\n"
        f"\tstruct kvm_vmx *vmx = to_kvm_vmx(kvm); int got = 0;\n\t{flush}\n\treturn got;\n}}\n"
        f"void {SECOND}(struct kvm_vcpu *vcpu, unsigned long root, int level)\n{{\n"
        f"\tstruct kvm_vmx *vmx = to_kvm_vmx(vcpu->kvm);\n\t{load}\n}}\n"
    )
    return path


def _steps(path: Path, *claims: str) -> AtomicSteps:
    (steps,) = pipeline.list_atomic_steps(str(path), None, Options(claims=claims))
    return steps


def _flush(steps: AtomicSteps) -> OperationSteps:
    return next(o for o in steps.operations if o.role == "flush")


@pytest.mark.parametrize("name", VARIANTS)
def test_sections_under_a_common_lock_are_one_step(name: str) -> None:
    """The corpus takes its lock everywhere, and a reader must see that this is why it is fast."""
    steps = _steps(SPECS / f"{name}.c")
    assert steps.claim == ""
    for operation in steps.operations:
        assert operation.begins == ((),)
        moves = {a.does.split()[0]: a.moves for a in operation.accesses}
        assert (moves["takes"], moves["releases"]) == ("right", "left")
        assert (moves["begins"], moves["returns"]) == ("both", "both")
    assert steps.fields
    assert all((f.locks, f.bare) == (("ept_pointer_lock",), ()) for f in steps.fields)


LOCKED = "spin_lock(&vmx->a); got = vmx->x; vmx->x = got + 1; spin_unlock(&vmx->a);"
OTHER = "spin_lock(&vmx->b); vmx->x = 7; spin_unlock(&vmx->b);"
BARE = "vmx->x = 7;"
READS = "got = vmx->x; got = vmx->x + got;"


@pytest.mark.parametrize(
    ("flush", "load", "sentence"),
    [
        (LOCKED, BARE, f"`x` is written here under `a`, without which {SECOND}() writes it in l"),
        (LOCKED, OTHER, f"`x` is written here under `a`, and {SECOND}() writes it in line 12 und"),
        (READS, BARE, f"`x` is read here without a lock, and {SECOND}() writes it in line 12"),
        (READS, OTHER, f"`x` is read here without `b`, under which {SECOND}() writes it in line 1"),
    ],
)
def test_the_obstacle_is_named(flush: str, load: str, sentence: str, tmp_path: Path) -> None:
    """A reader must learn which access and which lock it is, for each way to lack a lock."""
    steps = _steps(_pair(tmp_path, flush, load))
    first, second = _flush(steps).begins
    assert first == ()
    assert len(second) == 1
    assert second[0].startswith(sentence)


@pytest.mark.parametrize(
    ("flush", "load", "locks", "bare"),
    [
        (LOCKED, LOCKED.replace("got", "level"), ("a",), ()),
        (LOCKED, OTHER, (), ()),
        (LOCKED, BARE, (), (f"{SECOND}() writes it in line 12",)),
        (READS, BARE, (), (f"{FIRST}() reads it in line 6", f"{SECOND}() writes it in line 12")),
    ],
)
def test_locks_by_field(
    flush: str, load: str, locks: tuple[str, ...], bare: tuple[str, ...], tmp_path: Path
) -> None:
    """A lock that is missing at one access protects nothing."""
    (field,) = _steps(_pair(tmp_path, flush, load)).fields
    assert (field.label, field.locks) == ("x", locks)
    assert field.bare == bare


def test_waiting_with_a_lock_held_begins_a_step(tmp_path: Path) -> None:
    """Two locks in a row are one step nowhere, as another thread may hold the second one."""
    both = "spin_lock(&vmx->a); spin_lock(&vmx->b); spin_unlock(&vmx->b); spin_unlock(&vmx->a);"
    steps = _steps(_pair(tmp_path, both, both))
    first, second = _flush(steps).begins[1:]
    assert first == ("it may wait here for `a`",)
    assert second == ("it may wait here for `b` while it holds `a`",)


def test_a_claim_about_deadlocks_sees_every_wait() -> None:
    """A thread may wait for its first lock as well."""
    for operation in _steps(SPECS / "dedup_all.c", "no_deadlock").operations:
        assert operation.begins == ((), ("it may wait here for `ept_pointer_lock`",))


def test_a_claim_may_see_more() -> None:
    """What a claim looks at keeps steps apart that the code alone does not."""
    path = TOP / "examples" / "no_lock.c"
    alone, seen = (s.operations[1] for s in (_steps(path), _steps(path, "coverage")))
    assert alone.role == seen.role == "load"
    assert seen.begins[:-1] == alone.begins
    difference = f"it makes a difference whether {FIRST}() begins in line 20 before or after this"
    assert seen.begins[-1] == (difference,)


def test_accesses_tell_their_steps(tmp_path: Path) -> None:
    """Code after a branch belongs to every step that may reach it."""
    flush = "if (vmx->x) got = vmx->x;"
    accesses = {(a.does, a.steps) for a in _flush(_steps(_pair(tmp_path, flush, BARE))).accesses}
    assert ("reads `x`", (1,)) in accesses
    assert ("reads `x`", (2,)) in accesses
    assert ("returns", (1, 2)) in accesses


@pytest.mark.parametrize("claim", ["coverage", "no_race", "lock_balanced"])
def test_steps_are_those_of_the_engine(claim: str) -> None:
    """Steps that are shown but not used would explain another verdict."""
    path = TOP / "examples" / "no_lock.c"
    program = build_machine(from_variant(str(path), None)).with_claims((claim,))
    used = Bounded(program, Counts(4, 2, 2, 1)).plan.boundaries
    for operation in _steps(path, claim).operations:
        assert len(operation.begins) == len(used[operation.name])


@pytest.mark.parametrize("width", [40, 57, 75, 120])
def test_never_wider_than_asked(width: int) -> None:
    """A mail is cut at its width."""
    path = str(TOP / "examples" / "no_lock.c")
    listed = pipeline.list_atomic_steps(path, None, Options(claims=("coverage", "no_race")))
    sources = {path: Source(path, Path(path).read_text(encoding="utf-8"))}
    text = atomicity.render("examples/no_lock.c", listed, sources, width)
    assert max(map(len, text.splitlines())) <= width
    assert text.isascii()


def test_json(capsys: pytest.CaptureFixture[str]) -> None:
    """Other tools read the same, and no claim is decided on the way."""
    path = str(SPECS / "dedup_all.c")
    arguments = ("--explain-atomicity", "--claim", "no_race", "--format", "json")
    assert cli.main(["prove", path, *arguments]) == 0
    document = json.loads(capsys.readouterr().out)
    jsonschema.Draft202012Validator(SCHEMA).validate(document)
    assert document["claims"] == []
    assert [a["claim"] for a in document["atomicity"]] == ["no_race"]


@pytest.mark.parametrize(
    "arguments",
    [["prove", "x.c", "--emit", "ir", "--explain-atomicity"], ["check", "--explain-atomicity"]],
)
def test_usage(arguments: list[str]) -> None:
    """Two things that are printed instead of a verdict exclude each other."""
    with pytest.raises(SystemExit) as stopped:
        cli.main(arguments)
    assert stopped.value.code == 2


def test_unknown_claim(capsys: pytest.CaptureFixture[str]) -> None:
    """A slip in a name must not be taken for no claim."""
    path = str(SPECS / "dedup_all.c")
    assert cli.main(["prove", path, "--explain-atomicity", "--claim", "no_rice"]) == 2
    assert "there is no claim `no_rice`" in capsys.readouterr().err
