"""Write docs/gallery.md: each file of specs/bugs/, with what the tool says of it.

Run it as `python docs/gallery.py`.
"""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

TOP = Path(__file__).resolve().parent.parent
BUGS = TOP / "specs" / "bugs"
PAGE = TOP / "docs" / "gallery.md"
DECIDED = (0, 1)
NOT_YET = """\
## What is not here yet

Not tried so far: interrupts that a CPU has off, bitmaps of tags that are given away (the ASID
rollover), and vCPUs that change CPUs (92e450507d56). The words for the first two are missing.
"""


def main() -> int:
    """Write the page."""
    PAGE.write_text(page(), encoding="utf-8")
    return 0


def names() -> list[str]:
    """Return the bugs, by the beginnings of their files' names."""
    return sorted(path.name.removesuffix("_before.spec") for path in BUGS.glob("*_before.spec"))


def page() -> str:
    """Return the whole page."""
    return "\n".join([opening(), *(section(name) for name in names()), NOT_YET])


def opening() -> str:
    """Return what stands before the first bug."""
    return (
        "# Bugs of remote TLB flushing\n\n"
        "`python docs/gallery.py` writes this page: each verdict and each schedule is what the\n"
        "command above it prints. Each bug is written afresh, from what its source says, as a\n"
        "file before the fix and one after it. A CPU caches a translation at any time it is\n"
        "touched, in one step, and a remote flush is a store to what it has cached.\n"
    )


def section(name: str) -> str:
    """Return the part about one bug: what it is, its counterexample, and the proof of the fix."""
    code = (BUGS / f"{name}_before.c").read_text(encoding="utf-8")
    head = re.findall(r"^ \* (.*)$", code.split("*/", 1)[0], re.MULTILINE)
    source, told = head[0].removeprefix("Source: "), "\n".join(head[1:])
    shown = (console("refute", f"{name}_before"), console("prove", f"{name}_after"))
    return f"## {name}\n\n{source}.\n\n{told}\n\n" + "\n".join(shown)


def console(command: str, name: str) -> str:
    """Return a block with a command for the one claim of a spec, and what it prints."""
    spec = f"specs/bugs/{name}.spec"
    said = re.search(r"^\tclaim (\w+)", (TOP / spec).read_text(encoding="utf-8"), re.MULTILINE)
    if said is None:
        raise ValueError(f"{spec} has no claim")
    typed = f"flushproof {command} {spec} --claim {said[1]}"
    return f"```console\n$ {typed}\n{output(typed)}```\n"


def output(typed: str) -> str:
    """Run a command at the top of the repository, and return what it prints.

    Raises:
        RuntimeError: It decided nothing.
    """
    arguments = [sys.executable, "-m", *typed.split()]
    environment = {**os.environ, "FLUSHPROOF_CACHE": "off", "NO_COLOR": "1"}
    done = subprocess.run(  # noqa: S603 - our own commands
        arguments, cwd=TOP, env=environment, capture_output=True, text=True, check=False
    )
    if done.returncode not in DECIDED:
        raise RuntimeError(f"{typed}: {done.stderr}")
    return done.stdout


if __name__ == "__main__":
    raise SystemExit(main())
