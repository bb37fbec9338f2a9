"""The law of the printer: text printed from a tree parses to an equal tree."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from flushproof.frontend.c import printer, syntax
from flushproof.frontend.c.load import load_source
from flushproof.frontend.c.operators import PRECEDENCE
from flushproof.frontend.c.parser import ParseContext, parse_c
from flushproof.support.source import Source, Span
from support.places import SPECS

CONTEXT = ParseContext(typedefs=frozenset({"u64"}))
AT = Span("-", 1, 1, 1, 1)
PLAIN = syntax.Declarator("", 0, (), function_pointer=False, bits=None, span=AT)
POINTER = syntax.Declarator("", 1, (), function_pointer=False, bits=None, span=AT)
U64 = syntax.WrittenType("name", "u64", AT)
STRUCT = syntax.WrittenType("struct", "kvm", AT)

names = st.sampled_from(["a", "b", "vcpu", "spec", "claim", "on"])
numbers = st.builds(
    syntax.Number,
    st.integers(0, 2**64 - 1),
    st.sampled_from(["", "u", "l", "ul", "ll", "ull"]),
    st.just(AT),
)
strings = st.builds(
    syntax.String, st.text(st.characters(max_codepoint=0x2FF), max_size=6), st.just(AT)
)
leaves = st.one_of(st.builds(syntax.Name, names, st.just(AT)), numbers, strings)


def _postfix(inner: st.SearchStrategy[syntax.Expr]) -> st.SearchStrategy[syntax.Expr]:
    few = st.lists(inner, max_size=3).map(tuple)
    return st.one_of(
        st.builds(syntax.CallExpr, inner, few, st.just(AT)),
        st.builds(syntax.Member, inner, names, st.booleans(), st.just(AT)),
        st.builds(syntax.Index, inner, inner, st.just(AT)),
        st.builds(syntax.Postfix, st.sampled_from(["++", "--"]), inner, st.just(AT)),
        st.builds(syntax.ContainerOf, inner, st.just(STRUCT), st.just(("a", "b")), st.just(AT)),
    )


def _compound(inner: st.SearchStrategy[syntax.Expr]) -> st.SearchStrategy[syntax.Expr]:
    signs = st.sampled_from(["-", "+", "!", "~", "*", "&", "++", "--"])
    operators = st.sampled_from([*PRECEDENCE, ","])
    assigns = st.sampled_from(["=", "+=", "<<=", "|="])
    return st.one_of(
        _postfix(inner),
        st.builds(syntax.UnaryExpr, signs, inner, st.just(AT)),
        st.builds(syntax.BinaryExpr, operators, inner, inner, st.just(AT)),
        st.builds(syntax.AssignExpr, assigns, inner, inner, st.just(AT)),
        st.builds(syntax.Conditional, inner, st.none() | inner, inner, st.just(AT)),
        st.builds(syntax.CastExpr, st.just(STRUCT), st.just(POINTER), inner, st.just(AT)),
        st.builds(syntax.SizeOf, st.just(U64), st.just(PLAIN), st.none(), st.just(AT)),
        st.builds(syntax.SizeOf, st.none(), st.none(), inner, st.just(AT)),
    )


expressions = st.recursive(leaves, _compound, max_leaves=12)


def _block(inner: st.SearchStrategy[syntax.Stmt]) -> st.SearchStrategy[syntax.Block]:
    return st.builds(syntax.Block, st.lists(inner, max_size=3).map(tuple), st.just(AT))


def _nested(inner: st.SearchStrategy[syntax.Stmt]) -> st.SearchStrategy[syntax.Stmt]:
    block, some = _block(inner), st.none() | expressions
    start = st.one_of(
        st.just(syntax.Empty(AT)), st.builds(syntax.ExprStatement, expressions, st.just(AT))
    )
    return st.one_of(
        block,
        st.builds(syntax.If, expressions, block, st.none() | block, st.just(AT)),
        st.builds(syntax.For, start, some, some, block, st.just(AT)),
        st.builds(syntax.While, expressions, block, st.just(AT)),
        st.builds(syntax.DoWhile, block, expressions, st.just(AT)),
        st.builds(syntax.Switch, expressions, block, st.just(AT)),
        st.builds(syntax.CaseLabel, some, block, st.just(AT)),
        st.builds(syntax.LabelledStatement, names, block, st.just(AT)),
        st.builds(
            syntax.ExprStatement, st.builds(syntax.StatementExpr, block, st.just(AT)), st.just(AT)
        ),
    )


simple: st.SearchStrategy[syntax.Stmt] = st.one_of(
    st.builds(syntax.ExprStatement, expressions, st.just(AT)),
    st.builds(syntax.ReturnStatement, st.none() | expressions, st.just(AT)),
    st.builds(syntax.Goto, names, st.just(AT)),
    st.sampled_from([syntax.Break(AT), syntax.Continue(AT), syntax.Empty(AT)]),
)
blocks = _block(st.recursive(simple, _nested, max_leaves=6))


def reparsed(text: str) -> tuple[syntax.TopLevel, ...]:
    """Parse printed text."""
    return parse_c(Source("printed.c", text), CONTEXT)[0].items


@given(blocks)
@settings(max_examples=30, deadline=None, derandomize=True)
def test_round_trip_of_statements(block: syntax.Block) -> None:
    """Parentheses and braces are printed exactly where the grammar needs them."""
    function = syntax.Function("f", U64, 1, (), (), block, AT)
    assert reparsed(printer.print_item(function)) == (function,)


@given(expressions)
@settings(max_examples=150, deadline=None, derandomize=True)
def test_round_trip_of_expressions(expression: syntax.Expr) -> None:
    """No two trees print alike."""
    body = syntax.Block((syntax.ExprStatement(expression, AT),), AT)
    function = syntax.Function("f", U64, 0, (), (), body, AT)
    assert reparsed(printer.print_item(function)) == (function,)


@pytest.mark.parametrize(
    "text",
    [
        "struct s { struct kvm *k, v; u64 x:3, :0; int a[2][]; int (*f)(void); };",
        "struct s { struct { int i; } m; struct in { int j; }; struct { int k[2]; } n; };",
        "typedef int (*fn)(u64); typedef struct { int a; } t; enum e { A, B = 1 << 3, };",
        "static const u64 x = 1, *y, z[2] = { 1, { 2, 3 } }, w = { .a.b = 1, .c = { } };",
        "int f(struct kvm *k, u64 a[], int (*g)(int), ...) __acquires(k) __must_hold;",
        "int f(void) { kvm_for_each_vcpu(i, v, k) { for (int j = 0; j < 3; j++) ; } }",
        "int f(void) { if (a) b; else if (c) d; else { } fallthrough; default: ; }",
    ],
)
def test_round_trip_of_items(text: str) -> None:
    """Types and declarations print as they parse."""
    items = reparsed(text)
    assert reparsed(printer.print_unit(syntax.TranslationUnit(items))) == items


@pytest.mark.sample(every=6)
@pytest.mark.parametrize("path", sorted(SPECS.glob("*.c")), ids=lambda path: path.name)
def test_round_trip_of_the_corpus(path: Path) -> None:
    """Every variant survives printing."""
    _, prelude = parse_c(load_source(SPECS / "prelude.h"), ParseContext())
    unit, context = parse_c(load_source(path), prelude)
    after = ParseContext(typedefs=context.typedefs)
    assert parse_c(Source("printed.c", printer.print_unit(unit)), after)[0] == unit
