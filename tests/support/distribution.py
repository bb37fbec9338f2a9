"""Source packages of the distribution, fetched with its own tools; nothing is installed."""

from __future__ import annotations

import shutil
import subprocess
import tarfile
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

SECONDS = 600

Pick = Callable[[str], str]
"""From the path of a file in an archive to the one it comes to, "" where it is not wanted."""


def fetch(package: str, archive: str, pick: Pick, target: Path) -> str:
    """Put files of a package's archive into a new folder `target`.

    `archive` is the path of the archive within the package; `*` stands for part of a name. What is
    there already is left alone. Returns what went wrong, nothing where all went well.
    """
    if target.is_dir():
        return ""
    if shutil.which("apt-get") is None or shutil.which("dpkg-deb") is None:
        return "this system has no such packages"
    with tempfile.TemporaryDirectory() as temporary:
        place = Path(temporary)
        try:
            _extract(_download(package, place), archive, pick, place / "tree")
        except (OSError, subprocess.SubprocessError, tarfile.TarError, StopIteration) as error:
            return f"{type(error).__name__}: {error}"
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.move(place / "tree", target)
    return ""


def _download(package: str, place: Path) -> Path:
    known = _run(["apt-cache", "policy", package], place).stdout
    if b"Candidate" not in known:
        _run(["apt-get", "update"], place)
    _run(["apt-get", "download", package], place)
    return next(place.glob(f"{package}_*.deb"))


def _extract(package: Path, archive: str, pick: Pick, target: Path) -> None:
    unpacked = package.parent / "unpacked"
    _run(["dpkg-deb", "-x", str(package), str(unpacked)], package.parent)
    with tarfile.open(next(unpacked.glob(archive))) as tree:
        tree.extractall(target, members=_members(tree, pick), filter="data")


def _members(tree: tarfile.TarFile, pick: Pick) -> Iterator[tarfile.TarInfo]:
    for member in tree:
        name = pick(member.name.partition("/")[2]) if member.isfile() else ""
        if name:
            yield member.replace(name=name)


def _run(command: list[str], place: Path) -> subprocess.CompletedProcess[bytes]:
    return subprocess.run(command, cwd=place, check=True, capture_output=True, timeout=SECONDS)
