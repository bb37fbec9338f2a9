"""From the syntax tree back to C text, so that parsing the text gives an equal tree.

Only trees that C can write are accepted; in particular an `if` without `else` must not stand bare
before an `else`. Operands are put in parentheses where their binding is looser than their place.
"""

from __future__ import annotations

from typing import assert_never

from flushproof.frontend.c import syntax
from flushproof.frontend.c.operators import PRECEDENCE

_COMMA, _ASSIGN, _CHOICE, _INFIX, _CAST, _UNARY, _POSTFIX = 0, 1, 2, 3, 20, 21, 22
_ESCAPES = {"\\": "\\\\", '"': '\\"', "\n": "\\n", "\t": "\\t"}

_INT_MAX = (1 << 31) - 1


def print_unit(tree: syntax.TranslationUnit) -> str:
    """Return the text of a whole file."""
    return "\n".join(print_item(part) + "\n" for part in tree.items)


def print_item(tree: syntax.TopLevel) -> str:
    """Return the text of one top-level item."""
    match tree:
        case syntax.StructDef():
            return f"{print_struct(tree, '')};"
        case syntax.EnumDef(name, enumerators):
            lines = "".join(f"\t{_valued(e.name, e.value)},\n" for e in enumerators)
            return f"{_tagged('enum', name)} {{\n{lines}}};"
        case syntax.Typedef(written, declared):
            return f"typedef {_typed(written, declared)};"
        case syntax.Declaration():
            return _declaration(tree)
        case syntax.Function():
            return _function(tree)
        case _:
            assert_never(tree)


def print_struct(tree: syntax.StructDef, indent: str) -> str:
    """Return the text of a struct definition without its semicolon."""
    fields = "".join(f"{indent}\t{_field(f, indent)};\n" for f in tree.fields)
    return f"{_tagged('struct', tree.name)} {{\n{fields}{indent}}}"


def _tagged(kind: str, name: str) -> str:
    return f"{kind} {name}" if name else kind


def _field(tree: syntax.FieldDecl, indent: str) -> str:
    before = print_struct(tree.nested, indent + "\t") if tree.nested else written_type(tree.type)
    declared = ", ".join(print_declarator(d) for d in tree.declarators)
    return f"{before} {declared}" if declared else before


def _valued(name: str, value: syntax.Expr | None) -> str:
    return name if value is None else f"{name} = {print_expression(value, _CHOICE)}"


def written_type(tree: syntax.WrittenType) -> str:
    """Return the text of a type without declarators."""
    return tree.name if tree.kind == "name" else f"{tree.kind} {tree.name}"


def print_declarator(tree: syntax.Declarator) -> str:
    """Return the text of a declarator; the parameters of a function pointer are not known."""
    arrays = "".join(f"[{_optional(size)}]" for size in tree.arrays)
    inner = f"(*{tree.name}{arrays})()" if tree.function_pointer else f"{tree.name}{arrays}"
    bits = "" if tree.bits is None else f" : {print_expression(tree.bits, _CHOICE)}"
    return "*" * tree.pointers + inner + bits


def _typed(written: syntax.WrittenType, declared: syntax.Declarator) -> str:
    return f"{written_type(written)} {print_declarator(declared)}".rstrip()


def _declaration(tree: syntax.Declaration) -> str:
    before = " ".join((*tree.qualifiers, written_type(tree.type)))
    names = ", ".join(_initialised(d) for d in tree.declarators)
    return f"{before} {names};" if names else f"{before};"


def _initialised(tree: syntax.InitDeclarator) -> str:
    before = print_declarator(tree.declarator)
    if tree.initialiser is None:
        return before
    return f"{before} = {print_expression(tree.initialiser, _ASSIGN)}"


def _function(tree: syntax.Function) -> str:
    typed = [_typed(p.type, p.declarator) for p in tree.parameters]
    names = [p.declarator.name for p in tree.parameters] if tree.unprototyped else typed
    stars = "*" * tree.pointers
    annotations = "".join(f" {_annotation(a)}" for a in tree.annotations)
    before = "" if tree.untyped else f"{written_type(tree.type)} "
    behind = "".join(f"\n\t{t};" for t in typed) if tree.unprototyped else annotations
    head = f"{before}{stars}{tree.name}({', '.join(names) or 'void'}){behind}"
    return f"{head};" if tree.body is None else f"{head}\n{print_statement(tree.body)}"


