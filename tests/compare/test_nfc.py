"""`nfc`: verdicts on the shipped variants, what is shown, and what cannot be compared."""

from __future__ import annotations

import json
import re
from importlib.resources import files
from pathlib import Path

import jsonschema
import pytest

from flushproof.cli import main as cli
from flushproof.features.nfc.decide import Wanted, compare
from flushproof.frontend.setup import Bounds
from flushproof.frontend.spec.resolve import from_texts, from_variant
from flushproof.machine.build import Machine, build_machine
from flushproof.results.comparison import Compared, Comparison, Relation, Since
from flushproof.support.memory_model import MemoryModel
from flushproof.support.record import replace
from flushproof.support.source import Source
from support.places import SPECS
from support.two_variants import BOUNDS, coverage, found, machine, machine_setup, text

SCHEMA = json.loads(files("flushproof.report").joinpath("schema.json").read_text())
THREE = Bounds((1, 3), 2, 2, 1)


def nfc(capsys: pytest.CaptureFixture[str], *arguments: str) -> tuple[int, str, str]:
    """Run the command; return its exit code, its report and its complaints."""
    code = cli.main(["nfc", *arguments])
    out, err = capsys.readouterr()
    return code, out, err


def spec(name: str) -> str:
    """Return the path of a variant under specs/."""
    return str(SPECS / f"{name}.c")


@pytest.mark.sample("counter_late-counter_first")
@pytest.mark.parametrize(
    ("old", "new", "since", "relation", "vcpus"),
    [
        ("enum_cached", "mismatch_flag", Since.BOOT, Relation.DIFFERS, 1),
        ("enum_cached", "mismatch_flag", Since.LOAD, Relation.BOUNDED, None),
        ("counter_late", "counter_first", Since.BOOT, Relation.BOUNDED, None),
        ("enum_status", "enum_cached", Since.BOOT, Relation.DIFFERS, 1),
        ("enum_status", "enum_cached", Since.LOAD, Relation.DIFFERS, 2),
        ("mismatch_flag", "dedup_all", Since.LOAD, Relation.REFINES, 2),
        ("dedup_all", "mismatch_flag", Since.LOAD, Relation.DIFFERS, 2),
    ],
)
def test_verdicts(old: str, new: str, since: Since, relation: Relation, vcpus: int | None) -> None:
    """A reviewer is told that a change is one of function although it is not, or is not told."""
    pair = [build_machine(from_variant(spec(x), None)) for x in (old, new)]
    answer = found(pair[0], pair[1], since=since, bounds=THREE)
    assert answer.relation is relation
    told = answer.difference
    assert (None if told is None else told.vcpus) == vcpus


@pytest.mark.slow
def test_the_schedule_is_shown_twice(capsys: pytest.CaptureFixture[str]) -> None:
    """A difference that is not shown side by side, marked, and within 75 columns helps nobody."""
    code, out, err = nfc(capsys, spec("enum_status"), spec("enum_cached"), "--after-load")
    assert (code, err) == (1, "")
    assert all(len(line) <= 75 for line in out.splitlines() if str(SPECS) not in line)
    table = [line.split() for line in out.splitlines() if line.startswith("     ")]
    assert ["1", "vCPU1", "load(A)"] in [row[:3] for row in table]
    assert ["2", "flusher", "flush"] in [row[:3] for row in table]
    (marked,) = [line for line in out.splitlines() if line.endswith("<--")]
    assert "flush INVALID" in marked
    assert "flush A ok" in marked
    for words in ("checked  each variant replayed", "smallest 2 vCPUs, 1 root, 2 operations; none"):
        assert words in out
    assert "scope    once any vCPU has loaded, 1..2 vCPUs" in out


@pytest.mark.slow
@pytest.mark.parametrize(("expected", "code"), [("equal", 1), ("refines", 0), ("differs", 1)])
def test_refines_is_a_verdict_of_its_own(
    capsys: pytest.CaptureFixture[str], expected: str, code: int
) -> None:
    """A script that asks for a refinement cannot tell it from any other difference."""
    pair = (spec("mismatch_flag"), spec("dedup_all"))
    more = ("--after-load", "--vcpus", "2", "--expect", expected)
    assert nfc(capsys, *pair, *more)[0] == code


