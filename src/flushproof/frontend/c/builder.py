"""From lark trees to expressions, declarations and statements.

The trees come from `c.lark` with token indices as positions (see `name_terminals`), and no deeper
than `problems.DEPTH`; each function takes the whole token sequence, for spans, and one branch.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from typing import ClassVar

import lark

from flushproof.frontend.c import constants, syntax
from flushproof.frontend.c.constants import OutsideSubset
from flushproof.frontend.c.lark_tree import (
    Branch,
    Tokens,
    Tree,
    rule_name,
    span_of,
    tree_in,
    tree_parts,
    trees_of_rule,
)
from flushproof.frontend.c.operators import PRECEDENCE, integer_type
from flushproof.frontend.c.type_errors import Mismatch
from flushproof.frontend.c.walk import walk
from flushproof.support.diagnostics import Diagnostic, InputError
from flushproof.support.record import Record
from flushproof.support.source import Span


class BadType(Diagnostic, frozen=True, kw_only=True):
    """The words before a declarator make no type."""

    CODE: ClassVar[str] = "FP0409"
    TITLE: ClassVar[str] = "{words} make no type"
    words: str


_BESIDE = frozenset({"STORAGE", "QUALIFIER"})


class DeclarationBase(Record, frozen=True):
    """What stands before the declarators; `definition` is a struct or enum defined on the spot."""

    type: syntax.WrittenType
    qualifiers: tuple[str, ...]
    definition: syntax.StructDef | syntax.EnumDef | None
    span: Span


FUNCTIONS = frozenset({"static", "extern", "inline", "__inline", "__inline__"})
"""Storage words that a function can have; those of variables follow."""
VARIABLES = frozenset({"static", "extern"})
LOCALS = frozenset({"static", "extern", "register", "auto"})
PARAMETERS = frozenset({"register"})
_STORAGE = FUNCTIONS | LOCALS


def confine_storage(before: DeclarationBase, allowed: frozenset[str]) -> DeclarationBase:
    """Return what stands before declarators, if the storage words in it have a place there.

    Raises:
        InputError: there is another, or there are two that exclude each other.
    """
    words = frozenset(before.qualifiers) & _STORAGE
    for word in sorted(words - allowed):
        raise InputError(Mismatch(span=before.span, text=f"`{word}` has no place here"))
    lasting = sorted(words & LOCALS)
    if len(lasting) > 1:
        text = f"`{lasting[0]}` and `{lasting[1]}` exclude each other"
        raise InputError(Mismatch(span=before.span, text=text))
    return before


# Types and declarators --------------------------------------------------------------------------


def is_typeless(tree: Tree) -> bool:
    """Tell whether a `specifiers` tree names no type, so that it stands for int."""
    return all(isinstance(c, lark.Token) and c.type in _BESIDE for c in tree.children)


def function_base(tokens: Tokens, tree: Tree) -> DeclarationBase:
    """Build the type and qualifiers before a function's name; where no type is named it is int."""
    if not is_typeless(tree):
        return build_base(tokens, tree)
    span = span_of(tokens, tree)
    words = tuple(sorted({str(c) for c in tree.children}))
    return DeclarationBase(syntax.WrittenType("name", "int", span), words, None, span)


def build_base(tokens: Tokens, tree: Tree) -> DeclarationBase:
    """Build the type and qualifiers of a `specifiers` tree."""
    span = span_of(tokens, tree)
    plain = [c for c in tree.children if isinstance(c, lark.Token)]
    words = [str(c) for c in plain if c.type == "TYPE_WORD"]
    names = [c for c in tree.children if isinstance(c, lark.Tree) or c.type == "TYPE_NAME"]
    storage = {str(c) for c in plain if c.type in _BESIDE}
    if len(names) + bool(words) != 1:
        shown = " ".join(f"`{t.text}`" for t in tokens[tree.meta.start_pos : tree.meta.end_pos + 1])
        raise InputError(BadType(span=span, words=shown))
    written, definition = _named(tokens, names[0]) if names else (_integer(words, span), None)
    return DeclarationBase(written, tuple(sorted(storage)), definition, span)


