"""What the user asked for, as one frozen value that is checked when it is made.

In: strings and numbers from the command line. Out: `Options`, which every later stage may trust.
"""

from __future__ import annotations

import re
from enum import StrEnum
from os import cpu_count
from typing import ClassVar

from flushproof.frontend.kernel.choices import Choices
from flushproof.results.comparison import Compared, Relation, Since
from flushproof.support.diagnostics import EXIT_USAGE, Diagnostic, InputError
from flushproof.support.memory_limit import LEAST
from flushproof.support.memory_model import MemoryModel
from flushproof.support.record import Record

MAX_VCPUS = 4096
MAX_OPERATIONS = 1000
MAX_ROUNDS = 1_000_000
MAX_JOBS = 1024
MAX_STEPS = 4_000_000_000
MAX_MEGABYTES = 1 << 24
SOLVER, COMPILER = "cvc5", "gcc"
SECOND = (SOLVER, COMPILER)
ENGINES = ("auto", "bounded", "unbounded", "enumerate")

LOCAL = "local"

_DASK = re.compile(r"dask://([^/\s:]+|\[[0-9A-Fa-f:]+\]):(\d{1,5})")
_RANGE = re.compile(r"(\d{1,9})(?:\.\.(\d{1,9}))?", re.ASCII)


class NotARange(Diagnostic, frozen=True, kw_only=True):
    """A `--vcpus` that is neither a number nor a range."""

    CODE: ClassVar[str] = "FP0104"
    TITLE: ClassVar[str] = "`{text}` is not a number of vCPUs"
    HELP: ClassVar[str] = "write `4` for 1..4 vCPUs, or a range such as `2..4`"
    EXIT: ClassVar[int] = EXIT_USAGE

    text: str


class ReversedRange(Diagnostic, frozen=True, kw_only=True):
    """A range whose end comes before its start."""

    CODE: ClassVar[str] = "FP0105"
    TITLE: ClassVar[str] = "the range `{low}..{high}` of vCPUs is empty"
    HELP: ClassVar[str] = "the smaller number comes first"
    EXIT: ClassVar[int] = EXIT_USAGE

    low: int
    high: int


class OutOfBounds(Diagnostic, frozen=True, kw_only=True):
    """A number outside what the option allows."""

    CODE: ClassVar[str] = "FP0106"
    TITLE: ClassVar[str] = "`{option}` cannot be {value}"
    HELP: ClassVar[str] = "it must lie in {low}..{high}"
    EXIT: ClassVar[int] = EXIT_USAGE

    option: str
    value: int
    low: int
    high: int


class UnknownEngine(Diagnostic, frozen=True, kw_only=True):
    """An engine that does not exist."""

    CODE: ClassVar[str] = "FP0107"
    TITLE: ClassVar[str] = "there is no engine `{name}`"
    HELP: ClassVar[str] = "engines: `auto`, `bounded`, `unbounded`, `enumerate`"
    EXIT: ClassVar[int] = EXIT_USAGE

    name: str


class NothingToAgreeOn(Diagnostic, frozen=True, kw_only=True):
    """A second opinion on what no solver answers."""

    CODE: ClassVar[str] = "FP0123"
    TITLE: ClassVar[str] = "`--agree cvc5` wants an engine that asks a solver, not `{name}`"
    HELP: ClassVar[str] = "engines that do: `auto`, `bounded`, `unbounded`"
    EXIT: ClassVar[int] = EXIT_USAGE
    name: str


class NoRounds(Diagnostic, frozen=True, kw_only=True):
    """Fewer rounds of an engine that has none."""

    CODE: ClassVar[str] = "FP0128"
    TITLE: ClassVar[str] = "--rounds is for an engine that looks, not `{name}`"
    HELP: ClassVar[str] = "engines that look: `auto`, `bounded`"
    EXIT: ClassVar[int] = EXIT_USAGE
    name: str


class UnknownExecutor(Diagnostic, frozen=True, kw_only=True):
    """An `--executor` that is none."""

    CODE: ClassVar[str] = "FP0112"
    TITLE: ClassVar[str] = "there is no executor `{name}`"
    HELP: ClassVar[str] = "write `local`, or `dask://HOST:PORT` for a Dask scheduler"
    EXIT: ClassVar[int] = EXIT_USAGE
    name: str


class Project(Record, frozen=True):
    """What the project's configuration says where a spec says nothing; None: nothing either."""

    vcpus: tuple[int, int] | None = None
    loads: int | None = None
    flushes: int | None = None
    memory: MemoryModel | None = None


class Sweeping(Record, frozen=True):
    """How jobs are carried out: the folder of known verdicts (None: none), and where they run.

    Raises `InputError` for an executor that does not exist.
    """

    cache: str | None = None
    executor: str = LOCAL

    def __post_init__(self) -> None:
        if self.executor != LOCAL and _DASK.fullmatch(self.executor) is None:
            raise InputError(UnknownExecutor(span=None, name=self.executor))


