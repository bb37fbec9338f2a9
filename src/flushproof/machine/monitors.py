"""The names of the claim language, and one claim's handlers as code at an event.

Lemma L1, Lemma L2 of docs/soundness.md.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import ClassVar

from flushproof.frontend.c import syntax as c
from flushproof.frontend.c.type_errors import Mismatch, WrongArity
from flushproof.frontend.c.types import (
    BOOL_T,
    INT_T,
    ROOT_T,
    ULONG_T,
    Array,
    CType,
    Integer,
    Pointer,
    Struct,
)
from flushproof.frontend.setup import Setup
from flushproof.frontend.spec.syntax import CacheDecl, ClaimSpec, Handler
from flushproof.ir.analysis.def_use import map_expr
from flushproof.ir.code import (
    AllFree,
    Assert,
    Assign,
    Const,
    Every,
    Expr,
    Field,
    FieldScope,
    HeldLocks,
    Holds,
    Local,
    Read,
    Self,
    Var,
)
from flushproof.ir.types import BOOL, INT, NONE, ROOT, U64, VCPU, Int, LockWord, Type
from flushproof.lower import convert
from flushproof.lower.context import (
    Binding,
    BoundName,
    Context,
    GhostArray,
    Named,
    Shorthand,
    Special,
)
from flushproof.lower.expressions import lower_expression, lower_truth
from flushproof.lower.values import FieldPlace, Nothing, PointerTo, Scalar, StructPlace, Value, Vm
from flushproof.support.diagnostics import Diagnostic, InputError
from flushproof.support.record import Record, replace

RUNS_ON = Field("runs_on", "runs_on", FieldScope.VCPU, ROOT, ghost=True)
VCPU_POINTER = Pointer(Struct("kvm_vcpu"))
CACHE_NAMES = ("CACHE_IN_USE", "CACHE_ROOT")
WITNESS_TYPES: Mapping[str, tuple[Type, CType]] = {
    "vcpu": (VCPU, VCPU_POINTER),
    "root": (ROOT, ROOT_T),
    "gfn": (U64, ULONG_T),
    "thread": (INT, INT_T),
}


PLACE_T = Integer("long", Int(64, signed=True))

ACCESS_PARTS = (
    ("thread", INT_T),
    ("place", PLACE_T),
    ("write", BOOL_T),
    ("once", BOOL_T),
    ("locks", ULONG_T),
)


class NoCache(Diagnostic, frozen=True, kw_only=True):
    """A claim speaks of the cache and nothing says which field that is."""

    CODE: ClassVar[str] = "FP0511"
    TITLE: ClassVar[str] = "claim `{claim}` needs a `cache when ... is ...` clause"
    claim: str


class Monitor(Record, frozen=True):
    """A claim with its ghost fields.

    `choices` are its call witnesses, each with the field that says whether one was chosen and maybe
    the one that names its thread, and its access witnesses, each with the fields that fix thread,
    place, write, once and locks.
    """

    claim: ClaimSpec
    names: Mapping[str, Binding]
    witnesses: tuple[Field, ...]
    ghosts: tuple[tuple[Field, c.Expr | None], ...]
    choices: Mapping[str, tuple[Field, ...]]

    @property
    def accesses(self) -> tuple[tuple[Field, ...], ...]:
        """The witnesses that are accesses, each with its parts."""
        names = (w.name for w in self.claim.witnesses if w.kind == "access")
        return tuple(self.choices[name] for name in names)

    @property
    def threads(self) -> tuple[Field, ...]:
        """The witnesses that name threads, those of accesses and of chosen calls among them."""
        names = {f"{self.claim.name}:{w.name}" for w in self.claim.witnesses if w.kind == "thread"}
        chosen = (f for f in self.witnesses if f.name in names)
        return (*chosen, *(parts[0] for parts in self.accesses), *self.callers)

    @property
    def callers(self) -> tuple[Field, ...]:
        """The witnesses that name threads of chosen calls."""
        names = (w.name for w in self.claim.witnesses if w.kind == "call")
        return tuple(f for name in names for f in self.choices[name][1:])

    def kind_of(self, witness: str) -> str:
        """Return what a witness of the claim is."""
        return next(w.kind for w in self.claim.witnesses if w.name == witness)

    def handlers(self, event: str, subjects: frozenset[str]) -> tuple[Handler, ...]:
        """Return the handlers of one event whose subject is among those given."""
        return tuple(h for h in self.claim.handlers if h.event == event and h.subject in subjects)


def make_monitor(
    setup: Setup,
    claim: ClaimSpec,
    cache: CacheDecl | None,
    *,
    calls_end: bool,
    named_callers: bool = False,
) -> Monitor:
    """Give a claim its ghost fields and names; `calls_end` tells whether every call surely ends.

    With `named_callers` the thread that makes the call of a call witness is a witness, too.

    Raises:
        InputError: a ghost variable has a type it cannot have.
    """
    names = machine_names(setup, cache)
    names["CALLS_END"] = BoundName(Scalar(Const(int(calls_end), BOOL), BOOL_T))
    witnesses: list[Field] = []
    choices: dict[str, tuple[Field, ...]] = {}
    for w in claim.witnesses:
        match w.kind:
            case "call":
                callers = (_field(claim, f"{w.name}.caller", INT),) if named_callers else ()
                choices[w.name] = (_field(claim, f"{w.name}.taken", BOOL), *callers)
                witnesses += callers
            case "access":
                parts = tuple(
                    (_field(claim, f"{w.name}_{part}", t.ir), t) for part, t in ACCESS_PARTS
                )
                choices[w.name] = tuple(f for f, _ in parts)
                witnesses += choices[w.name]
                names |= {f.label: Named(FieldPlace(f, None, t)) for f, t in parts}
            case kind:
                t, ctype = WITNESS_TYPES[kind]
                field = _field(claim, w.name, t)
                witnesses.append(field)
                names[w.name] = Named(FieldPlace(field, None, ctype))
    ghosts = _ghosts(setup, claim)
    names |= {f.label: _bound(f, ctype) for f, ctype, _ in ghosts}
    starts = tuple((f, initialiser) for f, _, initialiser in ghosts)
    return Monitor(claim, names, tuple(witnesses), starts, choices)


def _ghosts(setup: Setup, claim: ClaimSpec) -> list[tuple[Field, CType, c.Expr | None]]:
    out: list[tuple[Field, CType, c.Expr | None]] = []
    for declaration in claim.ghosts:
        for entry in declaration.declarators:
            t = setup.declarations.resolve(declaration.type, entry.declarator)
            out.append((_ghost(claim, t, entry), t, entry.initialiser))
    return out


def _field(claim: ClaimSpec, name: str, t: Type) -> Field:
    return Field(f"{claim.name}:{name}", name, FieldScope.VM, t, ghost=True)


def _bound(field: Field, t: CType) -> Binding:
    if isinstance(t, Array):
        return GhostArray(field, t.element)
    return Named(FieldPlace(field, None, t))


def _ghost(claim: ClaimSpec, t: CType, entry: c.InitDeclarator) -> Field:
    """Return the field of a ghost variable; `bool x[];` declares one for each vCPU."""
    name = entry.declarator.name
    if t == VCPU_POINTER:
        return _field(claim, name, VCPU)
    one = t.element if isinstance(t, Array) else t
    if not isinstance(one, Integer) or (isinstance(t, Array) and entry.initialiser is not None):
        text = f"a ghost variable cannot be of type `{t}`"
        raise InputError(Mismatch(span=entry.span, text=text))
    field = _field(claim, name, one.ir)
    return replace(field, scope=FieldScope.VCPU) if isinstance(t, Array) else field


def machine_names(setup: Setup, cache: CacheDecl | None) -> dict[str, Binding]:
    """Return the names every claim knows."""
    flushes = Const(int(setup.assumptions.load_flushes), BOOL)
    names: dict[str, Binding] = {
        "runs_on": GhostArray(RUNS_ON, ROOT_T),
        "NONE": BoundName(Scalar(Const(NONE, ROOT), ROOT_T)),
        "SELF": BoundName(Scalar(Self(), INT_T)),
        "LOCKS": BoundName(Scalar(HeldLocks(), ULONG_T)),
        "LOAD_FLUSHES": BoundName(Scalar(flushes, BOOL_T)),
        "kvm": BoundName(PointerTo(StructPlace(Vm(), ("kvm",), Struct("kvm")))),
    }
    if cache is not None:
        names["CACHE_IN_USE"] = Shorthand(cache.condition)
        names["CACHE_ROOT"] = Shorthand(cache.root)
    return names


# Functions of the claim language ---------------------------------------------------------------


def _need(e: c.CallExpr, count: int) -> None:
    if len(e.arguments) != count:
        name = e.function.id if isinstance(e.function, c.Name) else "function"
        raise InputError(WrongArity(span=e.span, name=name, wanted=count, given=len(e.arguments)))


def special_assert(claim: ClaimSpec, values: tuple[tuple[str, Expr], ...], subject: str) -> Special:
    """Return the lowering of `assert(condition [, "text"])` for one claim and event."""

    def run(ctx: Context, e: c.CallExpr) -> Value:
        text = e.arguments[1] if len(e.arguments) == 2 else None
        if not isinstance(text, c.String):
            _need(e, 1)
        condition = lower_truth(ctx, e.arguments[0])
        named = (*values, *_mentioned(ctx, claim))
        words = text.text if isinstance(text, c.String) else ""
        ctx.emitter.emit(Assert(claim.name, condition, named, words, subject, ctx.frame.span))
        return Nothing()

    return run


def _mentioned(ctx: Context, claim: ClaimSpec) -> tuple[tuple[str, Expr], ...]:
    """Return the values of shorthands that the claim's message mentions."""
    out: list[tuple[str, Expr]] = []
    for name, binding in ctx.env.machine.items():
        if isinstance(binding, Shorthand) and f"{{{name}}}" in claim.headline + claim.because:
            value = lower_expression(ctx, binding.expression)
            if isinstance(value, Scalar):
                out.append((name, value.expr))
    return tuple(out)


