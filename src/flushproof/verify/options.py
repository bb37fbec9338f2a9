"""What the user asked for, as one frozen value that is checked when it is made.

In: strings and numbers from the command line. Out: `Options`, which every later stage may trust.
`OPTIONS` declares what fills it: the command line, the configuration and the key of kept verdicts
follow this table.
"""

from __future__ import annotations

import re
from enum import StrEnum
from os import cpu_count

from flushproof.frontend.kernel.choices import Choices
from flushproof.frontend.spec.syntax import MAX_OPERATIONS, MAX_VCPUS
from flushproof.results.comparison import Compared, Relation, Since
from flushproof.support.diagnostics import Diagnostic, InputError
from flushproof.support.memory_limit import LEAST
from flushproof.support.memory_model import MemoryModel
from flushproof.support.record import Record, replace
from flushproof.verify.option import Group, Option
from flushproof.verify.option_errors import (
    NoRounds,
    NotARange,
    NothingToAgreeOn,
    OutOfBounds,
    ReversedRange,
    UnknownEngine,
    UnknownExecutor,
)

SOLVER, COMPILER = "cvc5", "gcc"
SECOND = (SOLVER, COMPILER)
ENGINES = ("auto", "bounded", "unbounded", "enumerate")

LOCAL = "local"

_DASK = re.compile(r"dask://([^/\s:]+|\[[0-9A-Fa-f:]+\]):(\d{1,5})")
_RANGE = re.compile(r"(\d{1,9})(?:\.\.(\d{1,9}))?", re.ASCII)


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


class Required(StrEnum):
    """What a claim that holds has to hold for: every number of vCPUs, or those within bounds."""

    EVERY = "every"
    BOUNDS = "bounds"


