"""All interleavings, side by side with Spin and Rumur: `python -m benchmarks.interleavings`.

The workload is `specs/counter_first.c` with the claims `coverage` and `cache_sound`, on grids of
vCPUs x loads each x flushes by one flusher: to be proved as it stands, and to be refuted without
the lock in its load function. flushproof reads the C file and is timed as a whole process; the
peers read the models in `benchmarks/peers`, written by hand, and only their search is timed, not
translation and compilation. The figures of flushproof are those of its bounded engine; the line
`for all` is its unbounded engine, whose proof covers every number of vCPUs, loads and flushes.
Neither takes verdicts from the cache, nor asks whether edits of the code would be noticed. Every
figure is measured in this run. Nothing here is a test.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import resource
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import median

ROOT = Path(__file__).parent.parent
SPEC = ROOT / "specs" / "counter_first.c"
PEERS = Path(__file__).parent / "peers"
LOAD = "void vmx_load_mmu_pgd("
LOCK_CALLS = ("spin_lock(", "spin_unlock(")

PROVED = "proved"
REFUTED = "refuted"
STOPPED = "limit"
EXHAUSTED = "memory"


@dataclass(frozen=True, slots=True)
class Size:
    """A grid: vCPUs, loads of each, flushes by the one flusher."""

    vcpus: int
    loads: int
    flushes: int

    def __str__(self) -> str:
        return f"{self.vcpus}x{self.loads}x{self.flushes}"


@dataclass(frozen=True, slots=True)
class Task:
    """A grid for the code as it stands, or without the lock in its load function."""

    size: Size
    nolock: bool

    @property
    def expected(self) -> str:
        """The right verdict."""
        return REFUTED if self.nolock else PROVED


@dataclass(frozen=True, slots=True)
class Limits:
    """What one run may take, and how many runs a median is of."""

    seconds: float
    megabytes: int
    runs: int


@dataclass(frozen=True, slots=True)
class Run:
    """One run of one tool."""

    verdict: str
    seconds: float
    cpu_seconds: float
    megabytes: float


@dataclass(frozen=True, slots=True)
class Tool:
    """A model checker: what it needs, its sizes, how a question is prepared and an answer read.

    `prepare` writes to a directory of its own and returns the command of the search.
    """

    name: str
    needs: tuple[tuple[str, str], ...]
    proofs: tuple[Size, ...]
    prepare: Callable[[Task, Path], list[str]]
    verdict: Callable[[int, str], str]

    def missing(self) -> str:
        """Return what is not installed, with the packages that have it."""
        absent = [(n, package) for n, package in self.needs if shutil.which(n) is None]
        return ", ".join(f"{n} not found (Debian package {package})" for n, package in absent)


def _sizes(*texts: str) -> tuple[Size, ...]:
    return tuple(Size(*map(int, text.split("x"))) for text in texts)


def without_lock(text: str) -> str:
    """Return the variant's text with the lock and unlock lines of its load function left out."""
    before, load, body = text.partition(LOAD)
    lines = body.splitlines(keepends=True)
    kept = [line for line in lines if not line.strip().startswith(LOCK_CALLS)]
    assert len(lines) - len(kept) == len(LOCK_CALLS)
    return before + load + "".join(kept)


def _bounded(task: Task, where: Path) -> list[str]:
    return _flushproof(task, where, "bounded")


def _unbounded(task: Task, where: Path) -> list[str]:
    return _flushproof(task, where, "unbounded")


def _flushproof(task: Task, where: Path, engine: str) -> list[str]:
    variant = SPEC
    if task.nolock:
        variant = where / "counter_first_nolock.c"
        variant.write_text(without_lock(SPEC.read_text()))
    command = [sys.executable, "-m", "flushproof", "prove", str(variant)]
    command += ["--claim", "coverage", "--claim", "cache_sound", "--engine", engine]
    command += ["--no-cache", "--no-sanity", "--format", "json"]
    low = 1 if task.nolock else task.size.vcpus  # what is refuted is reported at its smallest
    command += ["--vcpus", f"{low}..{task.size.vcpus}"]
    return [*command, "--loads", str(task.size.loads), "--flushes", str(task.size.flushes)]


def _flushproof_verdict(code: int, out: str) -> str:
    if code not in (0, 1):
        return "failed"
    report, _ = json.JSONDecoder().raw_decode(out)  # what follows was said on stderr
    verdicts = {claim["verdict"] for claim in report["claims"]}
    if code == 0 and verdicts == {PROVED}:
        return PROVED
    return REFUTED if code == 1 and REFUTED in verdicts else "failed"


