"""The parser of the C subset: what it builds, what it refuses, and where."""

from __future__ import annotations

import pytest

from flushproof.frontend.c import printer, syntax
from flushproof.frontend.c.parser import ParseContext, parse_c, parse_items, read_tokens
from flushproof.support.diagnostics import InputError
from flushproof.support.source import Source

CONTEXT = ParseContext(typedefs=frozenset({"u64"}))


def items(text: str) -> tuple[syntax.TopLevel, ...]:
    """Parse `text` as a file that knows the type u64."""
    return parse_c(Source("a.c", text), CONTEXT)[0].items


def inside(statements: str) -> str:
    """Return a function around `statements`, which begin on line 3."""
    return f"int f(int a)\n{{\n{statements}\n}}\n"


def body(statements: str) -> tuple[syntax.Stmt, ...]:
    """Return the statements of the function around `statements`."""
    (function,) = items(inside(statements))
    assert isinstance(function, syntax.Function)
    assert function.body is not None
    return function.body.statements


def shown(expression: str) -> str:
    """Return `expression` with every operation in parentheses."""
    (statement,) = body(f"x = {expression};")
    assert isinstance(statement, syntax.ExprStatement)
    assert isinstance(statement.expression, syntax.AssignExpr)
    return _grouped(statement.expression.value)


def _grouped(tree: syntax.Expr) -> str:
    match tree:
        case syntax.BinaryExpr(operator, left, right):
            return f"({_grouped(left)}{operator}{_grouped(right)})"
        case syntax.UnaryExpr(operator, operand):
            return f"({operator}{_grouped(operand)})"
        case syntax.CastExpr(_, _, operand):
            return f"(cast {_grouped(operand)})"
        case syntax.Conditional(condition, then, otherwise):
            middle = _grouped(then) if then else ""
            return f"({_grouped(condition)}?{middle}:{_grouped(otherwise)})"
        case _:
            return printer.print_expression(tree)


@pytest.mark.parametrize(
    ("text", "grouped"),
    [
        ("a + b * c", "(a+(b*c))"),
        ("a - b - c", "((a-b)-c)"),
        ("a || b && c | d ^ e & f", "(a||(b&&(c|(d^(e&f)))))"),
        ("a == b < c << d + e", "(a==(b<(c<<(d+e))))"),
        ("a << 1 & ~b != 0", "((a<<1)&((~b)!=0))"),
        ("!a->b == *c++", "((!a->b)==(*c++))"),
        ("a ? b : c ? d : e", "(a?b:(c?d:e))"),
        ("a ?: b", "(a?:b)"),
        ("(u64)a + b", "((cast a)+b)"),
        ("(u64)-1", "(cast (-1))"),
        ("(a)-1", "(a-1)"),
        ("sizeof(u64) * a", "(sizeof(u64)*a)"),
        ("sizeof a * b", "(sizeof a*b)"),
        ("container_of(p, struct t, a.b)->c", "container_of(p, struct t, a.b)->c"),
        ("'a' + '\\n' + 0x1F + 010 + 5ull", "((((97+10)+31)+8)+5ull)"),
        ('"a" "b\\x41"', '"abA"'),
        ("(a, b)", "(a,b)"),
        ("({ int y; y; })", "({\n\tint y;\n\ty;\n})"),
    ],
)
def test_binding(text: str, grouped: str) -> None:
    """Operators bind as in C, whatever the grammar leaves flat."""
    assert shown(text) == grouped


@pytest.mark.parametrize(
    ("words", "name"),
    [
        ("unsigned", "unsigned int"),
        ("long unsigned int", "unsigned long"),
        ("long int long", "long long"),
        ("signed char", "signed char"),
        ("signed", "int"),
        ("short int", "short"),
        ("_Bool", "bool"),
        ("const unsigned long long volatile", "unsigned long long"),
        ("u64", "u64"),
    ],
)
def test_types(words: str, name: str) -> None:
    """Two spellings of one type must be one type."""
    (declaration,) = items(f"{words} x;")
    assert isinstance(declaration, syntax.Declaration)
    assert (declaration.type.kind, declaration.type.name) == ("name", name)


def test_function_with_annotations() -> None:
    """Preludes describe locks by annotations; attributes of the compiler are dropped."""
    (function,) = items(
        "static __always_inline void __init lock(u64 *l, ...) __acquires(l) __free "
        "__attribute__((noinline));"
    )
    assert isinstance(function, syntax.Function)
    assert function.name == "lock"
    assert [a.name for a in function.annotations] == ["__acquires", "__free"]
    assert [p.type.name for p in function.parameters] == ["u64", "..."]
    assert function.body is None


def test_a_body_says_what_a_function_does() -> None:
    """A word for another checker must not stand for the lock that the body takes."""
    (function,) = items("void lock(u64 *l) __acquires(l) { *l = 1; }")
    assert isinstance(function, syntax.Function)
    assert function.annotations == ()
    assert function.body is not None