def special_holds(ctx: Context, e: c.CallExpr) -> Value:
    """`holds(l)`: the running thread holds the lock, maybe as a reader."""
    return _holds(ctx, e, sole=False)


def special_owns(ctx: Context, e: c.CallExpr) -> Value:
    """`owns(l)`: the running thread holds the lock and is no reader."""
    return _holds(ctx, e, sole=True)


def _holds(ctx: Context, e: c.CallExpr, *, sole: bool) -> Value:
    _need(e, 1)
    value = lower_expression(ctx, e.arguments[0])
    place = value.place if isinstance(value, PointerTo) else None
    if not isinstance(place, FieldPlace) or not isinstance(place.field.type, LockWord):
        raise InputError(Mismatch(span=e.span, text="this is not a lock"))
    target = ctx.emitter.temp(BOOL)
    ctx.emitter.emit(Holds(target, place.field, place.index, sole, e.span))
    return convert.condition_value(Var(target))


def special_unlocked(_ctx: Context, e: c.CallExpr) -> Value:
    """`unlocked()`: no thread holds any lock."""
    _need(e, 0)
    return convert.condition_value(AllFree())


def special_every(ctx: Context, e: c.CallExpr) -> Value:
    """`every(v, condition)`: the condition holds for every vCPU v."""
    return convert.condition_value(_every(ctx, e, negated=False))


