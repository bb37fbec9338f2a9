"""A saved counterexample tried in the C file or under the spec that a path names."""

from __future__ import annotations

from collections.abc import Callable
from typing import ClassVar

from flushproof.features.replay.retarget import NoCounterpart, Tried, attempt_recipe
from flushproof.frontend.c.load import load_source
from flushproof.frontend.setup import Bounds, Setup
from flushproof.frontend.spec.resolve import UnknownClaim, from_texts
from flushproof.machine.build import Machine, build_machine
from flushproof.results.replay import ReplayAnswer
from flushproof.results.saved_trace import Saved
from flushproof.results.trace import Trace
from flushproof.support.diagnostics import Diagnostic, InputError, suggest_closest
from flushproof.support.memory_model import MemoryModel
from flushproof.support.record import replace
from flushproof.verify.trace.build_trace import build_trace


class CannotTry(Diagnostic, frozen=True, kw_only=True):
    """A trace that cannot be tried in another variant."""

    CODE: ClassVar[str] = "FP0902"
    TITLE: ClassVar[str] = "the trace cannot be tried in `{path}`: {reason}"

    path: str
    reason: str


Open = Callable[[str], Setup]


def replay_in_other_file(saved: Saved, path: str, opened: Open) -> ReplayAnswer:
    """Try a trace in another variant; `opened` reads a file that brings its own set-up.

    Raises:
        InputError: the file is not accepted, or the trace cannot be tried in it.
    """
    recipe = saved.trace.recipe
    if recipe is None:
        raise InputError(CannotTry(span=None, path=path, reason="it was saved without a schedule"))
    if saved.memory is not MemoryModel.SC:
        reason = "stores are buffered in it, at moments that only its own code has"
        raise InputError(CannotTry(span=None, path=path, reason=reason))
    machine, notes = _machine(saved, path, opened)
    try:
        tried = attempt_recipe(machine, saved.claim, recipe, saved.trace.vcpus)
    except NoCounterpart as missing:
        reason = f"it has no {missing} operation"
        raise InputError(CannotTry(span=None, path=path, reason=reason)) from None
    trace = _trace(machine, saved, tried) if tried.failed else None
    sources = machine.setup.sources
    return ReplayAnswer(path, saved.claim, trace, tried.misfits, notes, tried.undefined, sources)


def _machine(saved: Saved, path: str, opened: Open) -> tuple[Machine, tuple[str, ...]]:
    setup, notes = _setup(saved, path, opened)
    names = tuple(c.name for c in setup.claims)
    if saved.claim not in names:
        hint = suggest_closest(saved.claim, names)
        raise InputError(UnknownClaim(span=None, name=saved.claim, hint=hint))
    bounds = Bounds((1, saved.trace.vcpus), saved.loads, saved.flushes, saved.flushers)
    return build_machine(replace(setup, bounds=bounds, memory=saved.memory)), notes


def _setup(saved: Saved, path: str, opened: Open) -> tuple[Setup, tuple[str, ...]]:
    """Return the set-up that the trace was found under where it fits the variant, or its own."""
    spec = saved.source(saved.spec) if saved.spec else None
    if path.endswith(".spec") or spec is None:
        return opened(path), ()
    try:
        setup = from_texts(load_source(path), spec)
        build_machine(setup)
    except InputError:
        note = f"`{saved.spec}` does not fit it, so that its set-up is the built-in one"
        return opened(path), (note,)
    return setup, ()


def _trace(machine: Machine, saved: Saved, tried: Tried) -> Trace:
    claim = machine.setup.claim(saved.claim)
    assert claim is not None
    program = machine.with_claims((saved.claim,))
    return build_trace(machine, claim, program, tried.schedule, tried.state, "")
