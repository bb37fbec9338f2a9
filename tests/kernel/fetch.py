"""Fetch the files of two kernels that the tests read, from the distribution's source packages.

They come into `build/kernel`, or the folder that FLUSHPROOF_KERNELS names, one folder for each
version; what is there already is left alone. Run it as a script; it says what it could not get.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tarfile
import tempfile
from collections.abc import Iterator
from pathlib import Path

VERSIONS = ("6.1", "6.12")
WANTED = ("arch/x86/kvm/", "arch/x86/include/asm/")
SINGLE = ("include/linux/kvm_host.h", "include/linux/kvm_types.h")
SECONDS = 600


def folder() -> Path:
    """Return where the kernels are kept."""
    default = Path(__file__).parents[2] / "build" / "kernel"
    return Path(os.environ.get("FLUSHPROOF_KERNELS") or default)


def fetch(version: str) -> str:
    """Fetch one kernel; return what went wrong, nothing where all went well."""
    target = folder() / version
    if target.is_dir():
        return ""
    if shutil.which("apt-get") is None or shutil.which("dpkg-deb") is None:
        return "this system has no such packages"
    with tempfile.TemporaryDirectory() as temporary:
        place = Path(temporary)
        try:
            _extract(_download(version, place), version, place / "tree")
        except (OSError, subprocess.SubprocessError, tarfile.TarError, StopIteration) as error:
            return f"{type(error).__name__}: {error}"
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.move(place / "tree", target)
    return ""


def _download(version: str, place: Path) -> Path:
    package = f"linux-source-{version}"
    known = _run(["apt-cache", "policy", package], place).stdout
    if b"Candidate" not in known:
        _run(["apt-get", "update"], place)
    _run(["apt-get", "download", package], place)
    return next(place.glob(f"{package}_*.deb"))


def _extract(archive: Path, version: str, target: Path) -> None:
    inner = f"./usr/src/linux-source-{version}.tar.xz"
    unpacked = archive.parent / "unpacked"
    _run(["dpkg-deb", "-x", str(archive), str(unpacked)], archive.parent)
    with tarfile.open(unpacked / inner) as tree:
        tree.extractall(target, members=_members(tree), filter="data")


def _members(tree: tarfile.TarFile) -> Iterator[tarfile.TarInfo]:
    for member in tree:
        name = member.name.partition("/")[2]
        if member.isfile() and (name.startswith(WANTED) or name in SINGLE):
            yield member.replace(name=name)


def _run(command: list[str], place: Path) -> subprocess.CompletedProcess[bytes]:
    return subprocess.run(command, cwd=place, check=True, capture_output=True, timeout=SECONDS)


def main() -> int:
    """Fetch every kernel and say what is missing; missing kernels are no failure."""
    for version in VERSIONS:
        problem = fetch(version)
        sys.stderr.write(f"kernel {version}: {problem or folder() / version}\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
