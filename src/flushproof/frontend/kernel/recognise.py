"""A kernel file made a `Setup`: operations found, file reduced, creation and cache looked up."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import ClassVar

from flushproof.frontend.c import syntax as c
from flushproof.frontend.c.types import Integer
from flushproof.frontend.kernel.boot import BootValues, find_boot_values
from flushproof.frontend.kernel.builtin_headers import BuiltinHeaders, builtin_headers
from flushproof.frontend.kernel.choices import Choices
from flushproof.frontend.kernel.collect import Collector
from flushproof.frontend.kernel.left_out import list_left_out
from flushproof.frontend.kernel.library import Library, Surroundings, cut_file
from flushproof.frontend.kernel.name_resolution import ResolvedNames
from flushproof.frontend.kernel.notes import Notes
from flushproof.frontend.kernel.overridden import list_overridden
from flushproof.frontend.kernel.profiles import (
    Profile,
    choose_profile,
    profiles_source,
    read_profiles,
)
from flushproof.frontend.kernel.relevance import Relevance
from flushproof.frontend.kernel.roles import declare_operation, pick_function
from flushproof.frontend.kernel.slicing import (
    OtherWriters,
    Slice,
    called_by,
    close_slice,
    members_of,
    slice_of,
)
from flushproof.frontend.kernel.state import SharedScalar
from flushproof.frontend.kernel.tracked import TrackedState
from flushproof.frontend.setup import Assumptions, Bounds, Setup
from flushproof.frontend.spec.builtin import load_builtin, read_shipped
from flushproof.frontend.spec.parser import parse_spec
from flushproof.frontend.spec.syntax import CacheDecl
from flushproof.ir.types import Int
from flushproof.support.diagnostics import EXIT_USAGE, Diagnostic, InputError, suggest_closest
from flushproof.support.record import Record, replace
from flushproof.support.resources import DEFAULTS
from flushproof.support.source import Source

LOW_BITS = "a root is loaded with no bits below its page"


class Recognised(Record, frozen=True):
    """What was made of a kernel file; `missing` are included files that were not found."""

    setup: Setup
    profile: str
    missing: tuple[str, ...]


class NoHypercall(Diagnostic, frozen=True, kw_only=True):
    """A flush that issues no hypercall the machine knows."""

    CODE: ClassVar[str] = "FP0605"
    TITLE: ClassVar[str] = "`{name}` issues no hypercall"
    HELP: ClassVar[str] = "looked for {names}"
    name: str
    names: str


class NoSuchField(Diagnostic, frozen=True, kw_only=True):
    """A field named by the user that neither operation uses."""

    CODE: ClassVar[str] = "FP0606"
    TITLE: ClassVar[str] = "no field `{name}` is used by the flush or the load{hint}"
    EXIT: ClassVar[int] = EXIT_USAGE
    name: str
    hint: str


def reduce_kernel_file(
    variant: Source,
    choices: Choices,
    place: Path,
    texts: Mapping[Path, str] | None = None,
    around: Surroundings | None = None,
) -> Recognised:
    """Reduce a kernel file, which stands at `place`, to its flush and its load.

    `texts` stand in for what other files hold, `around` has what was read before.

    Raises:
        InputError: something needed is missing, ambiguous or outside the subset.
    """
    start = builtin_headers()
    main = cut_file(variant)
    for doubt in main.outline.doubts:
        raise doubt
    folders = tuple(Path(f) for f in choices.folders)
    library = Library(main, folders, place, around or Surroundings(), dict(texts or {}))
    known = ResolvedNames(start, library)
    flush = pick_function(library, "flush", choices.flush)
    load = pick_function(library, "load", choices.load)
    part = slice_of(known, flush, load)
    _require_hypercall(known, part)
    profile = choose_profile(part.flush.function.name, part.load.function.name, part.members)
    kept = members_of(known, part)
    created = find_boot_values(known, profile, kept, part.tracked, part.functions.values())
    undisturbed = None
    disturbers = (*part.notes.unknown, *created.disturbers)
    if disturbers:
        calm = _closed(known, part, created.calm, quiet=True)
        undisturbed = _assemble(known, calm, profile, choices, created.calm)
    setup = _assemble(known, _closed(known, part, created), profile, choices, created)
    setup = replace(setup, undisturbed=undisturbed, disturbers=disturbers)
    return Recognised(setup, profile.name, library.missing)


def _closed(
    known: ResolvedNames, part: Slice, created: BootValues, *, quiet: bool = False
) -> Slice:
    """Return the slice with what others may write; if `quiet` no function that is unknown does."""
    notes = Notes(dict(part.notes.assumed), dict(part.notes.called))
    given = frozenset(created.values)
    outside = OtherWriters(given, created.disturbed, created.variables, quiet)
    return close_slice(known, replace(part, notes=notes), outside)


def _require_hypercall(known: ResolvedNames, part: Slice) -> None:
    names = Relevance(known, TrackedState()).hypercalls
    f = part.flush.function
    called = {n for body in part.functions.values() for n in called_by(body.function)}
    if called & names:
        return
    listed = ", ".join(f"`{n}`" for n in sorted(names))
    raise InputError(NoHypercall(span=f.span, name=f.name, names=listed))


def _assemble(
    known: ResolvedNames,
    part: Slice,
    profile: Profile,
    choices: Choices,
    created: BootValues,
) -> Setup:
    start, library = known.base, known.library
    collector = Collector(known, part.functions, part.notes)
    unit = collector.unit()
    caches, blocks = _clauses(part, profile, choices.cache, created, start)
    own = library.main.outline.source
    notes = _assumed(known, part, created)
    names = dict.fromkeys(b.where.name for b in part.functions.values())
    others = [Source(n, library.text(Path(n))) for n in names if n != own.name]
    operations = (
        declare_operation(known, "flush", part.flush),
        declare_operation(known, "load", part.load),
    )
    return Setup(
        name=Path(own.name).stem,
        variant=own,
        declarations=load_builtin().declared(unit, partial=True),
        operations=operations,
        boot=blocks,
        caches=caches,
        bounds=Bounds(),
        assumptions=Assumptions(),
        exempt=frozenset(),
        claims=load_builtin().claims,
        expectations=(),
        sources=(*load_builtin().sources, start.source, profiles_source(), own, *others),
        assumed=notes,
        units=(*start.units, unit),
    )


# Clauses -----------------------------------------------------------------------------------------


def _clauses(
    part: Slice, profile: Profile, wanted: str | None, created: BootValues, start: BuiltinHeaders
) -> tuple[tuple[CacheDecl, ...], tuple[c.Block, ...]]:
    paths = {key: p for key, s in part.shared.items() if (p := s.path)}
    lines = [f"{paths[key]} = {v};" for key, v in created.values.items() if key in paths]
    text = "spec found { boot { " + " ".join(lines) + " } " if lines else "spec found { "
    cached = _cached(part, wanted)
    if cached is not None:
        text += f"cache when VALID_PAGE({cached}) is {cached} & PAGE_MASK; "
    spec = parse_spec(Source("<found>", text + "}"), start.context).specs[0]
    blocks = (spec.boot,) if spec.boot else ()
    if wanted is not None:
        return spec.caches, blocks
    known = _usual_caches()
    rest = tuple(x for p in (profile, *read_profiles()) for x in p.spec.caches)
    return (*known, *dict.fromkeys(rest), *spec.caches), blocks


@cache
def _usual_caches() -> tuple[CacheDecl, ...]:
    return parse_spec(read_shipped(DEFAULTS), builtin_headers().context).specs[0].caches


def _cached(part: Slice, wanted: str | None) -> str | None:
    """Return where the cached root is: as the user says, or the one place that can hold it."""
    able = {s.member: s.path for s in part.shared.values() if s.path and _holds_root(s)}
    if wanted is None:
        return next(iter(able.values())) if len(able) == 1 else None
    if wanted not in able:
        raise InputError(NoSuchField(span=None, name=wanted, hint=suggest_closest(wanted, able)))
    return able[wanted]


def _holds_root(s: SharedScalar) -> bool:
    t = s.type.ir if isinstance(s.type, Integer) else None
    return not s.vcpu and isinstance(t, Int) and t.width == 64


# Assumptions -------------------------------------------------------------------------------------


def _assumed(known: ResolvedNames, part: Slice, created: BootValues) -> tuple[str, ...]:
    out = list(part.notes.assumed)
    own = known.library.main.name
    files = {b.where.name for b in part.functions.values() if b.where.name.endswith(".c")}
    out = [f"{Path(n).name} is the file that belongs to it" for n in sorted(files - {own})] + out
    out += created.told
    off = list_left_out(known, part.functions.values(), part.tracked.members)
    if off:
        one = len(off) == 1
        words = "is no macro, and what needs it" if one else "are no macros, and what needs them"
        out.append(f"{', '.join(off)} {words} is left out")
    other = list_overridden(known, part.functions.values())
    if other:
        verb = "is" if len(other) == 1 else "are"
        out.append(f"{', '.join(other)} {verb} what the prelude says, not what a header does")
    invented = sorted({f"{s}.{m}" for s, m in known.invented})
    if invented:
        out.append(f"no declaration of {', '.join(invented)} was found; taken from their use")
    return tuple(dict.fromkeys((*out, LOW_BITS)))
