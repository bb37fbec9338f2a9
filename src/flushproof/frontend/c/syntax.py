"""The syntax tree of the C-like subset: frozen records, spans on every node.

Spans do not take part in comparison, so two trees are equal when they print alike. Nothing here is
resolved: names are strings and types are written types.
"""

from __future__ import annotations

from flushproof.support.record import Placed, Record
from flushproof.support.source import Span


class WrittenType(Placed, frozen=True):
    """A type as written: `kind` is "name" (a typedef or an integer type), "struct" or "enum".

    Integer types are normalised to one of: void, bool, char, signed char, unsigned char, short,
    unsigned short, int, unsigned int, long, unsigned long, long long, unsigned long long.
    """

    kind: str
    name: str
    span: Span


class Declarator(Placed, frozen=True):
    """What stands beside the base type: `*` count, name ("" if none), array sizes, bit width.

    `function_pointer` marks `(*name)(...)`; its parameters are not kept.
    """

    name: str
    pointers: int
    arrays: tuple[Expr | None, ...]
    function_pointer: bool
    bits: Expr | None
    span: Span


# Expressions ---------------------------------------------------------------------------------


class Number(Placed, frozen=True):
    """An integer constant; `suffix` is a normalised subset of "ul", "ull", "l", "ll", "u", ""."""

    value: int
    suffix: str
    span: Span


class String(Placed, frozen=True):
    text: str
    span: Span


class Name(Placed, frozen=True):
    id: str
    span: Span


class UnaryExpr(Placed, frozen=True):
    """Prefix `op`: one of - + ! ~ * & ++ --."""

    op: str
    operand: Expr
    span: Span


class Postfix(Placed, frozen=True):
    """Suffix `op`: ++ or --."""

    op: str
    operand: Expr
    span: Span


class BinaryExpr(Placed, frozen=True):
    """Infix `op`: * / % + - << >> < > <= >= == != & ^ | && || and the comma."""

    op: str
    left: Expr
    right: Expr
    span: Span


class AssignExpr(Placed, frozen=True):
    """`op` is = or a compound such as |=."""

    op: str
    target: Expr
    value: Expr
    span: Span


class Conditional(Placed, frozen=True):
    """`condition ? then : otherwise`; `then` is None in the GNU form `condition ?: otherwise`."""

    condition: Expr
    then: Expr | None
    otherwise: Expr
    span: Span


class CallExpr(Placed, frozen=True):
    function: Expr
    arguments: tuple[Expr, ...]
    span: Span


class Member(Placed, frozen=True):
    base: Expr
    name: str
    arrow: bool
    span: Span


class Index(Placed, frozen=True):
    base: Expr
    index: Expr
    span: Span


class CastExpr(Placed, frozen=True):
    type: WrittenType
    declarator: Declarator
    operand: Expr
    span: Span


class ContainerOf(Placed, frozen=True):
    """`container_of(pointer, struct outer, member)`; the member may be a dotted path."""

    pointer: Expr
    type: WrittenType
    member: tuple[str, ...]
    span: Span


class SizeOf(Placed, frozen=True):
    """`sizeof(type)` or `sizeof expression` (then `type` is None)."""

    type: WrittenType | None
    declarator: Declarator | None
    operand: Expr | None
    span: Span


class InitItem(Placed, frozen=True):
    """One entry of a braced initialiser; `.a[3] = ` has the designators "a" and 3."""

    designators: tuple[str | Expr, ...]
    value: Expr
    span: Span


class InitList(Placed, frozen=True):
    items: tuple[InitItem, ...]
    span: Span


class StatementExpr(Placed, frozen=True):
    """GNU `({ ... })`."""

    body: Block
    span: Span


Expr = (
    Number
    | String
    | Name
    | UnaryExpr
    | Postfix
    | BinaryExpr
    | AssignExpr
    | Conditional
    | CallExpr
    | Member
    | Index
    | CastExpr
    | ContainerOf
    | SizeOf
    | InitList
    | StatementExpr
)

