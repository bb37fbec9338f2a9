"""Write docs/gallery.md from `specs/bugs`: `python docs/gallery.py`.

Each bug has a folder with the code before and after its fix, and a spec for either. The page has
what the head of the code says, what the fix changes, and commands with what they print, which
`python examples/regenerate.py` keeps up to date.
"""

from __future__ import annotations

import re
import sys
from collections.abc import Iterator
from difflib import unified_diff
from pathlib import Path

HERE = Path(__file__).resolve().parent
TOP = HERE.parent
BUGS = TOP / "specs" / "bugs"
PAGE = HERE / "gallery.md"
CLAIM = re.compile(r"^\tclaim (\w+)|expect \{ (\w+)", re.MULTILINE)

INTRODUCTION = """\
# Bugs of remote TLB flushing

Public bugs of KVM, Linux, Xen and FreeBSD, each as a few lines of C: the code before the fix, which
is refuted, and after it. They are written afresh from what the fixes say, and keep the logic alone.
All are in [`specs/bugs`](../specs/bugs), with a spec for either version;
`flushproof check specs/bugs` compares all with the verdicts below.

Where a fixed version is not proved for every number of CPUs, its verdict says why. A CPU of any
kind is a vCPU of the model, and so is a device with an IOMMU; other threads are any other code.
"""

UNSAID = """\
## What cannot be said

* Loads that are reordered: a missing `smp_rmb()` or an acquiring load, as on arm64 and RISC-V.
* IPIs with a handler of their own. Here one is served at once where interrupts are on, and a CPU
  with interrupts off is one that says so.
* Time: a grace period, or a timer that flushes later.
* Tables with several levels, and caches of their upper levels.
* How many entries a queue has, beyond a few: each entry is a variable of its own.
"""


def make_page() -> str:
    """Return the page, without what the commands print."""
    parts = [INTRODUCTION, *(_section(folder) for folder in list_bugs()), UNSAID]
    return "\n".join(parts)


def list_bugs() -> list[Path]:
    """Return the folder of each bug."""
    return sorted(p for p in BUGS.iterdir() if p.is_dir())


def describe_bug(folder: Path) -> tuple[str, str]:
    """Return the source of a bug and what went wrong, from the head of its code."""
    code = (folder / "before.c").read_text(encoding="utf-8")
    head = code[: code.index(" */")].splitlines()[1:]
    text = "\n".join(line.removeprefix(" *").strip() for line in head)
    source, _, wrong = text.partition("\n\n")
    return source, wrong


def name_claim(folder: Path) -> str:
    """Return the name of the claim that a bug breaks."""
    found = CLAIM.search((folder / "before.spec").read_text(encoding="utf-8"))
    assert found is not None
    return found[1] or found[2]


def _section(folder: Path) -> str:
    source, wrong = describe_bug(folder)
    ask = f"flushproof prove specs/bugs/{folder.name}/{{}}.spec --claim {name_claim(folder)}"
    commands = [f"```console\n$ {ask.format(which)}\n```\n" for which in ("before", "after")]
    fix = "```diff\n" + "".join(_changes(folder)) + "```\n"
    title = folder.name.replace("_", " ")
    return "\n".join((f"## {title}\n\n{source}\n\n{wrong}\n", commands[0], fix, commands[1]))


def _changes(folder: Path) -> Iterator[str]:
    before, after = (
        (folder / name).read_text(encoding="utf-8").splitlines(keepends=True)
        for name in ("before.c", "after.c")
    )
    for line in list(unified_diff(before, after, n=2))[2:]:
        yield "@@\n" if line.startswith("@@") else line


def main() -> int:
    """Write the page, with no outputs yet."""
    PAGE.write_text(make_page(), encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
