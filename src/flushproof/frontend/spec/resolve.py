"""From the files a user names to a `Setup`: spec, variant, prelude and claims read and joined."""

from __future__ import annotations

from pathlib import Path
from typing import ClassVar

from flushproof.frontend.c import syntax as c
from flushproof.frontend.c.load import load_source
from flushproof.frontend.c.parser import parse_c
from flushproof.frontend.c.vcpu_counts import counted_unit
from flushproof.frontend.setup import Assumptions, Bounds, Setup
from flushproof.frontend.spec import syntax as s
from flushproof.frontend.spec.builtin import load_builtin, read_shipped
from flushproof.frontend.spec.headers import Headers
from flushproof.frontend.spec.operation_names import check_operations, check_subjects
from flushproof.frontend.spec.parse_once import parse_beside_variant, parse_without_variant
from flushproof.frontend.spec.path_confinement import confine_path
from flushproof.frontend.spec.spec_errors import check_once
from flushproof.frontend.spec.suggest_spec import advise_spec
from flushproof.support.diagnostics import (
    EXIT_INPUT,
    EXIT_USAGE,
    Diagnostic,
    InputError,
    Note,
    suggest_closest,
)
from flushproof.support.memory_model import MemoryModel
from flushproof.support.record import replace
from flushproof.support.resources import DEFAULTS
from flushproof.support.source import Source, Span


class UnknownClaim(Diagnostic, frozen=True, kw_only=True):
    """A claim that neither the program nor the spec states."""

    CODE: ClassVar[str] = "FP0505"
    TITLE: ClassVar[str] = "there is no claim `{name}`{hint}"
    HELP: ClassVar[str] = "`flushproof explain` lists the claims that come with the program"
    EXIT: ClassVar[int] = EXIT_USAGE
    EXIT_IN_FILE: ClassVar[int] = EXIT_INPUT
    name: str
    hint: str = ""


class NoExpectation(Diagnostic, frozen=True, kw_only=True):
    """A claim that is to be checked and of which the spec expects nothing."""

    CODE: ClassVar[str] = "FP0506"
    TITLE: ClassVar[str] = "spec `{spec}` states no expectation of claim `{claim}`"
    EXIT: ClassVar[int] = EXIT_USAGE
    spec: str
    claim: str


class NoVariant(Diagnostic, frozen=True, kw_only=True):
    """A spec without a variant to check."""

    CODE: ClassVar[str] = "FP0507"
    TITLE: ClassVar[str] = "spec `{name}` names no variant"
    HELP: ClassVar[str] = 'add `variant "file.c";`'
    name: str


class NoSpecHere(Diagnostic, frozen=True, kw_only=True):
    """A spec file that holds no spec, or more than one where one is needed."""

    CODE: ClassVar[str] = "FP0509"
    TITLE: ClassVar[str] = "`{path}` holds {count} specs, one is needed"
    path: str
    count: int


class NotTheFamily(Diagnostic, frozen=True, kw_only=True):
    """A C file without the functions that the default spec looks for."""

    CODE: ClassVar[str] = "FP0510"
    TITLE: ClassVar[str] = "`{path}` defines no function `{name}`"
    HELP: ClassVar[str] = "{advice}"
    path: str
    name: str
    advice: str


class OwnClaim(Diagnostic, frozen=True, kw_only=True):
    """A claim of a spec under the name of one that comes with the program."""

    CODE: ClassVar[str] = "FP0516"
    TITLE: ClassVar[str] = "claim `{name}` comes with the program"
    LABEL: ClassVar[str] = "this would take its place"
    HELP: ClassVar[str] = "choose another name, or write `override claim {name}`"
    name: str


class NothingToOverride(Diagnostic, frozen=True, kw_only=True):
    """A claim that is to take the place of one that does not exist."""

    CODE: ClassVar[str] = "FP0517"
    TITLE: ClassVar[str] = "no claim `{name}` comes with the program{hint}"
    HELP: ClassVar[str] = "leave out `override`"
    name: str
    hint: str = ""


def from_spec(path: str) -> Setup:
    """Read a spec file and the variant it names.

    Raises:
        InputError: either file is not accepted.
    """
    source = load_source(path)
    return _from_spec_source(source, Path(path).parent, None)


def from_variant(path: str, spec: str | None) -> Setup:
    """Read a C file under a spec file's set-up, or under the built-in one.

    Raises:
        InputError: either file is not accepted.
    """
    return from_text(load_source(path), spec)


def from_text(variant: Source, spec: str | None, place: Path | None = None) -> Setup:
    """Do as `from_variant` with a text that need not stand in a file, but is meant to in `place`.

    Raises:
        InputError: it, or the spec file, is not accepted.
    """
    path = variant.name
    if spec is not None:
        return _from_spec_source(load_source(spec), Path(spec).parent, variant, place)
    setup = _from_spec_source(read_shipped(DEFAULTS), Path(), variant, place)
    for operation in setup.operations:
        function = setup.declarations.functions.get(operation.function)
        if function is None or function.body is None:
            advice = advise_spec(setup.declarations, path)
            missing = NotTheFamily(span=None, path=path, name=operation.function, advice=advice)
            raise InputError(missing)
    read_as = f"a variant, boot values from {DEFAULTS.name}"
    return replace(setup, name=Path(path).stem, stated=frozenset(), read_as=read_as)


def from_texts(variant: Source, spec: Source) -> Setup:
    """Read a variant under the set-up of a spec, neither of which need stand in a file.

    Raises:
        InputError: one of them is not accepted.
    """
    return _from_spec_source(spec, Path(spec.name).parent, variant)


