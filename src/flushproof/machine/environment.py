"""The lowering environment of a setup, and fresh contexts in it."""

from __future__ import annotations

from collections.abc import Mapping

from flushproof.frontend.c.declarations import Declarations
from flushproof.frontend.c.types import VOID, Pointer, Struct
from flushproof.ir.builder import Emitter
from flushproof.ir.code import Field
from flushproof.ir.types import LOCK, LockWord
from flushproof.lower.calls import inline_call
from flushproof.lower.context import Activation, Binding, Context, ProgramContext, Special
from flushproof.lower.number_macros import unevaluated_macros
from flushproof.lower.object_model import object_model
from flushproof.lower.statements import run_block
from flushproof.support.source import Span


def make_environment(declarations: Declarations) -> ProgramContext:
    """Return the environment in which a variant's own code is lowered."""
    objects, locks = object_model(declarations), _lock_types(declarations)
    return ProgramContext(declarations, objects, locks, specials=unevaluated_macros(declarations))


def _lock_types(declarations: Declarations) -> dict[str, LockWord]:
    """Return the structs that some function takes as a lock; one may do so as a reader."""
    found: dict[str, LockWord] = {}
    for function in declarations.functions.values():
        names = {a.name for a in function.annotations}
        if names & {"__acquires", "__acquires_shared"}:
            shared = "__acquires_shared" in names
            for p in function.parameters:
                t = declarations.parameter(p)
                if isinstance(t, Pointer) and isinstance(t.target, Struct):
                    known = found.get(t.target.name, LOCK)
                    found[t.target.name] = LockWord(known.shared or shared)
    return found


def with_names(
    env: ProgramContext, machine: Mapping[str, Binding], specials: Mapping[str, Special]
) -> ProgramContext:
    """Return the environment with the claim language's names added."""
    return ProgramContext(
        env.declarations, env.objects, env.lock_types, machine, {**env.specials, **specials}
    )


def make_context(
    env: ProgramContext,
    name: str,
    span: Span,
    fields: dict[str, Field],
    *,
    temporary: str = "%",
    observing: bool = False,
) -> Context:
    """Return a context with one open activation for code that belongs to no C function."""
    emitter = Emitter(name, temporary)
    ctx = Context(env, emitter, inline_call, run_block, fields, observing=observing)
    ctx.stack.append(Activation(f"<{name}>", span, emitter.label(), None, VOID))
    return ctx