@pytest.mark.sample(every=4)
@pytest.mark.parametrize("width", [40, 60, 75, 120])
def test_every_width_has_the_table(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, width: int
) -> None:
    """In a narrow window lines run over, or the schedule is left out."""
    monkeypatch.chdir(SPECS)
    more = ("--after-load", "--vcpus", "2", "--width", str(width))
    _, out, _ = nfc(capsys, "enum_status.c", "enum_cached.c", *more)
    rows = out.splitlines()
    assert [row for row in rows if len(row) > width] == []
    assert any(row.split()[:2] == ["step", "thread"] for row in rows)
    assert sum(row.endswith("<--") for row in rows) == 1


@pytest.mark.sample(every=2)
@pytest.mark.parametrize("more", [(), ("--as", "set", "--from", "load")])
def test_json(capsys: pytest.CaptureFixture[str], more: tuple[str, ...]) -> None:
    """Programs that read the document rely on the schema."""
    pair = (spec("enum_cached"), spec("mismatch_flag"))
    code, out, _ = nfc(capsys, *pair, "--vcpus", "2", "--format", "json", *more)
    document = json.loads(out)
    jsonschema.Draft202012Validator(SCHEMA).validate(document)
    assert document["exit"] == code
    assert document["comparison"]["verdict"] == ("bounded" if more else "differs")


@pytest.mark.slow
def test_the_order_of_hypercalls_is_no_matter_of_the_set() -> None:
    """`--as set` says that a walk in another order flushes other roots, or not in a sequence."""
    code = text("dedup_all")
    turned = code.replace("kvm_get_vcpu(kvm, i)", "kvm_get_vcpu(kvm, N - 1 - i)")
    assert turned == code or "N - 1" in turned
    walk = text("enum_status")
    back = walk.replace(
        "eptp = to_vmx(vcpu)->ept_pointer;",
        "eptp = to_vmx(kvm_get_vcpu(kvm, __online_vcpus(kvm) - 1 - i))->ept_pointer;",
    )
    assert back != walk
    pair = (machine(walk), machine(back))
    assert not found(*pair).relation.alike
    assert found(*pair, compared=Compared.SET).relation is Relation.BOUNDED


def test_free_choices_are_shared() -> None:
    """A variant that asks what may answer anything is found to differ from itself.

    Guards Lemma L26 of docs/soundness.md.
    """
    code = text("counter_first").replace("nr_roots = 0;", "nr_roots = any_number();")
    code = code.replace("struct kvm_vmx {", "int any_number(void) __free;\nstruct kvm_vmx {", 1)
    assert "any_number();" in code
    assert found(machine(code), machine(code)).relation is Relation.EQUAL


def test_subset_without_coverage_is_no_refinement() -> None:
    """Code that flushes nothing passes for a refinement."""
    code = text("enum_status")
    nothing = code.replace("if (VALID_PAGE(eptp))", "if (false)").replace(
        "ret = hv_remote_flush_eptp(to_vmx(vcpu)->ept_pointer, range);", "ret = 0;"
    )
    answer = found(machine(code), machine(nothing))
    assert answer.relation is Relation.DIFFERS
    assert "coverage" in answer.reason


def test_undefined_behaviour_is_no_equality() -> None:
    """Two variants that read what does not exist are called equal."""
    code = text("enum_status").replace("kvm_get_vcpu(kvm, 0)", "kvm_get_vcpu(kvm, 1)")
    other = code.replace("return ret;", "return __online_vcpus(kvm) > 4000 ? 0 : ret;")
    answer = found(machine(code), machine(other), bounds=Bounds((1, 1), 1, 1, 1))
    assert answer.relation is Relation.UNKNOWN
    assert "undefined" in answer.reason


