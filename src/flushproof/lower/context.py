"""What lowering one operation carries along: scopes, code so far, and shared fields met."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from flushproof.frontend.c import syntax as c
from flushproof.frontend.c.declarations import Declarations
from flushproof.frontend.c.type_errors import Redefined, UnknownName, UnsupportedConstruct
from flushproof.frontend.c.types import Array, CType, Integer, Pointer, Struct
from flushproof.ir.builder import Emitter, Label
from flushproof.ir.code import Expr, Field, FieldScope, Local, Mode
from flushproof.ir.types import BOOL, RW_LOCK, U64, VCPU, LockWord, Type
from flushproof.lower.object_model import ObjectModel
from flushproof.lower.values import (
    FieldPlace,
    Frame,
    Lasting,
    LocalPlace,
    Place,
    StructPlace,
    Value,
    Vcpu,
    Vm,
)
from flushproof.support.diagnostics import InputError, suggest_closest
from flushproof.support.record import Record, field, replace
from flushproof.support.resources import PRELUDE
from flushproof.support.source import Span


class Named(Record, frozen=True):
    """A name bound to a place."""

    place: Place


class BoundName(Record, frozen=True):
    """A name bound to a value that cannot be assigned (a parameter, a machine name)."""

    value: Value


class GhostArray(Record, frozen=True):
    """A ghost field with one element per vCPU, read as `name[v]`."""

    field: Field
    type: CType


class Alias(Record):
    """A local pointer whose target is known: the place is fixed by the first assignment.

    If that is in a vCPU, `vcpu` holds in which one.
    """

    type: Pointer
    nonnull: Local
    place: Place | None = None
    written: Local | None = None
    vcpu: Local | None = None


class Shorthand(Record, frozen=True):
    """A name that stands for an expression."""

    expression: c.Expr


Binding = Named | BoundName | GhostArray | Alias | Shorthand
Special = Callable[["Context", c.CallExpr], Value]


class Activation(Record):
    """One inlined call: its scopes and where its jumps go."""

    name: str
    span: Span
    leave: Label
    result: Local | None
    result_type: CType
    untyped: bool = False
    scopes: list[dict[str, Binding]] = field(default_factory=lambda: [{}])
    breaks: list[Label] = field(default_factory=list)
    continues: list[Label] = field(default_factory=list)
    labels: dict[str, tuple[Label, Span]] = field(default_factory=dict)
    placed: set[str] = field(default_factory=set)
    cases: list[dict[int | None, Label]] = field(default_factory=list)
    pointer_result: Value | None = None


class ProgramContext(Record, frozen=True):
    """What is the same for every operation of a program.

    `machine` binds names that exist for claims only; `lock_types` are the structs taken by
    primitives that acquire, with the sort of lock each is; `specials` lower calls to the claim
    language's own functions.
    """

    declarations: Declarations
    objects: ObjectModel
    lock_types: Mapping[str, LockWord]
    machine: Mapping[str, Binding] = field(default_factory=dict)
    specials: Mapping[str, Special] = field(default_factory=dict)

    def twofold(self, member: str) -> bool:
        """Tell whether a member of this name is found in the VM and in a vCPU."""
        structs = self.declarations.structs
        named = (name for name, info in structs.items() if member in info.members)
        return len({self.objects.scope_of(name) for name in named} - {None}) == len(FieldScope)


_OWNERS = {FieldScope.VM: "kvm", FieldScope.VCPU: "vcpu"}

Inline = Callable[["Context", c.Function, tuple[Value, ...], Span], Value]


class AtomicBlock(Record, frozen=True):
    """An atomic block that is being lowered: how many calls, and loops and switches, it is in."""

    depth: int
    breaks: int
    continues: int


class Context(Record):
    """Mutable state of lowering; `inline` and `block` are the statement lowering, handed in.

    `observing`: this is the code of a claim, which may store to the fields `writable` alone.
    """

    env: ProgramContext
    emitter: Emitter
    inline: Inline
    block: Callable[[Context, c.Block], Value]
    fields: dict[str, Field] = field(default_factory=dict)
    stack: list[Activation] = field(default_factory=list)
    leaves: dict[tuple[str, tuple[str, ...]], LocalPlace] = field(default_factory=dict)
    observing: bool = False
    atomic: AtomicBlock | None = None
    writable: frozenset[str] = frozenset()

    @property
    def frame(self) -> Activation:
        """The innermost call."""
        return self.stack[-1]

    def aside(self) -> Context:
        """Return a context for what is looked at only for its type: its code goes nowhere."""
        return replace(self, emitter=Emitter(self.emitter.name), leaves=dict(self.leaves))

    def site(self, span: Span) -> Span:
        """Return where the operation itself makes the call that led to `span`."""
        return self.stack[2].span if len(self.stack) > 2 else span

    def mode(self, wanted: Mode) -> Mode:
        """Return the mode of an access: a claim only observes, an atomic block is one step."""
        if self.observing:
            return Mode.GHOST
        return Mode.ATOMIC if self.atomic is not None else wanted

    def find(self, name: str) -> Binding | None:
        """Look a name up, innermost scope first, then the machine's names."""
        for scope in reversed(self.frame.scopes):
            if name in scope:
                return scope[name]
        return self.env.machine.get(name)

    def bind(self, name: str, binding: Binding) -> None:
        """Declare a name in the innermost scope."""
        self.frame.scopes[-1][name] = binding

    def declare(self, name: str, binding: Binding, span: Span) -> None:
        """Bind a local variable in the innermost scope.

        Raises:
            InputError: the scope has one of that name; parameters share the function's block.
        """
        scopes = self.frame.scopes
        outermost = len(scopes) == 2
        if name in scopes[-1] or (outermost and name in scopes[0]):
            raise InputError(Redefined(span=span, kind="variable", name=name))
        self.bind(name, binding)

    def outside_prelude(self, span: Span) -> Span:
        """Return a place, or for one in the prelude that of the call that led there."""
        called = (a.span for a in reversed(self.stack) if a.span.file != PRELUDE.name)
        return next(called, span) if span.file == PRELUDE.name else span

    def unknown(self, name: str, span: Span) -> InputError:
        """Make the error for a name that nothing declares."""
        d = self.env.declarations
        names = {n for s in self.frame.scopes for n in s}
        hint = suggest_closest(
            name, (*names, *self.env.machine, *d.constants, *d.globals, *d.functions)
        )
        return InputError(UnknownName(span=span, name=name, hint=hint))

    def shared(
        self, scope: FieldScope, path: tuple[str, ...], member: str, t: CType, span: Span
    ) -> Field:
        """Return the field for a scalar member of the VM or of a vCPU."""
        name = ".".join((*path, member))
        known = self.fields.get(name)
        if known is None:
            enum = t.name.removeprefix("enum ") if isinstance(t, Integer) else ""
            enum = enum if enum in self.env.declarations.enums else ""
            ir = self.field_type(t, span)
            if ir == RW_LOCK and scope is FieldScope.VCPU:
                raise unsupported_construct("a lock with readers in each vCPU", span)
            array = "[" in member
            twofold = self.env.twofold(member.partition("[")[0])
            # Else the number of an element would look like that of the vCPU that it is of.
            twofold = twofold or (array and scope is FieldScope.VCPU)
            label = f"{_OWNERS[scope]}.{member}" if twofold else member
            known = self.fields[name] = Field(name, label, scope, ir, enum=enum, twofold=twofold)
        return known

    def field_type(self, t: CType, span: Span) -> Type:
        """Return the IR type that a scalar of a C type has.

        Raises:
            InputError: the type has no scalar form in the model.
        """
        match t:
            case Integer(_, ir):
                return ir
            case Struct(name) if name in self.env.lock_types:
                return self.env.lock_types[name]
            case Pointer():
                if self.is_vm_pointer(t):
                    return BOOL
                return VCPU if self.is_vcpu_pointer(t) else U64
            case Array():
                raise unsupported_construct("an array", span)
            case _:
                raise unsupported_construct(f"a value of type `{t}`", span)

    def is_vm_pointer(self, t: CType) -> bool:
        """Tell whether a type is that of a pointer to (a part of) the VM."""
        match t:
            case Pointer(Struct(name)):
                return self.env.objects.scope_of(name) is FieldScope.VM
            case _:
                return False

    def is_vcpu_pointer(self, t: CType) -> bool:
        """Tell whether a type is that of a pointer to (a part of) a vCPU."""
        match t:
            case Pointer(Struct(name)):
                return self.env.objects.scope_of(name) is FieldScope.VCPU
            case _:
                return False


def unsupported_construct(construct: str, span: Span | None) -> InputError:
    """Make the error for a construct that the subset leaves out."""
    return InputError(UnsupportedConstruct(span=span, construct=construct))


def same_place(a: Place, b: Place) -> bool:
    """Tell whether both are surely one object, seen as one type."""
    return a == b


def vcpu_of(place: Place) -> Expr | None:
    """Return the number of the vCPU that a place is in, None for any other place."""
    match place:
        case StructPlace(Vcpu(index)) | FieldPlace(_, index):
            return index
        case _:
            return None


def in_vcpu(place: Place, index: Expr) -> Place:
    """Return the same place in another vCPU."""
    match place:
        case StructPlace(Vcpu()):
            return replace(place, base=Vcpu(index))
        case FieldPlace(_, e) if e is not None:
            return replace(place, index=index)
        case _:
            return place


def base_scope(place: StructPlace) -> FieldScope | None:
    """Return the VM or vCPU that a struct lies in, None for a variable."""
    match place.base:
        case Frame() | Lasting():
            return None
        case Vcpu():
            return FieldScope.VCPU
        case Vm():
            return FieldScope.VM
