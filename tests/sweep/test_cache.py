"""Verdicts that are kept: found again, never when anything differs, never when damaged."""

from __future__ import annotations

import os
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from flushproof import pipeline
from flushproof.cli import main as cli
from flushproof.frontend.kernel.choices import Choices
from flushproof.results.verdict import ClaimResult, Report, Verdict, WrittenProof
from flushproof.runner import jobs, verdict_lookup
from flushproof.runner.fingerprint import program_fingerprint
from flushproof.runner.jobs import Task
from flushproof.runner.run import run_task, run_tasks
from flushproof.runner.verdict_lookup import VerdictLookup
from flushproof.runner.verdict_store import KEPT, Entry, Store
from flushproof.support.files import DISK, FileLook, Overlaid, Recorded
from flushproof.support.record import replace
from flushproof.verify.expectation import with_expected
from flushproof.verify.options import Options, Sanity, Sweeping
from support.places import SPECS
from support.report_samples import COVERAGE_TRACE, Made, report, result

SMALL = Options(vcpus=(1, 1), loads=1, flushes=1, claims=("no_bogus", "range_kept"))


@pytest.fixture
def corpus(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return a folder with one spec and its variant; it is the current one."""
    for suffix in (".c", ".spec"):
        text = (SPECS / f"counter_first{suffix}").read_text(encoding="utf-8")
        (tmp_path / f"counter_first{suffix}").write_text(text, encoding="utf-8")
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.fixture
def fake(monkeypatch: pytest.MonkeyPatch) -> list[tuple[str, ...]]:
    """Let the engine answer by heart; return the claims it was asked, call by call."""
    asked: list[tuple[str, ...]] = []

    def decide(task: Task, on_result: Callable[[ClaimResult], None]) -> Report:
        DISKS[0].read(task.path, 1 << 20)
        DISKS[0].is_file("later.h")
        names = task.options.claims or ("coverage", "no_repeat")
        asked.append(names)
        made = [result(Verdict.PROVED, n) for n in names]
        if "coverage" in names:
            made[names.index("coverage")] = REFUTED
        made = [with_expected(r, task.command, task.options) for r in made]
        for r in made:
            on_result(r)
        return replace(report(*made), path=task.path)

    monkeypatch.setattr(jobs, "_decide", decide)
    return asked


class _Current:
    def __getitem__(self, _: int) -> Recorded:
        from flushproof.support import files

        found = files.current_files()
        assert isinstance(found, Recorded)
        return found


DISKS = _Current()
REFUTED = result(Verdict.REFUTED, "coverage", trace=COVERAGE_TRACE)


def _prove(folder: Path, **options: object) -> Report:
    chosen = Options(**{"sweeping": Sweeping(str(folder / "cache")), **options})  # type: ignore[arg-type]
    return run_task(Task("prove", "counter_first.c", None, chosen), lambda _: None)


def test_a_second_run_decides_nothing(corpus: Path, fake: list[tuple[str, ...]]) -> None:
    """The corpus would be decided again each time, or the answer would differ."""
    first = _prove(corpus)
    assert _prove(corpus) == first
    assert len(fake) == 1


def test_only_what_is_missing_is_decided(corpus: Path, fake: list[tuple[str, ...]]) -> None:
    """A claim that is asked for alone must not be lost, nor hide the others."""
    _prove(corpus, claims=("no_repeat",))
    assert [r.claim for r in _prove(corpus).results] == ["coverage", "no_repeat"]
    both = _prove(corpus, claims=("range_kept", "coverage"))
    assert [r.claim for r in both.results] == ["range_kept", "coverage"]
    assert fake == [("no_repeat",), ("coverage", "no_repeat"), ("range_kept",)]


def test_each_result_is_told(corpus: Path, fake: list[tuple[str, ...]]) -> None:
    """Progress, and what is shown after an interrupt, would lack known results."""
    options = Options(sweeping=Sweeping(str(corpus / "cache")))
    _prove(corpus, claims=("coverage",))
    _prove(corpus, claims=("coverage", "no_repeat"))
    told: list[str] = []
    wanted = replace(options, claims=("range_kept", "coverage", "no_repeat"))
    run_task(Task("prove", "counter_first.c", None, wanted), lambda r: told.append(r.claim))
    assert sorted(told) == ["coverage", "no_repeat", "range_kept"]


@pytest.mark.parametrize(
    "options",
    [
        {"vcpus": (1, 2)},
        {"loads": 1},
        {"flushes": 1},
        {"rounds": 1},
        {"engine": "bounded"},
        {"choices": Choices(folders=("x",))},
    ],
)
def test_other_options_are_another_question(
    corpus: Path, fake: list[tuple[str, ...]], options: dict[str, object]
) -> None:
    """A verdict for few vCPUs would be given for many."""
    _prove(corpus)
    _prove(corpus, **options)
    assert len(fake) == 2


def test_the_command_is_part_of_the_question(corpus: Path, fake: list[tuple[str, ...]]) -> None:
    """`prove` decides for every number of vCPUs, `refute` within bounds."""
    options = Options(sweeping=Sweeping(str(corpus / "cache")))
    _prove(corpus)
    run_task(Task("refute", "counter_first.c", None, options), lambda _: None)
    assert len(fake) == 2


def test_jobs_are_no_part_of_the_question(corpus: Path, fake: list[tuple[str, ...]]) -> None:
    """Another machine's number of processors would empty the cache."""
    _prove(corpus)
    _prove(corpus, jobs=7)
    assert len(fake) == 1


@pytest.mark.parametrize("change", ["text", "a file that appears", "the engine", "the folder"])
def test_changes_are_seen(
    corpus: Path, fake: list[tuple[str, ...]], change: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A verdict on other text would be shown: the worst that can happen here."""
    _prove(corpus)
    match change:
        case "text":
            with (corpus / "counter_first.c").open("a", encoding="utf-8") as stream:
                stream.write("\n")
        case "a file that appears":
            (corpus / "later.h").touch()
        case "the engine":
            monkeypatch.setattr(verdict_lookup, "program_fingerprint", lambda: "other")
        case _:
            (corpus / "sub").mkdir()
            (corpus / "counter_first.c").rename(corpus / "sub" / "counter_first.c")
            monkeypatch.chdir(corpus / "sub")
    _prove(corpus)
    assert len(fake) == 2


def test_what_is_open_is_not_kept(corpus: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """With more memory, or steps, the same question may have an answer."""
    asked = []

    def decide(task: Task, on_result: object) -> Report:
        asked.append(task.path)
        return report(result(Verdict.UNKNOWN, "coverage", Made(reason="out of steps")))

    monkeypatch.setattr(jobs, "_decide", decide)
    for _ in range(2):
        assert _prove(corpus).results[0].verdict is Verdict.UNKNOWN
    assert len(asked) == 2


def _entries(folder: Path) -> list[Path]:
    return [p for p in (folder / "cache").rglob("*") if p.is_file()]


@pytest.mark.parametrize(
    "damage",
    [
        lambda data: b"",
        lambda data: data[:-1],
        lambda data: data.replace(b"refuted", b"proved"),
        lambda data: data.replace(b"coverage", b"covevage"),
        lambda data: data + b" ",
        lambda data: b"\xff" * 100,
        lambda data: b"\n",
    ],
)
def test_damage_is_mended(
    corpus: Path, fake: list[tuple[str, ...]], damage: Callable[[bytes], bytes]
) -> None:
    """A bit that falls over on the disk must never change a verdict."""
    first = _prove(corpus)
    (file,) = _entries(corpus)
    whole = file.read_bytes()
    file.write_bytes(damage(whole))
    assert _prove(corpus) == first
    assert len(fake) == 2
    assert file.read_bytes() == whole


@pytest.mark.parametrize("shape", [b"{}", b"[]", b"null", b'{"key": 3}'])
def test_other_shapes_are_mended(corpus: Path, fake: list[tuple[str, ...]], shape: bytes) -> None:
    """A file that is whole but says something else counts as absent."""
    import hashlib

    _prove(corpus)
    (file,) = _entries(corpus)
    file.write_bytes(hashlib.sha256(shape).hexdigest().encode() + b"\n" + shape)
    _prove(corpus)
    assert len(fake) == 2


def test_an_entry_under_another_name_is_not_taken(
    corpus: Path, fake: list[tuple[str, ...]]
) -> None:
    """Somebody who copies files about must not change what a question is answered by."""
    _prove(corpus)
    _prove(corpus, loads=1)
    one, two = _entries(corpus)
    one.write_bytes(two.read_bytes())
    _prove(corpus)
    _prove(corpus, loads=1)
    assert len(fake) == 3


def test_a_folder_that_cannot_be_written(corpus: Path, fake: list[tuple[str, ...]]) -> None:
    """A read-only home must not stop anyone."""
    (corpus / "cache").write_text("a file where a folder should be")
    for _ in range(2):
        assert len(_prove(corpus).results) == 2
    assert len(fake) == 2


def test_writers_at_once(tmp_path: Path) -> None:
    """Two runs over one corpus must not leave a mixture, and nothing half written."""
    store = Store(tmp_path, "engine")
    made = [
        Entry(
            "key", (FileLook("text", "a.c", str(k) * 5000),), "a.c", "", "s", "f", None, (REFUTED,)
        )
        for k in range(8)
    ]
    with ThreadPoolExecutor(8) as pool:
        list(pool.map(store.put, made * 5))
        seen = list(pool.map(lambda _: store.get("key"), range(20)))
    assert set(seen) <= set(made)
    assert [p.name for p in store.place.iterdir()] == ["key"]


def test_old_versions_are_forgotten(tmp_path: Path) -> None:
    """Each edit of the program would leave a copy of every verdict for ever."""
    for k in range(KEPT + 3):
        Store(tmp_path, f"engine{k}").put(Entry("k", (), "", "", "", "", (), ()))
    assert len(list((tmp_path / "verdicts").iterdir())) == KEPT


def test_results_survive_being_stored(tmp_path: Path) -> None:
    """A field that is lost on disk would be missing from the report of a second run."""
    store = Store(tmp_path, "e")
    rich = replace(REFUTED, invariant=("a", "b"), proof=WrittenProof("a", "b"))
    entry = Entry("k", (FileLook("real", "a", "b"),), "p", "d", "s", "f", ("coverage",), (rich,))
    store.put(entry)
    assert store.get("k") == entry


def test_real_results_from_the_cache(corpus: Path) -> None:
    """With the real engine a second run says the same, word for word, and reads no solver."""
    options = replace(SMALL, sweeping=Sweeping(str(corpus / "cache")))
    task = Task("check", "counter_first.spec", None, options)
    first = run_tasks((task,), lambda _: None)
    seen: list[Report] = []
    again = VerdictLookup(Store(corpus / "cache", program_fingerprint()))
    hit = again.find(task)
    assert hit is not None
    assert hit.missing == ()
    texts = {look.path for look in hit.entry.looks if look.kind == "text"}
    assert texts == {"counter_first.spec", "counter_first.c"}
    assert run_tasks((task,), seen.append) == first == tuple(seen)
    direct = pipeline.check("counter_first.spec", None, SMALL, lambda _: None)
    assert [r.trace for r in direct.results] == [r.trace for r in first[0].results]


def test_looks_are_those_of_a_kernel_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A header that is looked for and absent decides too: it may appear."""
    (tmp_path / "a.c").write_text('#include "b.h"\nint x;\n')
    monkeypatch.chdir(tmp_path)
    task = Task("prove", "a.c", None, Options())
    done = jobs.run_local_job(task)
    assert done.error is not None
    assert ("file", "b.h", "no") in {(x.kind, x.path, x.answer) for x in done.looks}


KERNEL_FILE = """#include <linux/kvm_host.h>

struct kvm_vmx {
	struct kvm kvm;
	spinlock_t root_lock;
};

struct vcpu_vmx {
	struct kvm_vcpu vcpu;
	hpa_t hv_tlb_root;
};

int hv_remote_flush_tlb_with_range(struct kvm *kvm, struct kvm_tlb_range *range)
{
	struct kvm_vcpu *vcpu;
	int failed = 0, i;

	spin_lock(&to_kvm_vmx(kvm)->root_lock);
	kvm_for_each_vcpu(i, vcpu, kvm) {
		if (VALID_PAGE(to_vmx(vcpu)->hv_tlb_root))
			failed |= hyperv_flush_guest_mapping(to_vmx(vcpu)->hv_tlb_root);
	}
	spin_unlock(&to_kvm_vmx(kvm)->root_lock);
	return failed;
}

void vmx_load_mmu_pgd(struct kvm_vcpu *vcpu, unsigned long root, int level)
{
	spin_lock(&to_kvm_vmx(vcpu->kvm)->root_lock);
	to_vmx(vcpu)->hv_tlb_root = root;
	spin_unlock(&to_kvm_vmx(vcpu->kvm)->root_lock);
}
"""
CREATES = """#include <linux/kvm_host.h>

static int vmx_create_vcpu(struct kvm_vcpu *vcpu)
{{
	struct vcpu_vmx *vmx = to_vmx(vcpu);

	vmx->hv_tlb_root = {value};
	return 0;
}}
"""
BOOT = Options(vcpus=(1, 1), loads=1, flushes=1, claims=("no_bogus",), sanity=Sanity.OFF)


@pytest.fixture
def kernel(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return a folder with a kernel file and the code that creates its vCPUs; it is current."""
    tree = tmp_path / "tree"
    tree.mkdir()
    (tree / "k.c").write_text(KERNEL_FILE)
    (tree / "create.c").write_text(CREATES.format(value="INVALID_PAGE"))
    monkeypatch.chdir(tree)
    return tree


def test_a_folder_that_was_listed_is_part_of_a_verdict(kernel: Path) -> None:
    """Creation code in a file that appears, or goes, would leave the verdict on the old boot."""
    options = replace(BOOT, sweeping=Sweeping(str(kernel.parent / "cache")))

    def prove() -> Report:
        return run_task(Task("prove", "k.c", None, options), lambda _: None)

    first = prove()
    later = kernel / "x_create.c"
    later.write_text(CREATES.format(value="0"))
    second = prove()
    assert second.results[0].verdict is not first.results[0].verdict
    later.unlink()
    assert [r.verdict for r in prove().results] == [r.verdict for r in first.results]


def test_every_look_is_one_that_can_be_sent(kernel: Path) -> None:
    """A file that is looked at behind the back of `files` would be in no kept verdict."""
    task = Task("prove", "k.c", None, BOOT)
    _, sent = jobs.claims_of(task)
    here = jobs.run_local_job(task).report
    for file in kernel.iterdir():
        file.unlink()
    elsewhere = jobs.run_remote_job(task, sent, program_fingerprint()).report
    assert here is not None
    assert elsewhere is not None
    assert [r.verdict for r in elsewhere.results] == [r.verdict for r in here.results]
    assert [r.assumptions for r in elsewhere.results] == [r.assumptions for r in here.results]


def test_names_in_a_folder_come_and_go(tmp_path: Path) -> None:
    """A listing that is sent, or of a text that a patch adds or takes away, would not be one."""
    (tmp_path / "b.c").touch()
    (tmp_path / "a").mkdir()
    folder = str(tmp_path)
    real = Path(DISK.real(folder))
    recorded = Recorded(DISK)
    assert recorded.names(folder) == ("a", "b.c")
    assert recorded.names(f"{folder}/gone") == ()
    (tmp_path / "c.c").touch()
    assert recorded.sent().names(folder) == ("a", "b.c")
    assert recorded.sent().names(f"{folder}/gone") == ()
    assert Recorded(DISK).ask("names", folder, 1) == "a/b.c/c.c/"
    patched = {str(real / "b.c"): b"", str(real / "d.c"): b"int x;", str(real / "a/e.c"): b"int y;"}
    assert Overlaid(DISK, patched).names(folder) == ("a", "c.c", "d.c")


def test_a_pipe_is_read_once(corpus: Path) -> None:
    """`prove <(sed ... variant.c)` gives its text to one reader only."""
    os.mkfifo("pipe.c")
    store = VerdictLookup(Store(corpus / "cache", "e"))
    assert store.find(Task("prove", "pipe.c", None, Options())) is None


def test_the_folder_may_be_gone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Somebody may remove the folder that a shell stands in."""
    (tmp_path / "gone").mkdir()
    monkeypatch.chdir(tmp_path / "gone")
    (tmp_path / "gone").rmdir()
    assert cli.main(["prove", str(tmp_path / "a.c"), "--cache-dir", str(tmp_path)]) == 2
    assert "cannot find" in capsys.readouterr().err


def test_the_store_is_off_in_tests() -> None:
    """Verdicts of a developer's own runs would hide a broken engine."""
    assert verdict_lookup.open_store(Sweeping().cache) is None
    assert Recorded(DISK).looks == ()