def _annotation(tree: syntax.Annotation) -> str:
    return f"{tree.name}({_list(tree.arguments)})" if tree.arguments else tree.name


# Statements -------------------------------------------------------------------------------------


def print_statement(tree: syntax.Stmt, indent: str = "") -> str:
    """Return the text of a statement; its first line is not indented."""
    match tree:
        case syntax.Block(statements, atomic=atomic):
            deeper = indent + "\t"
            lines = "".join(f"{deeper}{print_statement(s, deeper)}\n" for s in statements)
            return f"{'atomic ' if atomic else ''}{{\n{lines}{indent}}}"
        case syntax.Declaration():
            return _declaration(tree)
        case syntax.ExprStatement(value):
            return f"{print_expression(value)};"
        case syntax.If() | syntax.CaseLabel() | syntax.LabelledStatement() | syntax.Switch():
            return _branching(tree, indent)
        case syntax.For() | syntax.ForEachVcpu() | syntax.While() | syntax.DoWhile():
            return _loop(tree, indent)
        case _:
            return f"{_leaf(tree)};"


def _leaf(
    tree: syntax.Empty | syntax.Goto | syntax.Break | syntax.Continue | syntax.ReturnStatement,
) -> str:
    match tree:
        case syntax.Empty():
            return ""
        case syntax.Goto(label):
            return f"goto {label}"
        case syntax.Break():
            return "break"
        case syntax.Continue():
            return "continue"
        case syntax.ReturnStatement(None):
            return "return"
        case syntax.ReturnStatement(value):
            return f"return {_optional(value)}"
        case _:
            assert_never(tree)


def _branching(
    tree: syntax.If | syntax.CaseLabel | syntax.LabelledStatement | syntax.Switch, indent: str
) -> str:
    match tree:
        case syntax.If(condition, then, otherwise):
            before = f"if ({print_expression(condition)}) {print_statement(then, indent)}"
            after = f" else {print_statement(otherwise, indent)}" if otherwise else ""
            return before + after
        case syntax.CaseLabel(None, inner):
            return f"default: {print_statement(inner, indent)}"
        case syntax.CaseLabel(value, inner):
            return f"case {_optional(value, _CHOICE)}: {print_statement(inner, indent)}"
        case syntax.LabelledStatement(name, inner):
            return f"{name}: {print_statement(inner, indent)}"
        case syntax.Switch(subject, body):
            return f"switch ({print_expression(subject)}) {print_statement(body, indent)}"
        case _:
            assert_never(tree)


def _loop(
    tree: syntax.For | syntax.ForEachVcpu | syntax.While | syntax.DoWhile, indent: str
) -> str:
    match tree:
        case syntax.For(start, condition, step, body):
            head = f"{print_statement(start)} {_optional(condition)}; {_optional(step)}"
            return f"for ({head}) {print_statement(body, indent)}"
        case syntax.ForEachVcpu(index, vcpu, kvm, body):
            return f"kvm_for_each_vcpu({_list((index, vcpu, kvm))}) {print_statement(body, indent)}"
        case syntax.While(condition, body):
            return f"while ({print_expression(condition)}) {print_statement(body, indent)}"
        case syntax.DoWhile(body, condition):
            return f"do {print_statement(body, indent)} while ({print_expression(condition)});"
        case _:
            assert_never(tree)


# Expressions ------------------------------------------------------------------------------------


def print_expression(tree: syntax.Expr, place: int = _COMMA) -> str:
    """Return the text of an expression, in parentheses if it binds looser than `place`."""
    text = _bare(tree)
    return f"({text})" if _binding(tree) < place else text


def _binding(tree: syntax.Expr) -> int:
    match tree:
        case syntax.BinaryExpr(","):
            return _COMMA
        case syntax.AssignExpr():
            return _ASSIGN
        case syntax.Conditional():
            return _CHOICE
        case syntax.BinaryExpr(operator):
            return _INFIX + PRECEDENCE[operator]
        case syntax.CastExpr():
            return _CAST
        case syntax.UnaryExpr() | syntax.SizeOf():
            return _UNARY
        case _:
            return _POSTFIX