# Statements ----------------------------------------------------------------------------------


class InitDeclarator(Placed, frozen=True):
    declarator: Declarator
    initialiser: Expr | None
    span: Span


class Declaration(Placed, frozen=True):
    """`static`/`const`/... are in `qualifiers` as written, sorted."""

    type: WrittenType
    qualifiers: tuple[str, ...]
    declarators: tuple[InitDeclarator, ...]
    span: Span


class ExprStatement(Placed, frozen=True):
    expression: Expr
    span: Span


class Empty(Placed, frozen=True):
    span: Span


class Block(Placed, frozen=True):
    """Statements in braces; `atomic { ... }`, too, which are one step."""

    statements: tuple[Stmt, ...]
    span: Span
    atomic: bool = False


class If(Placed, frozen=True):
    condition: Expr
    then: Stmt
    otherwise: Stmt | None
    span: Span


class For(Placed, frozen=True):
    """`start` is a declaration, an expression statement or an empty statement."""

    start: Stmt
    condition: Expr | None
    step: Expr | None
    body: Stmt
    span: Span


class ForEachVcpu(Placed, frozen=True):
    """`kvm_for_each_vcpu(index, vcpu, kvm) body`."""

    index: Expr
    vcpu: Expr
    kvm: Expr
    body: Stmt
    span: Span


class While(Placed, frozen=True):
    condition: Expr
    body: Stmt
    span: Span


class DoWhile(Placed, frozen=True):
    body: Stmt
    condition: Expr
    span: Span


class Switch(Placed, frozen=True):
    subject: Expr
    body: Stmt
    span: Span


class CaseLabel(Placed, frozen=True):
    """`case value:`; `value` is None for `default:`."""

    value: Expr | None
    statement: Stmt
    span: Span


class LabelledStatement(Placed, frozen=True):
    name: str
    statement: Stmt
    span: Span


class Goto(Placed, frozen=True):
    label: str
    span: Span


class Break(Placed, frozen=True):
    span: Span


class Continue(Placed, frozen=True):
    span: Span


class ReturnStatement(Placed, frozen=True):
    value: Expr | None
    span: Span


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
    | CaseLabel
    | LabelledStatement
    | Goto
    | Break
    | Continue
    | ReturnStatement
)

# Declarations at file level --------------------------------------------------------------------


class FieldDecl(Placed, frozen=True):
    """One member declaration of a struct; `nested` is the body of an anonymous inner struct."""

    type: WrittenType
    declarators: tuple[Declarator, ...]
    nested: StructDef | None
    span: Span


class StructDef(Placed, frozen=True):
    name: str
    fields: tuple[FieldDecl, ...]
    span: Span


class EnumConstant(Placed, frozen=True):
    name: str
    value: Expr | None
    span: Span


class EnumDef(Placed, frozen=True):
    name: str
    enumerators: tuple[EnumConstant, ...]
    span: Span


class Typedef(Placed, frozen=True):
    type: WrittenType
    declarator: Declarator
    span: Span


class Parameter(Placed, frozen=True):
    type: WrittenType
    declarator: Declarator
    span: Span


class Annotation(Placed, frozen=True):
    """A trailing word of a prelude declaration, such as `__acquires(lock)`."""

    name: str
    arguments: tuple[Expr, ...]
    span: Span


class Function(Placed, frozen=True):
    """A function definition, or a declaration where `body` is None. `span` covers the name.

    `untyped`: its type is left out. `unprototyped`: the types of its parameters stand behind them,
    so calls do not convert to these.
    """

    name: str
    type: WrittenType
    pointers: int
    parameters: tuple[Parameter, ...]
    annotations: tuple[Annotation, ...]
    body: Block | None
    span: Span
    untyped: bool = False
    unprototyped: bool = False


TopLevel = StructDef | EnumDef | Typedef | Declaration | Function


class TranslationUnit(Record, frozen=True):
    items: tuple[TopLevel, ...]