def _spin(task: Task, where: Path) -> list[str]:
    """Prepare a search in order of creation; in reverse it comes upon the missing lock sooner."""
    size = task.size
    given = [f"-DVCPUS={size.vcpus}", f"-DLOADS={size.loads}", f"-DFLUSHES={size.flushes}"]
    given += ["-DNOLOCK"] if task.nolock else []
    _make(["spin", "-a", *given, str(PEERS / "counter_first.pml")], where)
    options = ["-w", "-O2", "-DSAFETY", *(["-DREVERSE"] if task.nolock else [])]
    _make(["gcc", *options, "-o", "pan", "pan.c"], where)
    return ["env", "-C", str(where), "./pan", "-m100000"]  # it leaves its trail where it runs


def _spin_verdict(code: int, out: str) -> str:
    if "assertion violated" in out:
        return REFUTED
    whole = "errors: 0" in out and "Search not completed" not in out and "max search" not in out
    return PROVED if code == 0 and whole else "failed"


def _rumur(task: Task, where: Path) -> list[str]:
    text = (PEERS / f"counter_first{'_nolock' if task.nolock else ''}.m").read_text()
    size = task.size
    for name, value in (("VCPUS", size.vcpus), ("LOADS", size.loads), ("FLUSHES", size.flushes)):
        text = text.replace(f"\t{name}: 2;\n", f"\t{name}: {value};\n")
    (where / "model.m").write_text(text)
    options = ["--deadlock-detection", "off", "--threads", "1"]
    _make(["rumur", *options, "--output", "model.c", "model.m"], where)
    flags = ["-w", "-O3", "-march=native"]
    _make(["gcc", *flags, "-o", "model", "model.c", "-lpthread", "-latomic"], where)
    return [str(where / "model")]


def _rumur_verdict(code: int, out: str) -> str:
    if code == 0 and "No error found." in out:
        return PROVED
    return REFUTED if code == 1 and "error(s) found." in out else "failed"


def _make(command: list[str], where: Path) -> None:
    subprocess.run(command, cwd=where, check=True, stdout=subprocess.DEVNULL)  # noqa: S603 our own files


GRID = _sizes("4x2x2", "8x2x2", "16x1x2")
FLUSHPROOF = Tool("flushproof", (), GRID, _bounded, _flushproof_verdict)
FOR_ALL = Tool("- for all", (), GRID, _unbounded, _flushproof_verdict)
PEER_TOOLS = (
    Tool(
        "spin",
        (("spin", "spin"), ("gcc", "gcc")),
        _sizes("2x2x2", "3x2x2", "4x2x2", "5x2x2"),
        _spin,
        _spin_verdict,
    ),
    Tool(
        "rumur",
        (("rumur", "rumur"), ("gcc", "gcc")),
        _sizes("3x2x2", "4x2x2", "5x2x2", "6x2x2"),
        _rumur,
        _rumur_verdict,
    ),
)
MUTANTS = _sizes("2x2x2", "8x2x2")


def measure(command: list[str], limits: Limits, verdict: Callable[[int, str], str]) -> Run:
    """Run a command once: its wall and CPU seconds and its peak memory, children included."""
    with tempfile.TemporaryFile("w+") as out:
        started = time.perf_counter()
        child = subprocess.Popen(  # noqa: S603 our own commands
            command,
            cwd=ROOT,
            stdout=out,
            stderr=subprocess.STDOUT,
            preexec_fn=lambda: _bound(limits.megabytes),  # noqa: PLW1509 no other thread is running
            start_new_session=True,
        )
        timer = threading.Timer(limits.seconds, os.killpg, (child.pid, signal.SIGKILL))
        timer.start()
        _, status, used = os.wait4(child.pid, 0)
        seconds = time.perf_counter() - started
        timer.cancel()
        timer.join()
        child.returncode = os.waitstatus_to_exitcode(status)
        out.seek(0)
        answer = _answer(child.returncode, out.read(), verdict)
    return Run(answer, seconds, used.ru_utime + used.ru_stime, used.ru_maxrss / 1024)


def _answer(code: int, out: str, verdict: Callable[[int, str], str]) -> str:
    if code == -signal.SIGKILL:
        return STOPPED
    if code and ("out of memory" in out or "MemoryError" in out):
        return EXHAUSTED
    return verdict(code, out)


def _bound(megabytes: int) -> None:
    resource.setrlimit(resource.RLIMIT_AS, (megabytes << 20, megabytes << 20))


