"""What is installed holds the grammars and specs, which live outside the package's folder."""

from __future__ import annotations

import subprocess
import sys
import tarfile
import venv
import zipfile
from pathlib import Path

import pytest

from support.places import TOP

BUILD = "from hatchling.build import build_{kind}; build_{kind}({out!r})"
LOOK = """
from importlib.resources import files
import flushproof
package = files("flushproof")
names = {f"{folder}/{entry.name}" for folder in ("grammars", "specs", "report")
         for entry in package.joinpath(folder).iterdir()}
print("\\n".join(sorted(names)))
"""


def _build(kind: str, out: Path) -> Path:
    code = BUILD.format(kind=kind, out=str(out))
    subprocess.run([sys.executable, "-c", code], check=True, cwd=TOP, capture_output=True)
    return next(out.iterdir())


def _wanted() -> set[str]:
    folders = (TOP / "grammars", TOP / "specs")
    kinds = {".lark", ".spec", ".c", ".claims", ".h"}
    found = {p for folder in folders for p in folder.iterdir() if p.suffix in kinds}
    return {f"{p.parent.name}/{p.name}" for p in found} | {"report/schema.json"}


@pytest.mark.slow
def test_wheel_in_a_fresh_environment(tmp_path: Path) -> None:
    """An installed program without its grammars could read nothing at all."""
    wheel = _build("wheel", tmp_path / "dist")
    venv.create(tmp_path / "env", with_pip=False)
    python = str(tmp_path / "env" / "bin" / "python")
    pip = [sys.executable, "-m", "pip", "--python", python, "install", "-q"]
    offline = ["--no-deps", "--no-index", "--disable-pip-version-check"]
    subprocess.run([*pip, *offline, str(wheel)], check=True, capture_output=True)
    shown = subprocess.run(
        [python, "-I", "-c", LOOK], check=True, cwd=tmp_path, capture_output=True, text=True
    )
    assert _wanted() <= set(shown.stdout.split())


def test_wheel_holds_each_file_once(tmp_path: Path) -> None:
    """Files packed twice, or specs at the top of site-packages, would clash with other packages."""
    names = zipfile.ZipFile(_build("wheel", tmp_path)).namelist()
    assert len(names) == len(set(names))
    assert {n.split("/")[0].split("-")[0] for n in names} == {"flushproof"}
    assert "flushproof/py.typed" in names


@pytest.mark.slow
def test_source_distribution_builds(tmp_path: Path) -> None:
    """A wheel made from the source distribution needs the links, or the files, in it."""
    with tarfile.open(_build("sdist", tmp_path / "sdist")) as archive:
        archive.extractall(tmp_path / "tree", filter="data")
    tree = next((tmp_path / "tree").iterdir())
    code = BUILD.format(kind="wheel", out=str(tmp_path / "again"))
    subprocess.run([sys.executable, "-c", code], check=True, cwd=tree, capture_output=True)
    names = zipfile.ZipFile(next((tmp_path / "again").iterdir())).namelist()
    assert {f"flushproof/{n}" for n in _wanted()} <= set(names)
