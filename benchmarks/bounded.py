"""What the bounded engine takes: `python -m benchmarks.bounded`, from the top of the repository.

It prints medians over `--repeat` runs, for one flush call from an arbitrary state and for every
claim about every variant under `specs/` at 1..4 vCPUs, 2 loads, 2 flushes. Nothing here is a test.
"""

from __future__ import annotations

import argparse
import os
import platform
import sys
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from statistics import median

from benchmarks import one_call
from flushproof.frontend.setup import Bounds
from flushproof.frontend.spec.resolve import from_spec
from flushproof.machine.build import build_machine
from flushproof.report.json_report import z3_version
from flushproof.results.verdict import ClaimResult
from flushproof.verify.portfolio import Question, decide_claims

SPECS = Path(__file__).parent.parent / "specs"
SIZES = (4, 8, 16, 32, 64)
BOUNDS = Bounds(vcpus=(1, 4), loads=2, flushes=2, flushers=1)

Show = Callable[[str], None]


def main(argv: Sequence[str] | None = None) -> int:
    """Run the chosen parts and print their tables as they are done."""
    arguments = _parser().parse_args(argv)
    _show(machine_line())
    if arguments.part in ("call", "all"):
        one_call_table(arguments.repeat, _show)
    if arguments.part in ("claims", "all"):
        claims_table(arguments.repeat, _show)
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="benchmarks.bounded", description=__doc__)
    parser.add_argument("part", nargs="?", choices=("call", "claims", "all"), default="all")
    parser.add_argument("--repeat", type=int, default=3, metavar="N", help="runs for a median")
    return parser


def _show(line: str) -> None:
    sys.stdout.write(f"{line}\n")
    sys.stdout.flush()


def machine_line() -> str:
    """Return what the figures were measured on."""
    python = platform.python_version()
    return f"{os.cpu_count()} CPUs ({platform.machine()}), Python {python}, z3 {z3_version()}"


def one_call_table(repeat: int, show: Show) -> None:
    """Show `coverage` of one flush call from an arbitrary state with a sound cache."""
    show("\ncoverage of one flush call, counter_first, from any state with a sound cache")
    show("(last column: the same with a stale cache allowed, where the claim has to fail)\n")
    show("vCPUs  build s  solve s  verdict   stale cache")
    program = one_call.program()
    for vcpus in SIZES:
        runs = [one_call.decide(program, vcpus) for _ in range(repeat)]
        stale = one_call.decide(program, vcpus, cache_sound=False)
        build_s = median(r.build_seconds for r in runs)
        solve_s = median(r.solve_seconds for r in runs)
        verdicts = f"{_agreed(r.verdict for r in runs):<8}  {stale.verdict}"
        show(f"{vcpus:5}  {build_s:7.2f}  {solve_s:7.2f}  {verdicts}")


def claims_table(repeat: int, show: Show) -> None:
    """Show the seconds to each claim's verdict; a refutation ends at the smallest vCPU count."""
    columns = {p.stem: _variant(p, repeat) for p in sorted(SPECS.glob("*.spec"))}
    claims = next(iter(columns.values())).keys()
    show("\nseconds to the verdict, 1..4 vCPUs, 2 loads, 2 flushes (*: refuted)\n")
    for part in (0, 1):
        show(_row("", (name.split("_", 1)[part] for name in columns)))
    for claim in claims:
        show(_row(claim, (column[claim][1] for column in columns.values())))
    totals = (sum(seconds for seconds, _ in column.values()) for column in columns.values())
    show(_row("total", (f"{seconds:.2f} " for seconds in totals)))


def _variant(spec: Path, repeat: int) -> dict[str, tuple[float, str]]:
    """Return the median seconds of each claim of a spec, as a number and as a cell."""
    machine = build_machine(from_spec(str(spec)))
    claims = tuple(c.name for c in machine.setup.claims)
    runs = [tuple(decide_claims(machine, Question(claims, BOUNDS))) for _ in range(repeat)]
    return {results[0].claim: _cell(results) for results in zip(*runs, strict=True)}


def _cell(results: tuple[ClaimResult, ...]) -> tuple[float, str]:
    seconds = median(r.seconds for r in results)
    mark = {"proved": " ", "refuted": "*"}.get(_agreed(r.verdict for r in results), "?")
    return seconds, f"{seconds:.2f}{mark}"


def _row(head: str, cells: Iterable[str]) -> str:
    return f"{head:<13}" + "".join(f"{cell:>10}" for cell in cells).rstrip()


def _agreed(verdicts: Iterable[str]) -> str:
    """Return the verdict of all runs."""
    (verdict,) = set(verdicts)
    return verdict


if __name__ == "__main__":
    sys.exit(main())