def _integer(words: list[str], span: Span) -> syntax.WrittenType:
    name = integer_type(words)
    if not name:
        raise InputError(BadType(span=span, words=f"`{' '.join(words)}`"))
    return syntax.WrittenType("name", name, span)


def _named(
    tokens: Tokens, branch: Branch
) -> tuple[syntax.WrittenType, syntax.StructDef | syntax.EnumDef | None]:
    span = span_of(tokens, branch)
    if isinstance(branch, lark.Token):
        return syntax.WrittenType("name", str(branch), span), None
    kind, form = rule_name(branch).split("_")
    name = str(tree_parts(branch)[0] or "")
    written = syntax.WrittenType(kind, name, span)
    if form == "name":
        return written, None
    if kind == "struct":
        fields = tuple(_field(tokens, t) for t in trees_of_rule(branch.children, "field"))
        return written, syntax.StructDef(name, fields, span)
    enumerators = tuple(
        _enumerator(tokens, t) for t in trees_of_rule(branch.children, "enumerator")
    )
    return written, syntax.EnumDef(name, enumerators, span)


def _enumerator(tokens: Tokens, tree: Tree) -> syntax.EnumConstant:
    name, value = tree_parts(tree)
    return syntax.EnumConstant(str(name), _optional(tokens, value), span_of(tokens, tree))


def _field(tokens: Tokens, tree: Tree) -> syntax.FieldDecl:
    before = confine_storage(build_base(tokens, tree_in(tree.children[0])), frozenset())
    if isinstance(before.definition, syntax.EnumDef):
        raise InputError(OutsideSubset(span=before.span, construct="enumerations inside structs"))
    members = (c for c in tree.children[1:] if isinstance(c, lark.Tree))
    declarators = tuple(_member(tokens, t) for t in members)
    return syntax.FieldDecl(before.type, declarators, before.definition, span_of(tokens, tree))


def _member(tokens: Tokens, tree: Tree) -> syntax.Declarator:
    span = span_of(tokens, tree)
    if rule_name(tree) == "padding":
        return build_declarator(tokens, (), span, build_expression(tokens, tree.children[0]))
    inner, bits = tree_parts(tree)
    return build_declarator(tokens, tree_in(inner).children, span, _optional(tokens, bits))


def build_declarator(
    tokens: Tokens, given: Iterable[Branch | None], span: Span, bits: syntax.Expr | None = None
) -> syntax.Declarator:
    """Build a declarator from its parts: pointers, a name, arrays, a function pointer."""
    name, pointers, function = "", 0, False
    arrays: list[syntax.Expr | None] = []
    pending = list(given)
    while pending:
        part = pending.pop(0)
        if isinstance(part, lark.Token):
            name = str(part)
        elif isinstance(part, lark.Tree):
            match rule_name(part):
                case "pointers":
                    pointers = sum(str(star) == "*" for star in part.children)
                case "array":
                    arrays.append(_optional(tokens, tree_parts(part)[0]))
                case "function_pointer":
                    function = True
                    pending = [c for c in part.children if not _is_parameters(c)]
    return syntax.Declarator(name, pointers, tuple(arrays), function, bits, span)


def _is_parameters(child: Branch | None) -> bool:
    return isinstance(child, lark.Tree) and rule_name(child) == "parameters"


def build_typed(tokens: Tokens, tree: Tree) -> tuple[syntax.WrittenType, syntax.Declarator]:
    """Build the parts of a type name or a parameter."""
    allowed = PARAMETERS if rule_name(tree) == "parameter" else frozenset[str]()
    before = confine_storage(build_base(tokens, tree_in(tree.children[0])), allowed)
    if before.definition is not None:
        raise InputError(
            OutsideSubset(span=before.span, construct="types defined inside other types")
        )
    return before.type, build_declarator(tokens, tree.children[1:], span_of(tokens, tree))


def init_declarator(tokens: Tokens, tree: Tree) -> syntax.InitDeclarator:
    """Build one declared name and its initialiser."""
    inner = tree_in(tree.children[0])
    declared = build_declarator(tokens, inner.children, span_of(tokens, inner))
    value = _optional(tokens, tree_parts(tree)[1])
    return syntax.InitDeclarator(declared, value, span_of(tokens, tree))


