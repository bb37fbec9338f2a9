"""A campaign: `python tests/fuzz/campaign.py TARGET --seconds N [--corpus DIR] [--found DIR]`.

Guided by coverage where `atheris` is installed, else by chance alone. Each text that is neither
accepted nor refused with an `InputError`, or takes more than `CPU` seconds of the processor, is
written to the folder of findings, and the campaign goes on; it ends with 1 if there are any. It
prints how many texts were tried, in how much time of the processor.
"""

from __future__ import annotations

import argparse
import hashlib
import os
import random
import resource
import signal
import sys
import time
import traceback
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from types import FrameType

sys.path.insert(0, str(Path(__file__).parent.parent))

CPU = 10.0
"""Seconds of the processor that one text may take; coverage makes everything some times slower."""
MEMORY = 4 << 30
EVERY = 60


class TooSlow(BaseException):
    """A text takes too long."""


class Campaign:
    """Counts, and keeps what goes wrong, once for each place."""

    def __init__(self, accepts: Callable[[bytes], bool], found: Path, seconds: float) -> None:
        self.accepts = accepts
        self.found = found
        self.end = time.monotonic() + seconds
        self.told = 0.0
        self.tried = 0
        self.refused = 0
        self.slowest = 0.0
        self.places: Counter[str] = Counter()

    def one(self, data: bytes) -> None:
        """Try one text."""
        started = time.process_time()
        self.tried += 1
        signal.setitimer(signal.ITIMER_VIRTUAL, CPU)
        try:
            self.refused += not self.accepts(data)
        except (Exception, TooSlow) as error:  # noqa: BLE001 - whatever it is, it is a finding
            self._keep(data, error)
        finally:
            signal.setitimer(signal.ITIMER_VIRTUAL, 0)
        self.slowest = max(self.slowest, time.process_time() - started)
        if time.monotonic() > self.told + EVERY:
            self.told = time.monotonic()
            self.tell()
        if time.monotonic() > self.end:
            self.tell()
            os._exit(1 if self.places else 0)  # nothing else ends libFuzzer

    def tell(self) -> None:
        """Print the counts."""
        used = resource.getrusage(resource.RUSAGE_SELF)
        print(  # noqa: T201 - what a script says
            f"{self.tried} tried, {self.refused} refused, {sum(self.places.values())} findings in "
            f"{len(self.places)} places, {used.ru_utime + used.ru_stime:.0f} s of the processor, "
            f"slowest {self.slowest:.1f} s, {used.ru_maxrss >> 10} MB",
            flush=True,
        )

    def _keep(self, data: bytes, error: BaseException) -> None:
        frames = traceback.extract_tb(error.__traceback__)
        ours = [f for f in frames if "flushproof" in f.filename] or frames
        place = f"{type(error).__name__}-{Path(ours[-1].filename).stem}-{ours[-1].lineno}"
        if isinstance(error, (TooSlow, RecursionError, MemoryError)):
            place = f"{type(error).__name__}-{Path(ours[len(ours) // 2].filename).stem}"
        self.places[place] += 1
        if self.places[place] <= 3:
            name = f"{place}-{hashlib.sha256(data).hexdigest()[:8]}"
            (self.found / name).write_bytes(data)
            (self.found / f"{name}.txt").write_text(
                "".join(traceback.format_exception(error))[-9000:]
            )
            print(f"found {name}", flush=True)  # noqa: T201 - what a script says


def main() -> None:
    """Run the command line."""
    reader = argparse.ArgumentParser(description=__doc__)
    reader.add_argument("target")
    reader.add_argument("--seconds", type=float, default=60)
    reader.add_argument("--seed", type=int, default=1)
    reader.add_argument("--corpus", type=Path)
    reader.add_argument("--found", type=Path, default=Path("findings"))
    reader.add_argument("--blind", action="store_true", help="do without coverage")
    given = reader.parse_args()
    given.found.mkdir(parents=True, exist_ok=True)
    resource.setrlimit(resource.RLIMIT_AS, (MEMORY, MEMORY))
    signal.signal(signal.SIGVTALRM, _too_slow)
    try:
        import atheris
    except ImportError:
        given.blind = True
    if given.blind:
        _blind(given)
    else:
        _guided(given, atheris)


def _too_slow(_signal: int, _frame: FrameType | None) -> None:
    raise TooSlow


def _blind(given: argparse.Namespace) -> None:
    from fuzz.mutate import mutate
    from fuzz.targets import TARGETS

    target = TARGETS[given.target]
    seeds = list(target.seeds())
    chance = random.Random(given.seed)
    campaign = Campaign(target.accepts, given.found, given.seconds)
    while True:
        data = mutate(chance.choice(seeds), seeds, chance)
        if chance.random() < 0.3:
            data = mutate(data, seeds, chance)
        campaign.one(data)


def _guided(given: argparse.Namespace, atheris) -> None:  # type: ignore[no-untyped-def] # noqa: ANN001
    with atheris.instrument_imports(include=["flushproof", "lark", "unidiff"]):
        from fuzz.targets import TARGETS
    from fuzz.mutate import LONGEST, mutate

    target = TARGETS[given.target]
    seeds = list(target.seeds())
    campaign = Campaign(target.accepts, given.found, given.seconds)
    corpus = given.corpus or given.found / f"corpus-{given.target}"
    corpus.mkdir(parents=True, exist_ok=True)
    for seed in seeds:
        (corpus / hashlib.sha256(seed).hexdigest()[:16]).write_bytes(seed)

    def change(data: bytes, most: int, seed: int) -> bytes:
        chance = random.Random(seed)
        return mutate(data or chance.choice(seeds), seeds, chance)[:most]

    options = [f"-max_len={LONGEST}", f"-seed={given.seed}", "-timeout=600", "-rss_limit_mb=0"]
    arguments = [sys.argv[0], *options, "-verbosity=0", str(corpus)]
    atheris.Setup(arguments, campaign.one, custom_mutator=change)
    atheris.Fuzz()


if __name__ == "__main__":
    main()
