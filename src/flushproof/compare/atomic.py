"""Whether each call of a variant is one atomic step.

If it is, every interleaving comes to the same as some order of whole calls (Lipton, CACM 1975), so
that comparing whole calls loses nothing. If it is not, what others see in between is not compared.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from flushproof.ir.program import Program, Role
from flushproof.machine.setup import Bounds
from flushproof.record import Record
from flushproof.source import Span

WHOLE_CALLS = "calls one after the other"
EVERY = "every interleaving (each call is one atomic step)"


class Cuts(Record, frozen=True):
    """The places at which others may see a variant in the middle of a call."""

    places: tuple[Span, ...]

    def words(self) -> str:
        """Name the places."""
        lines = sorted({s.line for s in self.places})
        noun = "line" if len(lines) == 1 else "lines"
        return f"{self.places[0].file}, {noun} {', '.join(map(str, lines))}"


def cuts(program: Program, bounds: Bounds | None) -> Cuts | None:
    """Return where calls are not atomic, None where all are; without bounds for any number."""
    from flushproof.engines.symbolic.moves import Population
    from flushproof.engines.symbolic.plan import make_plan

    many = Population(None, 1) if bounds is None else Population(bounds.vcpus[1], bounds.flushers)
    plan = make_plan(program, many)
    found = tuple(_places(program, plan.boundaries))
    return Cuts(found) if found else None


def _places(program: Program, boundaries: Mapping[str, frozenset[int]]) -> Iterator[Span]:
    for o in (*program.of(Role.FLUSH), *program.of(Role.LOAD)):
        for at in sorted(boundaries[o.name] - {0}):
            yield o.code[at].span or o.span
