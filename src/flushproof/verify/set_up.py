"""A file and options as a `Setup`: opened, bounds and memory chosen, claims selected.

In: a path, perhaps a spec, and the user's `Options`. Out: the set-up that is decided, and the names
of the claims that are asked.
"""

from __future__ import annotations

from flushproof.frontend.setup import Bounds, Setup
from flushproof.frontend.spec.resolve import NoExpectation, UnknownClaim, from_spec, from_variant
from flushproof.support.diagnostics import InputError, suggest_closest
from flushproof.support.record import replace
from flushproof.verify.open_input import Opened, open_file
from flushproof.verify.options import Options


def open_path(path: str, spec: str | None, options: Options) -> Opened:
    """Read a spec file, or a C file with a spec or without one.

    Raises:
        InputError: the file is not accepted.
    """
    if path.endswith(".spec"):
        return Opened(from_spec(path))
    if spec is not None:
        return Opened(from_variant(path, spec))
    return open_file(path, options.choices)


def configure_setup(setup: Setup, options: Options) -> Setup:
    """Return a set-up under the bounds and the memory model asked for."""
    unstated = None if "memory" in setup.stated else options.project.memory
    memory = options.memory or unstated or setup.memory
    return replace(setup, bounds=choose_bounds(setup, options), memory=memory)


def choose_bounds(setup: Setup, options: Options) -> Bounds:
    """Return the bounds of the command line, else of the spec, else of the project."""
    own, project = setup.bounds, options.project
    vcpus = None if "vcpus" in setup.stated else project.vcpus
    loads = None if "loads" in setup.stated else project.loads
    flushes = None if "flushes" in setup.stated else project.flushes
    return replace(
        own,
        vcpus=options.vcpus or vcpus or own.vcpus,
        loads=_first(options.loads, loads, own.loads),
        flushes=_first(options.flushes, flushes, own.flushes),
    )


def select_claims(setup: Setup, options: Options) -> tuple[str, ...]:
    """Return the claims asked for, all where none is named.

    Raises:
        InputError: there is no claim of some name.
    """
    known = tuple(c.name for c in setup.claims)
    for name in options.claims:
        if name not in known:
            raise InputError(UnknownClaim(span=None, name=name, hint=suggest_closest(name, known)))
    return tuple(dict.fromkeys(options.claims)) or known


def select_expected_claims(setup: Setup, options: Options) -> tuple[str, ...]:
    """Return the claims asked for of which the spec expects something, all where none is named.

    Raises:
        InputError: of some claim nothing is expected.
    """
    expected = {e.claim: None for e in setup.expectations}
    claims = select_claims(setup, options) if options.claims else tuple(expected)
    for name in claims:
        if name not in expected:
            raise InputError(NoExpectation(span=None, spec=setup.name, claim=name))
    return claims


def _first(*values: int | None) -> int:
    return next(v for v in values if v is not None)