def build_declaration(tokens: Tokens, tree: Tree) -> syntax.Declaration:
    """Build a declaration that stands inside a function."""
    before = confine_storage(build_base(tokens, tree_in(tree.children[0])), LOCALS)
    if before.definition is not None:
        raise InputError(
            OutsideSubset(span=before.span, construct="types defined inside functions")
        )
    return build_declared(tokens, tree, before)


def build_declared(tokens: Tokens, tree: Tree, before: DeclarationBase) -> syntax.Declaration:
    """Build a declaration whose specifiers are built already."""
    names = tuple(
        init_declarator(tokens, t) for t in trees_of_rule(tree.children, "init_declarator")
    )
    return syntax.Declaration(before.type, before.qualifiers, names, span_of(tokens, tree))


# Expressions ------------------------------------------------------------------------------------


def build_expression(tokens: Tokens, branch: Branch | None) -> syntax.Expr:
    """Build the expression of any expression tree."""
    tree = tree_in(branch)
    return _EXPRESSIONS[rule_name(tree)](tokens, tree, span_of(tokens, tree))


def _optional(tokens: Tokens, branch: Branch | None) -> syntax.Expr | None:
    return None if branch is None else build_expression(tokens, branch)


def _all(tokens: Tokens, branches: Iterable[Branch | None]) -> tuple[syntax.Expr, ...]:
    return tuple([build_expression(tokens, branch) for branch in branches])


def _infix(tokens: Tokens, tree: Tree, _span: Span) -> syntax.Expr:
    """Apply the precedence of C to a flat chain, by the operator-precedence method of Floyd."""
    operands = [build_expression(tokens, tree.children[0])]
    operators: list[str] = []
    for operator, operand in zip(tree.children[1::2], tree.children[2::2], strict=True):
        while operators and PRECEDENCE[operators[-1]] >= PRECEDENCE[str(operator)]:
            _reduce(operands, operators)
        operators.append(str(operator))
        operands.append(build_expression(tokens, operand))
    while operators:
        _reduce(operands, operators)
    return operands[0]


def _reduce(operands: list[syntax.Expr], operators: list[str]) -> None:
    right, left = operands.pop(), operands.pop()
    operands.append(syntax.BinaryExpr(operators.pop(), left, right, left.span.to(right.span)))


def _comma(tokens: Tokens, tree: Tree, _span: Span) -> syntax.Expr:
    result, *others = _all(tokens, tree.children)
    for other in others:
        result = syntax.BinaryExpr(",", result, other, result.span.to(other.span))
    return result


def _assign(tokens: Tokens, tree: Tree, span: Span) -> syntax.Expr:
    target, operator, value = tree_parts(tree)
    return syntax.AssignExpr(
        str(operator), build_expression(tokens, target), build_expression(tokens, value), span
    )


def _choice(tokens: Tokens, tree: Tree, span: Span) -> syntax.Expr:
    condition, then, otherwise = tree_parts(tree)
    first, last = build_expression(tokens, condition), build_expression(tokens, otherwise)
    return syntax.Conditional(first, _optional(tokens, then), last, span)


def _cast(tokens: Tokens, tree: Tree, span: Span) -> syntax.Expr:
    written, declared_as = build_typed(tokens, tree_in(tree.children[0]))
    return syntax.CastExpr(written, declared_as, build_expression(tokens, tree.children[1]), span)


def _sizeof_type(tokens: Tokens, tree: Tree, span: Span) -> syntax.Expr:
    written, declared_as = build_typed(tokens, tree_in(tree.children[0]))
    return syntax.SizeOf(written, declared_as, None, span)


def _call(tokens: Tokens, tree: Tree, span: Span) -> syntax.Expr:
    function, given = tree_parts(tree)
    return syntax.CallExpr(build_expression(tokens, function), build_arguments(tokens, given), span)


def _index(tokens: Tokens, tree: Tree, span: Span) -> syntax.Expr:
    of, index = tree_parts(tree)
    return syntax.Index(build_expression(tokens, of), build_expression(tokens, index), span)


