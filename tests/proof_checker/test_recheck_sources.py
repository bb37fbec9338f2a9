"""`recheck` reads a file again as `prove` did: with its spec, its choices, from any folder."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from flushproof.cli.main import main
from flushproof.support.record import replace
from flushproof.verify.certificate.certificate_file import read_certificate, seal_certificate
from support.certificate_files import body
from support.places import SPECS, TREES

FAST_SIBLING = "tests/test_certificate_heads.py"

CLAIM = ("--claim", "lock_balanced", "--no-sanity", "--jobs", "1")
TREE = TREES / "v5_14"
INSIDE = Path("arch/x86/kvm/vmx/vmx.c")


def _prove(file: Path, out: Path, *more: str) -> None:
    assert main(["prove", str(file), *CLAIM, *more, "--certificate", str(out)]) == 0


def _claim_store_buffers(out: Path) -> None:
    """Say in a certificate that its proof covers store buffers too, and seal it again."""
    head, says = read_certificate(str(out)).head, "every interleaving"
    (claim,) = head.claims
    assert says in claim.scope
    wider = replace(claim, scope=claim.scope.replace(says, f"{says}, under tso"))
    out.write_text(seal_certificate(replace(head, claims=(wider,)), body(out)), encoding="utf-8")


def _recheck(out: Path, file: Path) -> int:
    return main(["recheck", str(out), "--against", str(file), "--solver", "z3"])


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Return a folder with a variant, and with its spec in one beside it."""
    made = tmp_path / "work"
    (made / "specs").mkdir(parents=True)
    shutil.copy(SPECS / "counter_first.c", made / "specs" / "counter_first.c")
    shutil.copy(SPECS / "counter_first.spec", made / "specs" / "mine.spec")
    return made


@pytest.mark.slow
def test_a_spec_that_was_given_is_read_again(
    folder: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """Without it the program is another one; from where either was named does not matter."""
    monkeypatch.chdir(folder)
    out, file = tmp_path / "out.txt", Path("specs/counter_first.c")
    _prove(file, out, "--spec", "specs/mine.spec")
    assert _recheck(out, file) == 0
    monkeypatch.chdir(folder / "specs")
    assert _recheck(out, Path("counter_first.c")) == 0
    moved = folder.rename(tmp_path / "elsewhere")
    monkeypatch.chdir(tmp_path)
    assert _recheck(out, moved.relative_to(tmp_path) / file) == 0
    capsys.readouterr()
    spec = moved / "specs" / "mine.spec"
    spec.write_text(spec.read_text().replace("INVALID_PAGE;", "0;"))
    assert _recheck(out, moved / file) == 4
    assert "mine.spec`: it is not as it was" in " ".join(capsys.readouterr().err.split())


@pytest.mark.slow
@pytest.mark.parametrize(
    "choices",
    [
        (),
        ("--flush", "hv_remote_flush_tlb_with_range", "--load", "vmx_load_mmu_pgd"),
    ],
)
def test_a_kernel_file_is_read_as_it_was(
    choices: tuple[str, ...], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What was said of a kernel file is in the head, and the tree may lie elsewhere."""
    shutil.copytree(TREE, tmp_path / "a" / "linux")
    monkeypatch.chdir(tmp_path / "a")
    _prove("linux" / INSIDE, tmp_path / "out.txt", *choices)
    (tmp_path / "a" / "linux").rename(tmp_path / "moved")
    monkeypatch.chdir(tmp_path)
    assert _recheck(tmp_path / "out.txt", "moved" / INSIDE) == 0


@pytest.mark.slow
def test_a_proof_with_store_buffers_is_decided_again(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """A head that says TSO without that claims more than was proved.

    The second file has a proof under sequential consistency only: its store waits past the call.
    """
    for name in ("counter_first.c", "store_late.c"):
        shutil.copy(SPECS / name, tmp_path / name)
    out, late = tmp_path / "out.txt", tmp_path / "late.txt"
    _prove(tmp_path / "counter_first.c", out, "--memory", "tso")
    assert "under tso" in out.read_text()
    assert _recheck(out, tmp_path / "counter_first.c") == 0
    _prove(tmp_path / "store_late.c", late)
    _claim_store_buffers(late)
    assert _recheck(late, tmp_path / "store_late.c") == 1
    assert "may still be buffered" in capsys.readouterr().out