def test_other_operations(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    """Variants with other operations are compared although nothing corresponds."""
    code = text("counter_first")
    more = code + "\nint hv_flush_all(struct kvm *kvm)\n{\n\treturn 0;\n}\n"
    (tmp_path / "a.c").write_text(more, encoding="utf-8")
    (tmp_path / "a.spec").write_text(
        'spec a { variant "a.c"; operations {'
        " flush hv_remote_flush_tlb_with_range(kvm, range); flush hv_flush_all(kvm);"
        " load vmx_load_mmu_pgd(vcpu, root, free); } }",
        encoding="utf-8",
    )
    code_, out, err = nfc(capsys, str(tmp_path / "a.spec"), spec("counter_first"))
    assert (code_, out) == (2, "")
    assert "the old one has 2 `flush` operations, the new 1" in " ".join(err.split())


def test_a_file_that_is_not_there(capsys: pytest.CaptureFixture[str]) -> None:
    """A wrong name ends in a traceback."""
    code, out, err = nfc(capsys, spec("counter_first"), "nowhere.c")
    assert (code, out) == (2, "")
    assert "nowhere.c" in err


LOCKED = text("counter_first")
HEAD, _, LOAD = LOCKED.partition("void vmx_load_mmu_pgd")
UNLOCKED = f"{HEAD}void vmx_load_mmu_pgd{re.sub(r'.*spin_(un)?lock.*', '', LOAD)}"
NUDGED = UNLOCKED.replace("if (!ret)\n\t\t\t\tret = hv", "if (ret == 0)\n\t\t\t\tret |= hv")


@pytest.mark.sample(every=3)
@pytest.mark.parametrize(
    ("old", "new", "relation"),
    [
        (LOCKED, UNLOCKED, Relation.UNKNOWN),
        (UNLOCKED, LOCKED, Relation.UNKNOWN),
        (UNLOCKED, NUDGED, Relation.UNKNOWN),
        (UNLOCKED, UNLOCKED, Relation.EQUAL),
        (LOCKED, LOCKED, Relation.EQUAL),
    ],
    ids=["lost", "found", "still not there", "never there", "kept"],
)
def test_a_lost_lock_is_not_nothing(old: str, new: str, relation: Relation) -> None:
    """A patch that drops a lock is said to change nothing, as whole calls stay alike.

    Guards Lemma L25 of docs/soundness.md.
    """
    answer = found(machine(old), machine(new))
    assert answer.relation is relation
    equal = relation is Relation.EQUAL
    assert ("every interleaving" in answer.scope.interleavings) == equal
    assert ("of a call" in answer.reason or "within a call" in answer.reason) != equal


SECTIONS = """\
struct kvm_vmx { struct kvm kvm; u64 common; spinlock_t lock; };
struct vcpu_vmx { struct kvm_vcpu vcpu; u64 own; };

int my_flush(struct kvm *kvm)
{
	struct kvm_vmx *vm = to_kvm_vmx(kvm);
	int ret = 0;

	FLUSH
	return ret;
}

void my_load(struct kvm_vcpu *vcpu, u64 root)
{
	struct kvm_vmx *vm = to_kvm_vmx(vcpu->kvm);

	LOAD
}
"""
TAKE, FREE = "spin_lock(&vm->lock);", "spin_unlock(&vm->lock);"
OWN, COMMON = "to_vmx(vcpu)->own = root;", "vm->common = root;"
FLUSH_COMMON = "ret = hyperv_flush_guest_mapping(vm->common);"


def sections(flush: str, load: str, clauses: str = "") -> Machine:
    """Build a variant from the bodies of its two functions."""
    code = SECTIONS.replace("FLUSH", flush).replace("LOAD", load)
    operations = "flush my_flush(kvm); load my_load(vcpu, root);"
    spec = f'spec s {{ variant "s.c"; operations {{ {operations} }} {clauses} }}'
    return build_machine(from_texts(Source("s.c", code), Source("s.spec", spec)))


@pytest.mark.sample(every=2)
@pytest.mark.parametrize("bounds", [BOUNDS, None], ids=["bounded", "for all"])
def test_sections_that_change_places(bounds: Bounds | None) -> None:
    """Two critical sections of a call change places, and whole calls cannot tell."""
    flush = f"{TAKE} {FLUSH_COMMON} {FREE}"
    first = sections(flush, f"{TAKE} {OWN} {FREE} {TAKE} {COMMON} {FREE}")
    second = sections(flush, f"{TAKE} {COMMON} {FREE} {TAKE} {OWN} {FREE}")
    joined = sections(flush, f"{TAKE} {COMMON} {OWN} {FREE}")
    turned = sections(flush, f"{TAKE} {OWN} {COMMON} {FREE}")
    ask = _for_all if bounds is None else found
    assert ask(first, second).relation is Relation.UNKNOWN
    assert ask(joined, turned).relation.alike


def _for_all(old: Machine, new: Machine) -> Comparison:
    wanted = Wanted(Compared.SEQUENCE, Since.BOOT, BOUNDS, everyone=True)
    return compare(old, new, wanted, coverage(BOUNDS))


@pytest.mark.parametrize("flushers", [1, 2])
def test_several_flushers_meet(flushers: int) -> None:
    """Flushes that see each other half done are compared as if there were one flusher.

    Guards Lemma L25 of docs/soundness.md.
    """
    busy = (
        "WRITE_ONCE(vm->common, 1); if (!READ_ONCE(vm->common)) {body} WRITE_ONCE(vm->common, 0);"
    )
    old = sections(busy.format(body=f"{FLUSH_COMMON}"), OWN)
    new = sections("WRITE_ONCE(vm->common, 0);", OWN)
    bounds = Bounds((1, 2), 1, 1, flushers)
    expected = Relation.EQUAL if flushers == 1 else Relation.UNKNOWN
    within = Relation.BOUNDED if flushers == 1 else Relation.UNKNOWN
    assert found(old, new, bounds=bounds).relation is within
    wanted = Wanted(Compared.SEQUENCE, Since.BOOT, bounds, everyone=True)
    answer = compare(old, new, wanted, coverage(bounds))
    assert answer.relation is expected
    if expected is Relation.EQUAL:
        assert (answer.scope.vcpus, answer.scope.flushers) == (None, 1)


@pytest.mark.sample(every=2)
@pytest.mark.parametrize(("take", "free", "equal"), [("", "", False), (TAKE, FREE, True)])
@pytest.mark.parametrize("everyone", [False, True])
def test_store_buffers_are_minded(take: str, free: str, equal: bool, everyone: bool) -> None:
    """Calls are compared as if each store were seen at once, though the spec says otherwise."""
    tso = "memory tso;"
    body = "ret |= hyperv_flush_guest_mapping(READ_ONCE(vm->common));"
    load = f"{take} WRITE_ONCE(vm->common, root); {free}"
    pair = [sections(f"{take} {b} {free}", load, tso) for b in (body, body.replace("|=", "="))]
    wanted = Wanted(Compared.SEQUENCE, Since.BOOT, BOUNDS, everyone=everyone)
    answer = compare(pair[0], pair[1], wanted, coverage(BOUNDS))
    assert answer.relation.alike == equal
    assert equal or answer.relation is Relation.UNKNOWN
    assert answer.scope.memory is MemoryModel.TSO
    assert equal or "may be seen late" in answer.reason
    sc = [replace(m, setup=replace(m.setup, memory=MemoryModel.SC)) for m in pair]
    assert compare(sc[0], sc[1], wanted, coverage(BOUNDS)).relation.alike


@pytest.mark.parametrize(
    ("bounds", "since"),
    [(Bounds((1, 2), 2, 0, 1), Since.BOOT), (Bounds((1, 2), 0, 2, 1), Since.LOAD)],
)
def test_nothing_compared_is_no_equality(bounds: Bounds, since: Since) -> None:
    """Two variants are called equal because nothing of them was looked at."""
    pair = (machine(text("counter_first")), machine(text("mismatch_flag")))
    answer = found(*pair, since=since, bounds=bounds)
    assert answer.relation is Relation.UNKNOWN


def test_flushes_with_and_without_a_range() -> None:
    """A variant without a range parameter cannot be compared, or is asked for ranges."""
    code = text("counter_first")
    bare = re.sub(r"\tif \(range\)\n.*\n.*\n\n", "", code)
    bare = bare.replace(", struct kvm_tlb_range *range)", ")").replace(", range)", ")")
    assert "range" not in bare.replace("_with_range", "")
    assert found(machine(code), _bare(bare)).relation is Relation.BOUNDED


def _bare(code: str) -> Machine:
    setup = from_variant(spec("counter_first"), None)
    flush = next(o for o in setup.operations if o.role == "flush")
    fewer = replace(flush, roles=flush.roles[:1])
    declared = machine_setup(code)
    others = tuple(o for o in declared.operations if o.role != "flush")
    return build_machine(replace(declared, operations=(fewer, *others)))
