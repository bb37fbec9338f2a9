"""Fetch gcc's torture tests from the distribution's source package of gcc.

They come into `build/torture`, or the folder that FLUSHPROOF_TORTURE names; what is there already
is left alone. `PYTHONPATH=tests python -m torture.fetch` says what it could not get.
"""

from __future__ import annotations

import os
import sys
from pathlib import Path

from support import distribution
from support.places import TOP

PACKAGE = "gcc-12-source"
ARCHIVE = "usr/src/gcc-12/gcc-*.tar.xz"
WANTED = "gcc/testsuite/gcc.c-torture/execute/"


def folder() -> Path:
    """Return where the tests are kept."""
    default = TOP / "build" / "torture"
    return Path(os.environ.get("FLUSHPROOF_TORTURE") or default)


def _pick(path: str) -> str:
    name = path.removeprefix(WANTED)
    return name if path.startswith(WANTED) and name.endswith(".c") and "/" not in name else ""


def main() -> int:
    """Fetch the tests and say what is missing; that they cannot be had is no failure."""
    problem = distribution.fetch(PACKAGE, ARCHIVE, _pick, folder())
    sys.stderr.write(f"{PACKAGE}: {problem or folder()}\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
