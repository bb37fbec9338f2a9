"""Rewrite the outputs that the README, the walk, the tutorial and the gallery show.

Run it as `python examples/regenerate.py`.
Each block of these pages that starts with three backquotes and `console` holds one command after
`$ ` and below it what that command prints. `--check` writes nothing and exits with 1 if a block is
out of date.
"""

from __future__ import annotations

import argparse
import os
import re
import shlex
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

TOP = Path(__file__).resolve().parent.parent
PAGES = (
    TOP / "README.md",
    TOP / "examples" / "README.md",
    TOP / "docs" / "tutorial.md",
    TOP / "docs" / "gallery.md",
)
DECIDED = (0, 1, 3)

_BLOCK = re.compile(r"^```console\n\$ (?P<command>.*)\n(?P<output>(?:.*\n)*?)```$", re.MULTILINE)


def main(argv: Sequence[str] | None = None) -> int:
    """Rewrite the pages, or only compare."""
    parser = argparse.ArgumentParser(description="rewrite the outputs in the pages")
    parser.add_argument("--check", action="store_true", help="only compare, exit 1 on a difference")
    arguments = parser.parse_args(argv)
    stale = [page for page in PAGES if not _renew(page, write=not arguments.check)]
    for page in stale:
        sys.stderr.write(f"{page} is out of date: run `python examples/regenerate.py`\n")
    return 1 if stale else 0


def _renew(page: Path, *, write: bool) -> bool:
    """Renew a page, or return whether it is up to date."""
    old = page.read_text(encoding="utf-8")
    new = rewritten(old)
    if write:
        page.write_text(new, encoding="utf-8")
    return write or old == new


def blocks(page: str) -> tuple[tuple[str, str], ...]:
    """Return the commands of a page, each with the output that stands below it."""
    return tuple((found["command"], found["output"]) for found in _BLOCK.finditer(page))


def rewritten(page: str) -> str:
    """Return the page with every output renewed."""
    return _BLOCK.sub(lambda found: f"```console\n$ {found[1]}\n{output(found[1])}```", page)


def without_outputs(page: str) -> str:
    """Return the page without what its commands print."""
    return _BLOCK.sub(lambda found: f"```console\n$ {found[1]}\n```", page)


def output(command: str) -> str:
    """Run a `flushproof` command at the top of the repository and return what it prints.

    Raises:
        RuntimeError: it is another command, or it ended without a verdict.
    """
    name, *arguments = shlex.split(command)
    if name != "flushproof":
        raise RuntimeError(f"not a flushproof command: {command}")
    plain = {k: v for k, v in os.environ.items() if k not in ("FORCE_COLOR", "PYTHONHASHSEED")}
    plain["FLUSHPROOF_CACHE"] = "off"
    run = subprocess.run(  # noqa: S603 - the commands are those of our own page
        [sys.executable, "-m", "flushproof", *arguments],
        cwd=TOP,
        env=plain,
        capture_output=True,
        text=True,
        check=False,
    )
    # What stands on stderr beside a verdict is progress.
    if run.returncode not in DECIDED:
        raise RuntimeError(f"{command}: exit {run.returncode}\n{run.stderr}")
    return run.stdout


if __name__ == "__main__":
    sys.exit(main())
