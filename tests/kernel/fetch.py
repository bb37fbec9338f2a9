"""Fetch the files of two kernels that the tests read, from the distribution's source packages.

They come into `build/kernel`, or the folder that FLUSHPROOF_KERNELS names, one folder for each
version; what is there already is left alone. `PYTHONPATH=tests python -m kernel.fetch` says
what it could not get.
"""

from __future__ import annotations

import os
import sys
from pathlib import Path

from support import distribution
from support.places import TOP

VERSIONS = ("6.1", "6.12")
WANTED = ("arch/x86/kvm/", "arch/x86/include/asm/")
SINGLE = ("include/linux/kvm_host.h", "include/linux/kvm_types.h")


def folder() -> Path:
    """Return where the kernels are kept."""
    default = TOP / "build" / "kernel"
    return Path(os.environ.get("FLUSHPROOF_KERNELS") or default)


def fetch(version: str) -> str:
    """Fetch one kernel; return what went wrong, nothing where all went well."""
    package = f"linux-source-{version}"
    return distribution.fetch(package, f"usr/src/{package}.tar.xz", _pick, folder() / version)


def _pick(path: str) -> str:
    return path if path.startswith(WANTED) or path in SINGLE else ""


def main() -> int:
    """Fetch every kernel and say what is missing; missing kernels are no failure."""
    for version in VERSIONS:
        problem = fetch(version)
        sys.stderr.write(f"kernel {version}: {problem or folder() / version}\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