def build_arguments(tokens: Tokens, branch: Branch | None) -> tuple[syntax.Expr, ...]:
    """Build the expressions of an argument list that may be absent."""
    return () if branch is None else _all(tokens, tree_in(branch).children)


def _container_of(tokens: Tokens, tree: Tree, span: Span) -> syntax.Expr:
    pointer, outer, path = tree_parts(tree)
    written, declared_as = build_typed(tokens, tree_in(outer))
    if declared_as.pointers or declared_as.arrays:
        raise InputError(BadType(span=written.span, words="these words of `container_of`"))
    member = tuple(str(name) for name in tree_in(path).children)
    return syntax.ContainerOf(build_expression(tokens, pointer), written, member, span)


def _initialiser_list(tokens: Tokens, tree: Tree, span: Span) -> syntax.Expr:
    items = tuple([_init_item(tokens, t) for t in trees_of_rule(tree.children, "init_item")])
    return syntax.InitList(items, span)


def _init_item(tokens: Tokens, tree: Tree) -> syntax.InitItem:
    designator, value = tree_parts(tree)
    path = () if designator is None else tuple(_designators(tokens, tree_in(designator)))
    return syntax.InitItem(path, build_expression(tokens, value), span_of(tokens, tree))


def _designators(tokens: Tokens, tree: Tree) -> Iterator[str | syntax.Expr]:
    for child in tree.children:
        yield str(child) if isinstance(child, lark.Token) else build_expression(tokens, child)


def _string(_tokens: Tokens, tree: Tree, span: Span) -> syntax.Expr:
    return syntax.String(
        "".join(constants.decode_string(str(t), span) for t in tree.children), span
    )


def _character(_tokens: Tokens, tree: Tree, span: Span) -> syntax.Expr:
    value = constants.decode_character(str(tree.children[0]), span)
    size = syntax.Number(abs(value), "", span)
    return size if value >= 0 else syntax.UnaryExpr("-", size, span)


def _member_of(tokens: Tokens, tree: Tree, span: Span) -> syntax.Expr:
    of, name = tree_parts(tree)
    return syntax.Member(build_expression(tokens, of), str(name), rule_name(tree) == "arrow", span)


_EXPRESSIONS: dict[str, Callable[[Tokens, Tree, Span], syntax.Expr]] = {
    "comma": _comma,
    "assign": _assign,
    "choice": _choice,
    "infix": _infix,
    "cast": _cast,
    "prefix_operation": lambda k, t, s: syntax.UnaryExpr(
        str(t.children[0]), build_expression(k, t.children[1]), s
    ),
    "postfix_operation": lambda k, t, s: syntax.Postfix(
        str(t.children[1]), build_expression(k, t.children[0]), s
    ),
    "sizeof_expression": lambda k, t, s: syntax.SizeOf(
        None, None, build_expression(k, t.children[0]), s
    ),
    "sizeof_type": _sizeof_type,
    "index": _index,
    "call": _call,
    "dot": _member_of,
    "arrow": _member_of,
    "name": lambda _k, t, s: syntax.Name(str(t.children[0]), s),
    "number": lambda _k, t, s: syntax.Number(*constants.decode_integer(str(t.children[0]), s), s),
    "char": _character,
    "string": _string,
    "statement_expression": lambda k, t, s: syntax.StatementExpr(build_block(k, t.children[0]), s),
    "container_of": _container_of,
    "initialiser_list": _initialiser_list,
}


# Statements -------------------------------------------------------------------------------------


def build_statement(tokens: Tokens, branch: Branch | None) -> syntax.Stmt:
    """Build the statement or declaration of any tree of a block."""
    tree = tree_in(branch)
    return _STATEMENTS[rule_name(tree)](tokens, tree, span_of(tokens, tree))


def build_block(tokens: Tokens, branch: Branch | None) -> syntax.Block:
    """Build a block."""
    tree = tree_in(branch)
    body = tuple([build_statement(tokens, child) for child in tree.children])
    return syntax.Block(body, span_of(tokens, tree))