@pytest.mark.parametrize(
    ("constant", "value"),
    [
        ("'a'", "97"),
        (r"'\xff'", "(-1)"),
        (r"'\377a'", "65377"),
        ("'ab'", "24930"),
        (r"'\xff\xff'", "65535"),
        (r"'\xff\xff\xff\xff'", "(-1)"),
        ("'é'", "50089"),
        (r"'\0'", "0"),
    ],
)
def test_character_constants(constant: str, value: str) -> None:
    """`char` is signed on x86; gcc takes the bytes of several characters together."""
    assert shown(constant) == value


def test_typedefs_reach_later_files() -> None:
    """A prelude's types are known in the variant, its macros too."""
    _, context = parse_c(
        Source("p.h", "typedef int t; typedef int (*fn)(u64); typedef t arr[2];\n#define N 3\n"),
        CONTEXT,
    )
    assert context.typedefs == {"u64", "t", "fn", "arr"}
    unit, _ = parse_c(Source("a.c", "t x = (t)N; fn f; arr y;"), context)
    assert len(unit.items) == 3


def test_nameless_types_take_the_name_they_define() -> None:
    """Without a tag the typedef would lead nowhere."""
    struct, typedef, enum = items("typedef struct { int a; } s; enum { A, B = 3, };")
    assert isinstance(struct, syntax.StructDef)
    assert isinstance(typedef, syntax.Typedef)
    assert isinstance(enum, syntax.EnumDef)
    assert struct.name == typedef.type.name == "s"
    assert [e.name for e in enum.enumerators] == ["A", "B"]


def test_struct_members() -> None:
    """A member that is lost would be a field without a place."""
    (struct,) = items(
        "struct s { struct kvm *k, v; u64 x:3, :0; int a[2][N]; int (*f)(void); "
        "struct { int i; }; struct in { int j; } n; };"
    )
    assert isinstance(struct, syntax.StructDef)
    nested = [f.nested.name for f in struct.fields if f.nested]
    assert nested == ["", "in"]
    names = [d.name for f in struct.fields for d in f.declarators]
    assert names == ["k", "v", "x", "", "a", "f", "n"]


def test_member_named_like_a_type() -> None:
    """After `->`, `.`, `struct` and `goto` a name is never a type."""
    assert shown("a->u64 + b.u64") == "(a->u64+b.u64)"


def test_slices_parse_alone() -> None:
    """A run of top-level items can be read without the rest of its file."""
    tokens, context = read_tokens(Source("a.c", "junk junk; int a; int b;"), CONTEXT)
    assert len(parse_items(tokens[3:6], context.typedefs)) == 1


@pytest.mark.parametrize(
    ("text", "line", "column", "construct"),
    [
        (inside('asm volatile("nop");'), 3, 1, "inline assembly"),
        (inside("a = 1.5;"), 3, 5, "floating point"),
        ("double x;", 1, 1, "floating point"),
        ("union u { int a; };", 1, 1, "unions"),
        ("struct s { union { int a; }; };", 1, 12, "unions"),
        (inside("a = (struct x){ 1 };"), 3, 15, "compound literals"),
        (inside("return (struct x){ 1 };"), 3, 18, "compound literals"),
        (inside("typeof(a) b;"), 3, 1, "`typeof`"),
        (inside("a = _Generic(a, int: 1);"), 3, 5, "`_Generic`"),
        (inside("int g(int x) { return x; }"), 3, 6, "functions declared inside functions"),
        ("int x[2] = { [0 ... 1] = 1 };", 1, 17, "ranges of elements"),
        (inside("switch (a) { case 1 ... 3: ; }"), 3, 21, "ranges of cases"),
        (inside("struct x { int a; } y;"), 3, 1, "types defined inside functions"),
        ("struct s { enum { A } e; };", 1, 12, "enumerations inside structs"),
        (inside("a = 'abcde';"), 3, 5, "character constants of over 4 characters"),
        (inside('_Static_assert(1, "");'), 3, 1, "`_Static_assert`"),
        ("int f(int a) __nice;", 1, 14, "`__nice` behind the parameters of a function"),
        (
            "int f(int a) __free { return a; }",
            1,
            14,
            "`__free` behind the parameters of a function",
        ),
    ],
)
def test_outside_the_subset(text: str, line: int, column: int, construct: str) -> None:
    """Each construct that is left out is named, not reported as a slip of the pen."""
    with pytest.raises(InputError) as caught:
        items(text)
    (diagnostic,) = caught.value.diagnostics
    assert diagnostic.title == f"outside the subset: {construct}"
    assert diagnostic.span is not None
    assert (diagnostic.span.line, diagnostic.span.column) == (line, column)