class Sanity(StrEnum):
    """What is asked beside a proof.

    Nothing; whether the claim is ever put to the test; also whether one of a few likely edits of
    the code breaks it; or any edit.
    """

    OFF = "off"
    REACH = "reach"
    QUICK = "quick"
    FULL = "full"


class Options(Record, frozen=True):
    """Bounds and choices of one run; None or an empty tuple leaves the choice to the spec.

    `vcpus` is (low, high); `loads` and `flushes` count operations per thread; `claims` names the
    claims to decide (empty: all); `jobs` is the number of processes, 0 for one per processor;
    `rounds` is how many turns each thread takes, None for enough to cover every interleaving;
    `memory` is the memory model; `engine` one of `ENGINES`; `choices` are about a kernel file;
    `project` is what is configured; `sweeping` changes no verdict; `steps` is how many of its own
    steps a solver may take for one question, `megabytes` what a process may take, `agree` names a
    second solver, or the compiler that is to agree with the interpreter; `sanity` is what to ask
    beside proofs, None for the usual, and with `evidence` proofs for every number of vCPUs come
    with what they rest on.
    Raises `InputError` with usage diagnostics, all at once.
    """

    vcpus: tuple[int, int] | None = None
    loads: int | None = None
    flushes: int | None = None
    claims: tuple[str, ...] = ()
    engine: str | None = None
    jobs: int = 0
    rounds: int | None = None
    memory: MemoryModel | None = None
    choices: Choices = Choices()
    project: Project = Project()
    sweeping: Sweeping = Sweeping()
    steps: int | None = None
    megabytes: int | None = None
    agree: str | None = None
    sanity: Sanity | None = None
    evidence: bool = False

    def __post_init__(self) -> None:
        problems = [
            *_range_problems(self.vcpus),
            *_range_problems(self.project.vcpus),
            *_bound_problems("--loads", self.loads, 0, MAX_OPERATIONS),
            *_bound_problems("--flushes", self.flushes, 0, MAX_OPERATIONS),
            *_bound_problems("--loads", self.project.loads, 0, MAX_OPERATIONS),
            *_bound_problems("--flushes", self.project.flushes, 0, MAX_OPERATIONS),
            *_bound_problems("--rounds", self.rounds, 1, MAX_ROUNDS),
            *_bound_problems("--jobs", self.jobs, 0, MAX_JOBS),
            *_bound_problems("--max-steps", self.steps, 1, MAX_STEPS),
            *_bound_problems("--max-memory", self.megabytes, LEAST, MAX_MEGABYTES),
            *_engine_problems(self.engine),
            *_agree_problems(self.agree, self.engine),
            *_rounds_problems(self.rounds, self.engine),
        ]
        if problems:
            raise InputError(*problems)

    @property
    def processes(self) -> int:
        """The number of processes to use."""
        return self.jobs or cpu_count() or 1

    @property
    def bounded(self) -> bool:
        """Tell whether some bound is given: else every number of vCPUs is asked for."""
        return any(x is not None for x in (self.vcpus, self.loads, self.flushes))


class Comparing(Record, frozen=True):
    """What two variants are compared in, since when, and how they are expected to stand."""

    compared: Compared = Compared.SEQUENCE
    since: Since = Since.BOOT
    expected: Relation = Relation.EQUAL


class Reviewing(Record, frozen=True):
    """What is reviewed: a patch to the file `base`, or what a range of git commits did to it.

    `path` says which file of the patch is meant where the base has another name.
    """

    base: str
    patch: str = ""
    git: str = ""
    path: str | None = None


def parse_range(text: str) -> tuple[int, int]:
    """Read `N` as (1, N) and `A..B` as (A, B); raise `InputError` for anything else."""
    found = _RANGE.fullmatch(text.strip())
    if found is None:
        raise InputError(NotARange(span=None, text=text))
    first, second = found.groups()
    return (1, int(first)) if second is None else (int(first), int(second))


def _range_problems(vcpus: tuple[int, int] | None) -> list[Diagnostic]:
    if vcpus is None:
        return []
    low, high = vcpus
    outside = [*_bound_problems("--vcpus", high, 1, MAX_VCPUS)]
    outside = outside or [*_bound_problems("--vcpus", low, 1, MAX_VCPUS)]
    if outside or low <= high:
        return outside
    return [ReversedRange(span=None, low=low, high=high)]


def _bound_problems(option: str, value: int | None, low: int, high: int) -> list[Diagnostic]:
    if value is None or low <= value <= high:
        return []
    return [OutOfBounds(span=None, option=option, value=value, low=low, high=high)]


def _engine_problems(engine: str | None) -> list[Diagnostic]:
    return [] if engine is None or engine in ENGINES else [UnknownEngine(span=None, name=engine)]


def _agree_problems(agree: str | None, engine: str | None) -> list[Diagnostic]:
    alone = agree == SOLVER and engine == "enumerate"
    return [NothingToAgreeOn(span=None, name="enumerate")] if alone else []


def _rounds_problems(rounds: int | None, engine: str | None) -> list[Diagnostic]:
    alone = rounds is not None and engine == "unbounded"
    return [NoRounds(span=None, name="unbounded")] if alone else []
