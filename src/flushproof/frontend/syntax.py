"""The syntax tree of the C-like subset: frozen dataclasses, spans on every node.

Spans do not take part in comparison, so two trees are equal when they print alike. Nothing here is
resolved: names are strings and types are written types.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from flushproof.source import Span


@dataclass(frozen=True, slots=True)
class WrittenType:
    """A type as written: `kind` is "name" (a typedef or an integer type), "struct" or "enum".

    Integer types are normalised to one of: void, bool, char, signed char, unsigned char, short,
    unsigned short, int, unsigned int, long, unsigned long, long long, unsigned long long.
    """

    kind: str
    name: str
    span: Span = field(compare=False)


@dataclass(frozen=True, slots=True)
class Declarator:
    """What stands beside the base type: `*` count, name ("" if none), array sizes, bit width.

    `function_pointer` marks `(*name)(...)`; its parameters are not kept.
    """

    name: str
    pointers: int
    arrays: tuple[Expr | None, ...]
    function_pointer: bool
    bits: Expr | None
    span: Span = field(compare=False)


# Expressions ---------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Number:
    """An integer constant; `suffix` is a normalised subset of "ul", "ull", "l", "ll", "u", ""."""

    value: int
    suffix: str
    span: Span = field(compare=False)


@dataclass(frozen=True, slots=True)
class String:
    text: str
    span: Span = field(compare=False)


@dataclass(frozen=True, slots=True)
class Name:
    id: str
    span: Span = field(compare=False)


@dataclass(frozen=True, slots=True)
class Unary:
    """Prefix `op`: one of - + ! ~ * & ++ --."""

    op: str
    operand: Expr
    span: Span = field(compare=False)


@dataclass(frozen=True, slots=True)
class Postfix:
    """Suffix `op`: ++ or --."""

    op: str
    operand: Expr
    span: Span = field(compare=False)


@dataclass(frozen=True, slots=True)
class Binary:
    """Infix `op`: * / % + - << >> < > <= >= == != & ^ | && || and the comma."""

    op: str
    left: Expr
    right: Expr
    span: Span = field(compare=False)


@dataclass(frozen=True, slots=True)
class Assign:
    """`op` is = or a compound such as |=."""

    op: str
    target: Expr
    value: Expr
    span: Span = field(compare=False)


@dataclass(frozen=True, slots=True)
class Conditional:
    """`condition ? then : otherwise`; `then` is None in the GNU form `condition ?: otherwise`."""

    condition: Expr
    then: Expr | None
    otherwise: Expr
    span: Span = field(compare=False)


@dataclass(frozen=True, slots=True)
class Call:
    function: Expr
    arguments: tuple[Expr, ...]
    span: Span = field(compare=False)


@dataclass(frozen=True, slots=True)
class Member:
    base: Expr
    name: str
    arrow: bool
    span: Span = field(compare=False)


@dataclass(frozen=True, slots=True)
class Index:
    base: Expr
    index: Expr
    span: Span = field(compare=False)


@dataclass(frozen=True, slots=True)
class Cast:
    type: WrittenType
    declarator: Declarator
    operand: Expr
    span: Span = field(compare=False)


@dataclass(frozen=True, slots=True)
class ContainerOf:
    """`container_of(pointer, struct outer, member)`; the member may be a dotted path."""

    pointer: Expr
    type: WrittenType
    member: tuple[str, ...]
    span: Span = field(compare=False)


@dataclass(frozen=True, slots=True)
class SizeOf:
    """`sizeof(type)` or `sizeof expression` (then `type` is None)."""

    type: WrittenType | None
    declarator: Declarator | None
    operand: Expr | None
    span: Span = field(compare=False)


@dataclass(frozen=True, slots=True)
class InitItem:
    """One entry of a braced initialiser; `member` is the designator, "" where there is none."""

    member: str
    value: Expr
    span: Span = field(compare=False)


@dataclass(frozen=True, slots=True)
class InitList:
    items: tuple[InitItem, ...]
    span: Span = field(compare=False)


@dataclass(frozen=True, slots=True)
class StatementExpr:
    """GNU `({ ... })`."""

    body: Block
    span: Span = field(compare=False)


Expr = (
    Number
    | String
    | Name
    | Unary
    | Postfix
    | Binary
    | Assign
    | Conditional
    | Call
    | Member
    | Index
    | Cast
    | ContainerOf
    | SizeOf
    | InitList
    | StatementExpr
)

# Statements ----------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class InitDeclarator:
    declarator: Declarator
    initialiser: Expr | None
    span: Span = field(compare=False)


@dataclass(frozen=True, slots=True)
class Declaration:
    """`static`/`const`/... are in `qualifiers` as written, sorted."""

    type: WrittenType
    qualifiers: tuple[str, ...]
    declarators: tuple[InitDeclarator, ...]
    span: Span = field(compare=False)


@dataclass(frozen=True, slots=True)
class ExprStatement:
    expression: Expr
    span: Span = field(compare=False)


@dataclass(frozen=True, slots=True)
class Empty:
    span: Span = field(compare=False)


@dataclass(frozen=True, slots=True)
class Block:
    statements: tuple[Stmt, ...]
    span: Span = field(compare=False)


@dataclass(frozen=True, slots=True)
class If:
    condition: Expr
    then: Stmt
    otherwise: Stmt | None
    span: Span = field(compare=False)


@dataclass(frozen=True, slots=True)
class For:
    """`start` is a declaration, an expression statement or an empty statement."""

    start: Stmt
    condition: Expr | None
    step: Expr | None
    body: Stmt
    span: Span = field(compare=False)


@dataclass(frozen=True, slots=True)
class ForEachVcpu:
    """`kvm_for_each_vcpu(index, vcpu, kvm) body`."""

    index: Expr
    vcpu: Expr
    kvm: Expr
    body: Stmt
    span: Span = field(compare=False)


@dataclass(frozen=True, slots=True)
class While:
    condition: Expr
    body: Stmt
    span: Span = field(compare=False)


@dataclass(frozen=True, slots=True)
class DoWhile:
    body: Stmt
    condition: Expr
    span: Span = field(compare=False)


@dataclass(frozen=True, slots=True)
class Switch:
    subject: Expr
    body: Stmt
    span: Span = field(compare=False)


@dataclass(frozen=True, slots=True)
class Case:
    """`case value:`; `value` is None for `default:`."""

    value: Expr | None
    statement: Stmt
    span: Span = field(compare=False)


@dataclass(frozen=True, slots=True)
class Label:
    name: str
    statement: Stmt
    span: Span = field(compare=False)


@dataclass(frozen=True, slots=True)
class Goto:
    label: str
    span: Span = field(compare=False)


@dataclass(frozen=True, slots=True)
class Break:
    span: Span = field(compare=False)


@dataclass(frozen=True, slots=True)
class Continue:
    span: Span = field(compare=False)


@dataclass(frozen=True, slots=True)
class Return:
    value: Expr | None
    span: Span = field(compare=False)


Stmt = (
    Declaration
    | ExprStatement
    | Empty
    | Block
    | If
    | For
    | ForEachVcpu
    | While
    | DoWhile
    | Switch
    | Case
    | Label
    | Goto
    | Break
    | Continue
    | Return
)

# Declarations at file level --------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class FieldDecl:
    """One member declaration of a struct; `nested` is the body of an anonymous inner struct."""

    type: WrittenType
    declarators: tuple[Declarator, ...]
    nested: StructDef | None
    span: Span = field(compare=False)


@dataclass(frozen=True, slots=True)
class StructDef:
    name: str
    fields: tuple[FieldDecl, ...]
    span: Span = field(compare=False)


@dataclass(frozen=True, slots=True)
class Enumerator:
    name: str
    value: Expr | None
    span: Span = field(compare=False)


@dataclass(frozen=True, slots=True)
class EnumDef:
    name: str
    enumerators: tuple[Enumerator, ...]
    span: Span = field(compare=False)


@dataclass(frozen=True, slots=True)
class Typedef:
    type: WrittenType
    declarator: Declarator
    span: Span = field(compare=False)


@dataclass(frozen=True, slots=True)
class Parameter:
    type: WrittenType
    declarator: Declarator
    span: Span = field(compare=False)


@dataclass(frozen=True, slots=True)
class Annotation:
    """A trailing word of a prelude declaration, such as `__acquires(lock)`."""

    name: str
    arguments: tuple[Expr, ...]
    span: Span = field(compare=False)


@dataclass(frozen=True, slots=True)
class Function:
    """A function definition, or a declaration where `body` is None. `span` covers the name."""

    name: str
    type: WrittenType
    pointers: int
    parameters: tuple[Parameter, ...]
    annotations: tuple[Annotation, ...]
    body: Block | None
    span: Span = field(compare=False)


TopLevel = StructDef | EnumDef | Typedef | Declaration | Function


@dataclass(frozen=True, slots=True)
class TranslationUnit:
    items: tuple[TopLevel, ...]