def _bare(tree: syntax.Expr) -> str:
    match tree:
        case syntax.Number() | syntax.String() | syntax.Name():
            return _atom(tree)
        case syntax.UnaryExpr() | syntax.Postfix() | syntax.CastExpr() | syntax.SizeOf():
            return _operation(tree)
        case syntax.BinaryExpr() | syntax.AssignExpr() | syntax.Conditional():
            return _chain(tree)
        case syntax.InitList(items):
            return "{ " + ", ".join(_init_item(entry) for entry in items) + " }"
        case syntax.StatementExpr(body):
            return f"({print_statement(body)})"
        case _:
            return _access(tree)


def _atom(tree: syntax.Number | syntax.String | syntax.Name) -> str:
    match tree:
        case syntax.Number(value, suffix):
            return f"{hex(value) if value > _INT_MAX else value}{suffix}"
        case syntax.String(text):
            return '"' + "".join(_escaped(c) for c in text) + '"'
        case syntax.Name(name):
            return name
        case _:
            assert_never(tree)


def _escaped(character: str) -> str:
    if ord(character) > 0xFF or character.isprintable():
        return _ESCAPES.get(character, character)
    return _ESCAPES.get(character, f"\\{ord(character):03o}")


def _operation(tree: syntax.UnaryExpr | syntax.Postfix | syntax.CastExpr | syntax.SizeOf) -> str:
    match tree:
        case syntax.UnaryExpr(operator, operand):
            step = operator in {"++", "--"}
            inner = print_expression(operand, _UNARY if step else _CAST)
            return operator + (" " if inner[0] == operator[0] else "") + inner
        case syntax.Postfix(operator, operand):
            return print_expression(operand, _POSTFIX) + operator
        case syntax.CastExpr(written, declared, operand):
            return f"({_typed(written, declared)}){print_expression(operand, _CAST)}"
        case syntax.SizeOf(None, _, operand):
            return f"sizeof {_optional(operand, _UNARY)}"
        case syntax.SizeOf(written, declared):
            assert written is not None
            assert declared is not None
            return f"sizeof({_typed(written, declared)})"
        case _:
            assert_never(tree)


def _chain(tree: syntax.BinaryExpr | syntax.AssignExpr | syntax.Conditional) -> str:
    match tree:
        case syntax.BinaryExpr(",", left, right):
            return f"{print_expression(left)}, {print_expression(right, _ASSIGN)}"
        case syntax.BinaryExpr(operator, left, right):
            level = _binding(tree)
            return (
                f"{print_expression(left, level)} {operator} {print_expression(right, level + 1)}"
            )
        case syntax.AssignExpr(operator, target, value):
            return (
                f"{print_expression(target, _UNARY)} {operator} {print_expression(value, _ASSIGN)}"
            )
        case syntax.Conditional(condition, then, otherwise):
            middle = f" {print_expression(then)} " if then else ""
            before, after = (
                print_expression(condition, _INFIX),
                print_expression(otherwise, _CHOICE),
            )
            return f"{before} ?{middle}: {after}"
        case _:
            assert_never(tree)


def _access(tree: syntax.CallExpr | syntax.Member | syntax.Index | syntax.ContainerOf) -> str:
    match tree:
        case syntax.CallExpr(function, arguments):
            return f"{print_expression(function, _POSTFIX)}({_list(arguments)})"
        case syntax.Member(syntax.Number() as of, name, arrow):
            # A dot behind digits would make another number of them.
            return f"({print_expression(of)}){'->' if arrow else '.'}{name}"
        case syntax.Member(of, name, arrow):
            return f"{print_expression(of, _POSTFIX)}{'->' if arrow else '.'}{name}"
        case syntax.Index(of, index):
            return f"{print_expression(of, _POSTFIX)}[{print_expression(index)}]"
        case syntax.ContainerOf(pointer, outer, member):
            path = ".".join(member)
            return (
                f"container_of({print_expression(pointer, _ASSIGN)}, {written_type(outer)}, {path})"
            )
        case _:
            assert_never(tree)


def _init_item(tree: syntax.InitItem) -> str:
    value = print_expression(tree.value, _ASSIGN)
    path = "".join(
        f".{d}" if isinstance(d, str) else f"[{print_expression(d)}]" for d in tree.designators
    )
    return f"{path} = {value}" if path else value


def _list(arguments: tuple[syntax.Expr, ...]) -> str:
    return ", ".join(print_expression(argument, _ASSIGN) for argument in arguments)


def _optional(tree: syntax.Expr | None, place: int = _COMMA) -> str:
    return "" if tree is None else print_expression(tree, place)