@pytest.mark.parametrize(
    ("text", "line", "column", "title", "help_text"),
    [
        (
            inside("kvm_foreach_vcpu(i, v, kvm) { a = 1; }"),
            3,
            1,
            (
                "`kvm_foreach_vcpu` is no loop, and no macro of this name is defined"
                " (did you mean `kvm_for_each_vcpu`?)"
            ),
            "define the macro in the file, or write `kvm_for_each_vcpu(i, vcpu, kvm)`",
        ),
        (
            inside("a = 1\n\treturn a;"),
            4,
            2,
            "unexpected `return`, expected an operator, `,` or `;`",
            "add `;` after `1`",
        ),
        (inside("a = (a > );"), 3, 10, "unexpected `)`, expected an expression", ""),
        (
            inside("else a;"),
            3,
            1,
            "unexpected `else`, expected a statement, a type, `}` or `atomic`",
            "",
        ),
        (
            "foo_t x;",
            1,
            1,
            "unexpected `foo_t`, expected a type, `;`, the end of the file or `typedef`",
            "`foo_t` is not known as a type",
        ),
        (
            inside("u_64 x;"),
            3,
            6,
            "unexpected `x`, expected an operator, `,`, `:` or `;`",
            "`u_64` is not known as a type (did you mean `u64`?)",
        ),
        ("int f(void)\n{\n", 2, 1, "this `{` is never closed", "add the missing `}`"),
        ("int f(void);\n}\n", 2, 1, "this `}` closes nothing", ""),
        (inside("a = (1];"), 3, 5, "this `(` is never closed", "add the missing `)`"),
        ("int a", 1, 6, "unexpected end of the file, expected `(`, `,`, `;` or `=`", "add `;`"),
        ("unsigned unsigned x;", 1, 1, "`unsigned unsigned` make no type", ""),
        ("u64 int x;", 1, 1, "`u64` `int` make no type", ""),
        (inside("a = 08;"), 3, 5, "`08` is not an integer constant", ""),
        (inside("a = 0x1ffffffffffffffff;"), 3, 5, "`0x1ffffffffffffffff` does not fit", ""),
        (inside('a = "\\q";'), 3, 5, "`\\q` is not an escape of C", ""),
    ],
)
def test_refusals(text: str, line: int, column: int, title: str, help_text: str) -> None:
    """The place, what stands there, what was wanted, and the usual mend."""
    with pytest.raises(InputError) as caught:
        items(text)
    (diagnostic,) = caught.value.diagnostics
    assert diagnostic.title.startswith(title)
    assert diagnostic.help.startswith(help_text)
    assert diagnostic.span is not None
    assert (diagnostic.span.line, diagnostic.span.column) == (line, column)


def test_missing_semicolon_points_at_both_places() -> None:
    """The slip is on the line before the one that fails."""
    with pytest.raises(InputError) as caught:
        items("int a\nint b;")
    (note,) = caught.value.diagnostics[0].notes
    assert note.span is not None
    assert (note.span.line, note.span.column) == (1, 5)


DEEP = {
    "parentheses": "a = " + "(" * 5000 + "1" + ")" * 5000 + ";",
    "braces": "{" * 5000 + "}" * 5000,
    "not": "a = " + "!" * 5000 + "a;",
    "plus": "a = " + "a + " * 5000 + "a;",
    "else if": "if (a) a = 1; " + "else if (a) a = 2;\n" * 2000,
    "choice": "a = " + "a ? b : " * 2000 + "a;",
    "assign": "a = " * 2000 + "a;",
    "comma": "a, " * 2000 + "a;",
    "arrow": "a" + "->b" * 2000 + ";",
    "cast": "a = " + "(u64)" * 2000 + "1;",
    "label": "".join(f"l{i}: " for i in range(2000)) + ";",
    "call": "a" + "(a" * 2000 + ")" * 2000 + ";",
}


@pytest.mark.sample(every=4)
@pytest.mark.parametrize("text", DEEP.values(), ids=DEEP.keys())
def test_deep_nesting_is_refused(text: str) -> None:
    """No input may exhaust the stack of this pass or of a later one."""
    with pytest.raises(InputError, match="nest deeper than 200 levels"):
        items(inside(text))


SHALLOW = {
    "parentheses": "a = " + "(" * 190 + "1" + ")" * 190 + ";",
    "not": "a = " + "! " * 190 + "a;",
    "plus": "a = " + "a + " * 190 + "a;",
    "else if": "if (a) a = 1; " + "else if (a) a = 2;\n" * 190,
    "case": "switch (a) { " + "".join(f"case {i}: " for i in range(190)) + "a = 1; }",
    "long": "a = a + 1;\n" * 3000,
}


@pytest.mark.sample(every=3)
@pytest.mark.parametrize("text", SHALLOW.values(), ids=SHALLOW.keys())
def test_reasonable_nesting_is_accepted(text: str) -> None:
    """What is accepted can be walked by recursion: the printer does."""
    assert items(printer.print_item(items(inside(text))[0])) == items(inside(text))