def only_spec(source: Source) -> tuple[s.Spec, s.SpecTree]:
    """Parse a spec file that holds one spec, without its variant.

    Raises:
        InputError: it is not accepted, or holds another number of specs.
    """
    file = parse_without_variant(source)
    if len(file.specs) != 1:
        where = file.specs[1].span if file.specs else None
        raise InputError(NoSpecHere(span=where, path=source.name, count=len(file.specs)))
    return file.specs[0], file


def _from_spec_source(
    source: Source, folder: Path, variant: Source | None, place: Path | None = None
) -> Setup:
    start = load_builtin()
    spec, _ = only_spec(source)
    variant = variant or _variant(spec, folder)
    headers = Headers(variant, place or Path(variant.name))
    unit, context = parse_c(variant, start.context, headers)
    unit = counted_unit(unit)
    file = parse_beside_variant(source, context)
    spec = file.specs[0]
    own = unit, c.TranslationUnit(file.functions)
    units = (*start.units, *own)
    declarations = start.declared(*own)
    operations = check_operations(spec)
    own_claims = (*file.claims, *spec.claims)
    claims = joined_claims(start.claims, own_claims)
    check_subjects(own_claims, operations)
    _check_expectations(spec, claims)
    return Setup(
        name=spec.name,
        variant=variant,
        declarations=declarations,
        operations=operations,
        boot=() if spec.boot is None else (spec.boot,),
        caches=spec.caches,
        bounds=bounds_of(spec),
        assumptions=assumptions_of(spec),
        exempt=frozenset(e.field for e in spec.exempt),
        claims=claims,
        expectations=spec.expectations,
        sources=(*start.sources, source, variant, *headers.sources),
        assumed=headers.assumed,
        invariants=_invariants(spec, claims),
        memory=MemoryModel.SC if spec.memory is None else MemoryModel(spec.memory.model),
        stated=frozenset(b.name for b in spec.bounds) | ({"memory"} if spec.memory else set()),
        units=units,
        whole=True,
        read_as=f"a variant, boot values from spec {spec.name}",
    )


def _variant(spec: s.Spec, folder: Path) -> Source:
    if spec.variant is None:
        raise InputError(NoVariant(span=spec.span, name=spec.name))
    path = confine_path(folder, spec.variant.value, spec.variant.span)
    return _load_for(spec.variant.span, path)


def _load_for(span: Span, path: Path) -> Source:
    """Load a file for a spec: a complaint about it also points at the spec's clause."""
    try:
        return load_source(str(path))
    except InputError as error:
        diagnostics = (
            replace(d, span=d.span or span, notes=(*d.notes, Note("named here", span)))
            for d in error.diagnostics
        )
        raise InputError(*diagnostics) from error


def joined_claims(
    known: tuple[s.ClaimSpec, ...], own: tuple[s.ClaimSpec, ...]
) -> tuple[s.ClaimSpec, ...]:
    """Return the known claims and a spec's own, some of which may say that they override one.

    Raises:
        InputError: two claims have one name, and not because the second overrides the first.
    """
    check_once("claim", [(claim.name, claim.span) for claim in own])
    there = [claim.name for claim in known]
    for claim in own:
        if claim.name in there and not claim.overrides:
            raise InputError(OwnClaim(span=claim.span, name=claim.name))
        if claim.overrides and claim.name not in there:
            hint = suggest_closest(claim.name, there)
            raise InputError(NothingToOverride(span=claim.span, name=claim.name, hint=hint))
    names = {claim.name for claim in own}
    return (*(k for k in known if k.name not in names), *own)


def _invariants(spec: s.Spec, claims: tuple[s.ClaimSpec, ...]) -> tuple[s.InvariantDecl, ...]:
    names = [claim.name for claim in claims]
    for x in spec.invariants:
        if x.claim is not None and x.claim.value not in names:
            hint = suggest_closest(x.claim.value, names)
            raise InputError(UnknownClaim(span=x.claim.span, name=x.claim.value, hint=hint))
    return spec.invariants


def _check_expectations(spec: s.Spec, claims: tuple[s.ClaimSpec, ...]) -> None:
    names = [claim.name for claim in claims]
    for e in spec.expectations:
        if e.claim not in names:
            hint = suggest_closest(e.claim, names)
            raise InputError(UnknownClaim(span=e.span, name=e.claim, hint=hint))


def bounds_of(spec: s.Spec) -> Bounds:
    """Return the bounds of a spec, the default where it says nothing."""
    given = {b.name: b for b in spec.bounds}
    start = Bounds()
    vcpus = given.get("vcpus")
    return Bounds(
        vcpus=start.vcpus if vcpus is None else (vcpus.low, vcpus.high),
        loads=given["loads"].high if "loads" in given else start.loads,
        flushes=given["flushes"].high if "flushes" in given else start.flushes,
        flushers=given["flushers"].high if "flushers" in given else start.flushers,
        one_at_a_time="flushers" in given and _is_one(given["flushers"]),
    )


def _is_one(bound: s.BoundLine) -> bool:
    return bound.high == 1 and not bound.any_number


def assumptions_of(spec: s.Spec) -> Assumptions:
    """Return what a spec takes for granted."""
    given = {a.name: a.holds for a in spec.assumptions}
    return Assumptions(
        load_flushes=given.get("load_flushes", True),
        vcpu_roots_start_invalid=given.get("vcpu_roots_start_invalid", False),
    )
