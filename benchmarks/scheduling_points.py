"""Scheduling points: `python -m benchmarks.scheduling_points`, from the top of the repository.

`specs/counter_first.c` with two flushers at once, with any number of them, and with accesses to
flags that no lock guards and that hardly matter: seconds of the processor for `coverage` and
`cache_sound`, whole processes, without the cache, without sanity checks, one job. Nothing here is a
test.
"""

from __future__ import annotations

import argparse
import os
import resource
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import median

from benchmarks.bounded import machine_line

SPECS = Path(__file__).parent.parent / "specs"
CLAIMS = ("--claim", "coverage", "--claim", "cache_sound")
COMMAND = (sys.executable, "-m", "flushproof", "prove")
QUIETLY = ("--no-sanity", "--no-cache", "--jobs", "1", *CLAIMS)


@dataclass(frozen=True, slots=True)
class Work:
    """What is asked: a name for a reader, how many racy flags, the bounds and other options."""

    name: str
    racy: int
    flushers: str
    options: tuple[str, ...] = ()


WORKS = (
    *(
        Work(
            f"two flushers, {n} vCPUs, 1 load, 1 flush, bounded",
            0,
            "2",
            ("--engine", "bounded", "--vcpus", str(n), "--loads", "1", "--flushes", "1"),
        )
        for n in (2, 3, 4)
    ),
    Work("every N, one flusher at a time", 0, "1"),
    Work("every N, any number of flushers", 0, "any"),
    *(Work(f"every N, {n} racy flags, one flusher at a time", n, "1") for n in (8, 16)),
)


def main(argv: Sequence[str] | None = None) -> int:
    """Measure each and print a table."""
    parser = argparse.ArgumentParser(
        prog="benchmarks.scheduling_points", description="two claims, the more threads may step in"
    )
    parser.add_argument("--repeat", type=int, default=3, metavar="N", help="runs for a median")
    repeat = parser.parse_args(argv).repeat
    sys.stdout.write(f"{machine_line()}\n\n| work | CPU s | said |\n|---|---|---|\n")
    with tempfile.TemporaryDirectory() as folder:
        for work in WORKS:
            spec = write_spec(work, Path(folder))
            runs = [measure((*COMMAND, str(spec), *QUIETLY, *work.options)) for _ in range(repeat)]
            seconds, said = median(s for s, _ in runs), runs[0][1]
            sys.stdout.write(f"| {work.name} | {seconds:.1f} | {said} |\n")
            sys.stdout.flush()
    return 0


def write_spec(work: Work, folder: Path) -> Path:
    """Write the variant and its spec to a folder, and return where the spec is."""
    code = (SPECS / "counter_first.c").read_text(encoding="utf-8")
    spec = (SPECS / "counter_first.spec").read_text(encoding="utf-8")
    (folder / "counter_first.c").write_text(with_racy_flags(code, work.racy), encoding="utf-8")
    bounds = spec.replace("flushers 1;", f"flushers {work.flushers};")
    place = folder / "work.spec"
    place.write_text(bounds[: bounds.index("\texpect {")] + "}\n", encoding="utf-8")
    return place


def with_racy_flags(code: str, flags: int) -> str:
    """Return code in which each load sets flags and each flush reads them, under no lock."""
    fields = "".join(f"\tbool flag{n};\n" for n in range(flags))
    sets = "".join(f"\tWRITE_ONCE(kvm_vmx->flag{n}, true);\n" for n in range(flags))
    reads = "".join(f"\tif (READ_ONCE(kvm_vmx->flag{n}))\n\t\tseen = 1;\n" for n in range(flags))
    code = code.replace("struct kvm_vmx {\n", f"struct kvm_vmx {{\n{fields}", 1)
    code = code.replace("nr_roots, i;", "nr_roots, i, seen = 0;", 1)
    code = code.replace("if (nr_roots > 1)", "if (nr_roots > 1 || (seen && nr_roots > 1))", 1)
    flush, lock, load = code.partition("void vmx_load_mmu_pgd")
    return _before_lock(flush, reads) + lock + _before_lock(load, sets)


def _before_lock(code: str, lines: str) -> str:
    return code.replace("\tspin_lock(", f"{lines}\tspin_lock(", 1)


def measure(command: Sequence[str]) -> tuple[float, str]:
    """Return the processor's seconds of a process with its children, and the last line it said."""
    before = _children()
    run = subprocess.run(  # noqa: S603 - our own program
        command, capture_output=True, text=True, check=False, env={**os.environ, "COLUMNS": "80"}
    )
    return _children() - before, next(iter(_lines_backwards(run.stdout)), run.stderr.strip())


def _children() -> float:
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def _lines_backwards(text: str) -> Iterator[str]:
    for line in reversed(text.splitlines()):
        if line.strip():
            yield line.rpartition(": ")[2]


if __name__ == "__main__":
    sys.exit(main())
