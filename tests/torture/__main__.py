"""Judge the whole suite and print what came of it: `PYTHONPATH=tests python -m torture`.

The exit code is 1 where an answer is wrong or too few tests are accepted, 0 also where the suite is
not there.
"""

from __future__ import annotations

import re
import sys
from collections import Counter
from collections.abc import Iterable, Iterator
from concurrent.futures import ProcessPoolExecutor

from torture.judge import Answer, Told, judge
from torture.suite import names

ACCEPTED = 535
"""How many tests have to be accepted."""

_QUOTED = re.compile(r"`[^`]*`")
SHOWN = 6


def main(arguments: list[str]) -> int:
    """Judge tests, all of them where none is named, and print the answers."""
    wanted = arguments or names()
    if not wanted:
        sys.stdout.write("the torture tests are not there: run `python -m torture.fetch`\n")
        return 0
    with ProcessPoolExecutor() as pool:
        told = tuple(pool.map(judge, wanted, chunksize=8))
    sys.stdout.writelines(f"{line}\n" for line in report(told))
    counts = Counter(t.answer for t in told)
    enough = arguments or counts[Answer.RIGHT] + counts[Answer.UNKNOWN] >= ACCEPTED
    return 0 if enough and not counts[Answer.WRONG] else 1


def report(told: Iterable[Told]) -> Iterator[str]:
    """Yield lines: each test that is not right, refusals by reason, and the numbers."""
    told = tuple(told)
    for t in told:
        if t.answer not in (Answer.RIGHT, Answer.REFUSED):
            yield f"{t.answer}: {_placed(t)} {t.reason}"
    refused: dict[str, list[Told]] = {}
    for t in told:
        if t.answer is Answer.REFUSED:
            refused.setdefault(_QUOTED.sub("`...`", t.reason), []).append(t)
    for reason, group in sorted(refused.items(), key=lambda x: (-len(x[1]), x[0])):
        some = ", ".join(_placed(t) for t in group[:SHOWN])
        yield f"refused: {len(group):3} {reason} ({some}{', ...' if len(group) > SHOWN else ''})"
    counts = Counter(t.answer for t in told)
    yield f"{len(told)} tests: " + ", ".join(f"{counts[a]} {a}" for a in Answer)
    yield f"of these the solver shows {sum(t.proved for t in told)}"


def _placed(t: Told) -> str:
    return f"{t.name}:{t.line}" if t.line else t.name


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