class Options(Record, frozen=True):
    """Bounds and choices of one run; None or an empty tuple leaves the choice to the spec.

    `OPTIONS` says what each means. `vcpus` is (low, high); `choices` are about a kernel file;
    `project` is what is configured; `sweeping` changes no verdict; `evidence`: proofs for every
    number of vCPUs come with what they rest on.
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
    required: Required | None = None

    def __post_init__(self) -> None:
        numbers = [o for o in OPTIONS if o.bounds is not None]
        problems = [
            *_range_problems(self.vcpus),
            *_range_problems(self.project.vcpus),
            *(p for o in numbers for p in o.problems(getattr(self, o.field))),
            *(p for o in numbers if o.in_specs for p in o.problems(getattr(self.project, o.field))),
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

    @property
    def wants_every(self) -> bool:
        """Tell whether claims have to hold for every number of vCPUs, not only within bounds."""
        return self.required is Required.EVERY if self.required else not self.bounded

    @property
    def deciding(self) -> Options:
        """The options without those that no verdict depends on, and without the claims."""
        usual = Options()
        others = (o.field for o in OPTIONS if o.field and not o.decides)
        plain = {name: getattr(usual, name) for name in (*others, "claims", "sweeping")}
        return replace(self, **plain)


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
    wrong = next((n for n in (high, low) if not 1 <= n <= MAX_VCPUS), None)
    if wrong is not None:
        return [OutOfBounds(span=None, option="--vcpus", value=wrong, low=1, high=MAX_VCPUS)]
    return [] if low <= high else [ReversedRange(span=None, low=low, high=high)]


def _engine_problems(engine: str | None) -> list[Diagnostic]:
    return [] if engine is None or engine in ENGINES else [UnknownEngine(span=None, name=engine)]


def _agree_problems(agree: str | None, engine: str | None) -> list[Diagnostic]:
    alone = agree == SOLVER and engine == "enumerate"
    return [NothingToAgreeOn(span=None, name="enumerate")] if alone else []


def _rounds_problems(rounds: int | None, engine: str | None) -> list[Diagnostic]:
    alone = rounds is not None and engine == "unbounded"
    return [NoRounds(span=None, name="unbounded")] if alone else []


def _read_range(value: int | str) -> tuple[int, int]:
    return parse_range(str(value))


def _read_executor(name: str) -> str:
    return Sweeping(executor=name).executor


def _read_names(names: list[str]) -> tuple[str, ...]:
    return tuple(dict.fromkeys(names))


OPTIONS: tuple[Option, ...] = (
    Option(
        name="claim",
        group=Group.CLAIMS,
        field="claims",
        metavar="NAME",
        help="decide only this claim (may be repeated)",
        repeated=True,
        read=_read_names,
    ),
    Option(
        name="vcpus",
        group=Group.SEARCH,
        field="vcpus",
        metavar="N|A..B",
        help="up to N vCPUs, or A to B vCPUs",
        read=_read_range,
        keys=(int, str),
        in_specs=True,
    ),
    Option(
        name="require",
        group=Group.REQUIRED,
        field="required",
        help="ask for proofs for every number of vCPUs (default without bounds), or be content "
        "with what holds within bounds",
        choices=tuple(Required),
        read=Required,
    ),
    Option(
        name="loads",
        group=Group.SEARCH,
        field="loads",
        metavar="N",
        help="loads per vCPU",
        kind=int,
        bounds=(0, MAX_OPERATIONS),
        keys=(int,),
        in_specs=True,
    ),
    Option(
        name="flushes",
        group=Group.SEARCH,
        field="flushes",
        metavar="N",
        help="flushes per flusher",
        kind=int,
        bounds=(0, MAX_OPERATIONS),
        keys=(int,),
        in_specs=True,
    ),
    Option(
        name="rounds",
        group=Group.METHOD,
        field="rounds",
        metavar="R",
        help="turns that each thread takes (default: enough for every interleaving)",
        kind=int,
        bounds=(1, 1_000_000),
        keys=(int,),
        usual="enough",
        in_pytest=True,
    ),
    Option(
        name="memory",
        group=Group.METHOD,
        field="memory",
        help="memory model: sc, tso with x86 store buffers, or pso, without order of stores",
        choices=tuple(MemoryModel),
        read=MemoryModel,
        keys=(str,),
        in_specs=True,
        usual=MemoryModel.SC,
    ),
    Option(
        name="max-memory",
        group=Group.LIMITS,
        field="megabytes",
        metavar="MB",
        help="memory that one process may take; what needs more is unknown",
        kind=int,
        bounds=(LEAST, 1 << 24),
        keys=(int,),
    ),
    Option(
        name="engine",
        group=Group.METHOD,
        field="engine",
        help="bounded: within the bounds; unbounded: only for every number of vCPUs; auto: both, "
        "as far as is needed (usual); enumerate: state by state, no solver, for few vCPUs",
        choices=ENGINES,
        keys=(str,),
        usual="by command",
        in_pytest=True,
    ),
    Option(
        name="agree",
        group=Group.AGREEMENT,
        field="agree",
        help="put each question to a second solver, too, or compare what the C does with gcc",
        choices=SECOND,
        keys=(str,),
        in_pytest=True,
    ),
    Option(
        name="max-steps",
        group=Group.LIMITS,
        field="steps",
        metavar="N",
        help="steps that a solver may take for one question; what needs more is unknown",
        kind=int,
        bounds=(1, 4_000_000_000),
        keys=(int,),
        in_pytest=True,
    ),
    Option(
        name="jobs",
        group=Group.METHOD,
        field="jobs",
        metavar="N",
        help="processes, 0: as many as CPUs",
        kind=int,
        default=0,
        bounds=(0, 1024),
        keys=(int,),
        decides=False,
    ),
    Option(
        name="executor",
        group=Group.JOBS,
        metavar="NAME",
        help="where to decide: `local` processes (default), or `dask://HOST:PORT`",
        default=LOCAL,
        read=_read_executor,
        keys=(str,),
    ),
    Option(
        name="cache-dir",
        group=Group.JOBS,
        metavar="DIR",
        help="keep verdicts here (default: the user's cache)",
        keys=(str,),
    ),
    Option(
        name="no-cache",
        group=Group.JOBS,
        help="neither use nor keep verdicts",
        kind=bool,
        keys=(bool,),
    ),
    Option(
        name="sanity",
        group=Group.SANITY,
        field="sanity",
        help="beside each proof: nothing, whether the claim is put to the test, also whether one "
        "of a few edits of the code breaks it (usual), or of all",
        choices=tuple(Sanity),
        read=Sanity,
    ),
    Option(
        name="kernel",
        group=Group.KERNEL,
        help="read the file as one of a kernel, also outside of a kernel tree",
        kind=bool,
    ),
    Option(name="flush", group=Group.KERNEL, metavar="NAME", help="the function that flushes"),
    Option(
        name="load",
        group=Group.KERNEL,
        metavar="NAME",
        help="the function that loads a vCPU's root",
    ),
    Option(
        name="cache",
        group=Group.KERNEL,
        metavar="FIELD",
        help="the field that holds the cached root",
    ),
    Option(
        name="folders",
        group=Group.KERNEL,
        flags=("-I",),
        metavar="DIR",
        help="look for headers here too (may be repeated)",
        repeated=True,
    ),
    Option(
        name="show-invariant",
        group=Group.EVIDENCE,
        help="show what proofs for every number of vCPUs rest on, in C's terms",
        kind=bool,
    ),
    Option(
        name="certificate",
        group=Group.EVIDENCE,
        metavar="OUT",
        help="write these proofs for `flushproof recheck`",
    ),
)
"""In the order in which `config` shows those that a project may set."""