def measured(tool: Tool, task: Task, limits: Limits) -> Run:
    """Return the median of the runs; the first that reaches no verdict stands for all."""
    with tempfile.TemporaryDirectory() as name:
        command = tool.prepare(task, Path(name))
        runs: list[Run] = []
        while len(runs) < limits.runs:
            run = measure(command, limits, tool.verdict)
            if run.verdict not in (PROVED, REFUTED):
                return run
            runs.append(run)
    (verdict,) = {run.verdict for run in runs}
    return Run(
        verdict,
        median(run.seconds for run in runs),
        median(run.cpu_seconds for run in runs),
        max(run.megabytes for run in runs),
    )


def main(argv: Sequence[str] | None = None) -> int:
    """Measure every tool that is installed; 1 if a verdict is not the expected one."""
    arguments = _parser().parse_args(argv)
    limits = Limits(arguments.limit, arguments.memory, arguments.runs)
    peers = tuple(tool for tool in PEER_TOOLS if not tool.missing())
    _heading(limits)
    largest = arguments.largest
    wrong = _proofs(peers, limits, largest) + _missing_lock(peers, limits, largest)
    if wrong:
        _show(f"\n{wrong} measurements without the expected verdict")
    return 1 if wrong else 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="benchmarks.interleavings", description=__doc__)
    add = parser.add_argument
    add("--limit", type=float, default=120, metavar="S", help="seconds that one run may take")
    add("--memory", type=int, default=8192, metavar="MB", help="memory that one run may take")
    add("--runs", type=int, default=3, metavar="N", help="runs to take a median of")
    add("--largest", type=int, default=64, metavar="N", help="leave out grids of more vCPUs")
    return parser


def _show(line: str) -> None:
    sys.stdout.write(f"{line}\n")
    sys.stdout.flush()


def _heading(limits: Limits) -> None:
    _show("counter_first, `coverage` and `cache_sound` together, every interleaving, from boot")
    _show(f"medians of {limits.runs} runs, the largest peak memory of them")
    _show(f"each run within {limits.seconds:g} s and {limits.megabytes} MB")
    _show("ratio: wall seconds of the other / those of flushproof's bounded engine, same grid")
    _show("- for all: flushproof's unbounded engine; its proof covers every grid")
    _show(f"{os.cpu_count()} CPUs ({platform.machine()}), Python {platform.python_version()}")
    for tool in PEER_TOOLS:
        if tool.missing():
            _show(f"{tool.name} skipped: {tool.missing()}")


def _proofs(peers: tuple[Tool, ...], limits: Limits, largest: int) -> int:
    """Show the proofs of the code as it stands; return how many were not proved."""
    sizes = {size for tool in (FLUSHPROOF, *peers) for size in tool.proofs}
    tasks = [Task(s, nolock=False) for s in sorted(sizes, key=_order) if s.vcpus <= largest]
    _show("\nas it stands: to be proved\n")
    return _table(tasks, peers, limits)


def _missing_lock(peers: tuple[Tool, ...], limits: Limits, largest: int) -> int:
    """Show how the missing lock is found; return how many did not find it."""
    tasks = [Task(size, nolock=True) for size in MUTANTS if size.vcpus <= largest]
    _show("\nwithout the lock in the load function: to be refuted\n")
    return _table(tasks, peers, limits)


def _order(size: Size) -> tuple[int, int, int]:
    return size.vcpus, size.loads, size.flushes


def _table(tasks: Sequence[Task], peers: tuple[Tool, ...], limits: Limits) -> int:
    _show("grid    tool        verdict    wall s   CPU s   peak MB     ratio")
    wrong = 0
    for task in tasks:
        ours = measured(FLUSHPROOF, task, limits)
        wrong += _row(task, FLUSHPROOF, ours, "")
        for tool in (FOR_ALL, *peers):
            if tool is not FOR_ALL if task.nolock else task.size in tool.proofs:
                run = measured(tool, task, limits)
                wrong += _row(task, tool, run, _ratio(run, ours))
    return wrong


def _row(task: Task, tool: Tool, run: Run, ratio: str) -> int:
    """Show a line; return 1 where the tool answers wrongly, or fails within the limits."""
    figures = f"{run.seconds:6.2f}  {run.cpu_seconds:6.2f}  {run.megabytes:8.0f}"
    _show(f"{task.size!s:<7} {tool.name:<11} {run.verdict:<9}  {figures}  {ratio:>8}".rstrip())
    return int(run.verdict not in (task.expected, STOPPED, EXHAUSTED))


def _ratio(run: Run, ours: Run) -> str:
    """How many times as long a peer took; a run that was stopped would have taken longer."""
    done = [r.verdict in (PROVED, REFUTED) for r in (run, ours)]
    if not any(done):
        return "-"
    mark = "" if all(done) else "< " if done[0] else "> "
    return f"{mark}{run.seconds / ours.seconds:.2g}"


if __name__ == "__main__":
    sys.exit(main())
