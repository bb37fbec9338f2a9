"""What gcc makes of a torture test without the options that change its meaning.

Some tests rest on what a library function does that they define themselves, or on calls that an
option puts in. These abort here, too, so that an abort by our reading is no mistake.
"""

from __future__ import annotations

import shutil
import subprocess
import tempfile
from pathlib import Path

FLAGS = ("-std=gnu11", "-O0", "-w", "-fwrapv", "-fno-strict-aliasing", "-fno-builtin")
SECONDS = 20


def ends_well(text: str) -> bool:
    """Tell whether a program returns 0; that is taken for granted where gcc cannot say."""
    if shutil.which("gcc") is None:
        return True
    with tempfile.TemporaryDirectory() as folder:
        place = Path(folder)
        (place / "test.c").write_text(text, encoding="latin-1")
        made = _run(["gcc", *FLAGS, "-o", "test", "test.c"], place)
        return made.returncode != 0 or _run(["./test"], place).returncode == 0


def _run(command: list[str], place: Path) -> subprocess.CompletedProcess[bytes]:
    return subprocess.run(command, cwd=place, check=False, capture_output=True, timeout=SECONDS)
