"""What calls cost, as frozen data: the most hypercalls that one of them can issue."""

from __future__ import annotations

from flushproof.results.trace import Trace
from flushproof.results.verdict import EXIT_OK, EXIT_UNDECIDED, Report, Verdict, VerdictScope
from flushproof.support.record import Record


class Cost(Record, frozen=True):
    """The most hypercalls of one call with so many vCPUs, on exactly so many roots.

    `most` is None where it is not known, for which `reason` tells why; `trace` is a schedule that
    attains it, replayed, None where no call issues any.
    """

    vcpus: int
    roots: int
    most: int | None
    trace: Trace | None = None
    reason: str = ""

    @property
    def least(self) -> int:
        """The least possible: one hypercall for each root in use."""
        return self.roots

    @property
    def excess(self) -> int:
        """How many hypercalls there are more than needed; 0 where that is not known."""
        return 0 if self.most is None else max(0, self.most - self.least)


class Costs(Record, frozen=True):
    """All costs of one variant, fewest vCPUs first; `scope` says within which bounds they hold."""

    path: str
    cells: tuple[Cost, ...]
    scope: VerdictScope
    assumptions: tuple[str, ...]
    seconds: float

    def at(self, vcpus: int, roots: int) -> Cost | None:
        """Return the cost with so many vCPUs and roots, if it was looked for."""
        return next((c for c in self.cells if (c.vcpus, c.roots) == (vcpus, roots)), None)

    @property
    def telling(self) -> Cost | None:
        """The first cost above the least possible, fewest vCPUs first; None without one."""
        return next((c for c in self.cells if c.excess), None)


class SideBySide(Record, frozen=True):
    """Variants side by side: the verdicts on each, and what its calls cost, in the same order."""

    reports: tuple[Report, ...]
    costs: tuple[Costs, ...]

    @property
    def exit_code(self) -> int:
        """0 where everything is decided, else 3: nothing is expected of any variant."""
        results = (r for report in self.reports for r in report.results)
        verdicts = all(r.verdict.decided or r.verdict is Verdict.NOT_ASKED for r in results)
        costs = all(c.most is not None for each in self.costs for c in each.cells)
        return EXIT_OK if verdicts and costs else EXIT_UNDECIDED