def special_some(ctx: Context, e: c.CallExpr) -> Value:
    """`some(v, condition)`: the condition holds for some vCPU v."""
    return convert.condition_value(convert.negate_condition(_every(ctx, e, negated=True)))


def _every(ctx: Context, e: c.CallExpr, *, negated: bool) -> Expr:
    _need(e, 2)
    bound, body = e.arguments
    if not isinstance(bound, c.Name):
        raise InputError(Mismatch(span=bound.span, text="a name is needed here"))
    v = ctx.emitter.local(bound.id, VCPU)
    ctx.frame.scopes.append({bound.id: BoundName(Scalar(Var(v), VCPU_POINTER))})
    start = len(ctx.emitter.code)
    condition = _pure(ctx, body)
    reads, condition = _collect(ctx, start, v, condition, e)
    ctx.frame.scopes.pop()
    target = ctx.emitter.temp(BOOL)
    if negated:
        condition = convert.negate_condition(condition)
    ctx.emitter.emit(Every(target, v, reads, condition, e.span))
    return Var(target)


def _pure(ctx: Context, e: c.Expr) -> Expr:
    """Lower a condition without short-circuit jumps; its parts have no effects."""
    match e:
        case c.BinaryExpr("&&", a, b):
            return convert.conjoin_conditions(_pure(ctx, a), _pure(ctx, b))
        case c.BinaryExpr("||", a, b):
            negated = convert.conjoin_conditions(
                convert.negate_condition(_pure(ctx, a)), convert.negate_condition(_pure(ctx, b))
            )
            return convert.negate_condition(negated)
        case c.UnaryExpr("!", a):
            return convert.negate_condition(_pure(ctx, a))
        case _:
            return lower_truth(ctx, e)


def _collect(
    ctx: Context, start: int, v: Local, condition: Expr, e: c.CallExpr
) -> tuple[tuple[tuple[Local, Field], ...], Expr]:
    """Take back the code of a quantified condition: reads at `v` stay, copies are substituted."""
    code = ctx.emitter.code[start:]
    del ctx.emitter.code[start:]
    reads: list[tuple[Local, Field]] = []
    known: dict[Local, Expr] = {}
    for instr in code:
        match instr:
            case Read(target, field, Var(index)) if index == v:
                reads.append((target, field))
            case Assign(target, value):
                known[target] = map_expr(value, lambda x: known.get(x, Var(x)))
            case Read(target, _, None):
                ctx.emitter.emit(instr)
            case _:
                text = "this condition is too involved for a quantifier"
                raise InputError(Mismatch(span=e.span, text=text))
    return tuple(reads), map_expr(condition, lambda x: known.get(x, Var(x)))