def _atomic_block(tokens: Tokens, tree: Tree, span: Span) -> syntax.Stmt:
    return syntax.Block(build_block(tokens, tree.children[0]).statements, span, atomic=True)


def _if(tokens: Tokens, tree: Tree, span: Span) -> syntax.Stmt:
    condition, then, otherwise = tree_parts(tree)
    last = None if otherwise is None else build_statement(tokens, otherwise)
    return syntax.If(build_expression(tokens, condition), build_statement(tokens, then), last, span)


def _for(tokens: Tokens, tree: Tree, span: Span) -> syntax.Stmt:
    start, condition, step, body = tree_parts(tree)
    first = build_statement(tokens, start)
    last = build_statement(tokens, body)
    return syntax.For(first, _optional(tokens, condition), _optional(tokens, step), last, span)


def _for_each_vcpu(tokens: Tokens, tree: Tree, span: Span) -> syntax.Stmt:
    index, vcpu, kvm = _all(tokens, tree.children[:3])
    return syntax.ForEachVcpu(index, vcpu, kvm, build_statement(tokens, tree.children[3]), span)


def _scoped_guard(tokens: Tokens, tree: Tree, span: Span) -> syntax.Stmt:
    """Build a block with a guard; `break` and `continue` end what it is around."""
    name, lock, body = tree_parts(tree)
    made = syntax.CallExpr(syntax.Name("guard", span), (syntax.Name(str(name), span),), span)
    guard = syntax.CallExpr(made, (build_expression(tokens, lock),), span)
    once = build_statement(tokens, body)
    if any(isinstance(node, syntax.Break | syntax.Continue) for node in walk(once)):
        once = syntax.DoWhile(once, syntax.Number(0, "", span), span)
    return syntax.Block((syntax.ExprStatement(guard, span), once), span)


def _while(tokens: Tokens, tree: Tree, span: Span) -> syntax.Stmt:
    condition, body = tree_parts(tree)
    return syntax.While(build_expression(tokens, condition), build_statement(tokens, body), span)


def _do_while(tokens: Tokens, tree: Tree, span: Span) -> syntax.Stmt:
    body, condition = tree_parts(tree)
    return syntax.DoWhile(build_statement(tokens, body), build_expression(tokens, condition), span)


def _switch(tokens: Tokens, tree: Tree, span: Span) -> syntax.Stmt:
    subject, body = tree_parts(tree)
    return syntax.Switch(build_expression(tokens, subject), build_statement(tokens, body), span)


def _case(tokens: Tokens, tree: Tree, span: Span) -> syntax.Stmt:
    value, body = tree_parts(tree)
    return syntax.CaseLabel(build_expression(tokens, value), build_statement(tokens, body), span)


def _label(tokens: Tokens, tree: Tree, span: Span) -> syntax.Stmt:
    name, body = tree_parts(tree)
    return syntax.LabelledStatement(str(name), build_statement(tokens, body), span)


_STATEMENTS: dict[str, Callable[[Tokens, Tree, Span], syntax.Stmt]] = {
    "declaration": lambda k, t, _s: build_declaration(k, t),
    "block": lambda k, t, _s: build_block(k, t),
    "expression_statement": lambda k, t, s: syntax.ExprStatement(
        build_expression(k, t.children[0]), s
    ),
    "empty": lambda _k, _t, s: syntax.Empty(s),
    "if_statement": _if,
    "for_statement": _for,
    "for_each_vcpu": _for_each_vcpu,
    "atomic_block": _atomic_block,
    "scoped_guard": _scoped_guard,
    "while_statement": _while,
    "do_while": _do_while,
    "switch": _switch,
    "case": _case,
    "default": lambda k, t, s: syntax.CaseLabel(None, build_statement(k, t.children[0]), s),
    "label": _label,
    "goto": lambda _k, t, s: syntax.Goto(str(t.children[0]), s),
    "break_statement": lambda _k, _t, s: syntax.Break(s),
    "continue_statement": lambda _k, _t, s: syntax.Continue(s),
    "return_statement": lambda k, t, s: syntax.ReturnStatement(_optional(k, tree_parts(t)[0]), s),
}
