"""The preprocessor: what is expanded, what is dropped, and what is refused where."""

from __future__ import annotations

import pytest

from flushproof.frontend.c.macros import Macros
from flushproof.frontend.c.preprocess import preprocess
from flushproof.support.diagnostics import InputError
from flushproof.support.source import Source

COMPILER = "whether `{}` is a macro depends on the compiler"


def expanded(text: str, macros: Macros | None = None) -> str:
    """Return the live tokens of `text`, with blanks between them."""
    return " ".join(t.text for t in preprocess(Source("a.c", text), macros or Macros()).tokens)


@pytest.mark.parametrize(
    ("text", "result"),
    [
        ("#define A 1\nA B A", "1 B 1"),
        ("#define A 1\n#undef A\nA", "A"),
        ("#define F(x) (x)\nF(1, 2", None),
        ("#define F(x) (x)\nF F(a) F\n(b)", "F ( a ) ( b )"),
        ("#define F (x)\nF", "( x )"),
        ("#define F(x, y) x - y\nF((a, b), c)", "( a , b ) - c"),
        ("#define F() z\nF()", "z"),
        ("#define A do { \\\n f(); } \\\n while (0)\nA;", "do { f ( ) ; } while ( 0 ) ;"),
        ("#define a a + b\n#define b a\na", "a + a"),
        ("#define F(x) x F\nF(1)(2)", "1 F ( 2 )"),
        ("#define F(x) G(x)\n#define G(x) F(x)\nF(1)", "F ( 1 )"),
        ("#define F(x) [x]\nF(F(F(1)))", "[ [ [ 1 ] ] ]"),
        ("#define P(f, ...) f(__VA_ARGS__)\nP(a, b, c) P(a)", "a ( b , c ) a ( )"),
        ("#define P(f, ...) g(f, ##__VA_ARGS__)\nP(a) P(a, b)", "g ( a ) g ( a , b )"),
        ("#define P(f, r...) g(f, r)\nP(a, b, c)", "g ( a , b , c )"),
        ('#define S(x) #x\nS(a + "b\\n")', '"a + \\"b\\\\n\\""'),
        ("#define J(a, b) a##b\nJ(x, 1) J(, y) J(z,)", "x1 y z"),
        ("#define J(a, b) a##b\n#define x 1\nJ(x, x)", "xx"),
        ("a /* b\n */ c // d\ne", "a c e"),
        ("#define kvm_for_each_vcpu(i, v, k) for (;;)\nkvm_for_each_vcpu", "kvm_for_each_vcpu"),
        ("#define kvm_for_each_vcpu(i, v, k) for (;;)\nkvm_for_each_vcpu(a, b, c)", "for ( ; ; )"),
        ("#define fallthrough f()\nfallthrough;", "f ( ) ;"),
        ('#pragma GCC diagnostic ignored "-Wall"\n#line 7 "b.c"\n# 8 "c.c"\nx', "x"),
        ("#define F(x) [x]\nF\n(1)", "[ 1 ]"),
        ("a = b + \\\n+ c;", "a = b + + c ;"),
        ("#pragma once\n#include <a.h>\nx", "x"),
    ],
)
def test_expansion(text: str, result: str | None) -> None:
    """A wrong token here would check another program than the one in the file."""
    if result is None:
        with pytest.raises(InputError, match="never closed"):
            expanded(text)
    else:
        assert expanded(text) == result


@pytest.mark.parametrize(
    ("condition", "holds"),
    [
        ("1", True),
        ("0", False),
        ("UNKNOWN", False),
        ("false", False),
        ("defined(CONFIG_A) && !defined CONFIG_B", True),
        ("IS_ENABLED(CONFIG_A)", True),
        ("IS_ENABLED(CONFIG_B)", False),
        ("IS_ENABLED(CONFIG_M) && !IS_BUILTIN(CONFIG_M)", True),
        ("IS_REACHABLE(CONFIG_M)", True),
        ("2 + 3 * 4 == 14", True),
        ("-7 / 2 == -3 && -7 % 2 == -1", True),
        ("(1 << 4 | 3) == 19", True),
        ("0 && 1 / 0", False),
        ("1 || 1 / 0", True),
        ("0 ? 1 : 2 > 1", True),
        ("'a' == 97", True),
        ("~0 == -1 && !0", True),
        ("0x10UL == 16", True),
        ("-1 > 0u", True),
        ("-1 > 0", False),
        (r"'\xff' < 0", True),
        ("(1 ? -1 : 0u) > 0", True),
        ("(0 ? 0u : -1) > 0", True),
        ("(2 || 0u) - 2 < 0", True),
        ("(0u == 0) - 2 < 0", True),
        ("-1 / 2u > 5 && -1 % 10u == 5", True),
        ("9223372036854775808 > -1", False),
        ("0x8000000000000000 > 0", True),
        ("-9223372036854775807 - 2 > 0", True),
        ("1 << 64", False),
        ("-1 >> 70 == -1 && -1u >> 63 == 1", True),
        ("4 << -1 == 2", True),
        ("~0u > 0 && -1u > 0 && !0u - 2 < 0", True),
        ("(0 && 1 / 0u) - 1 < 0", True),
        ("(0 ? 1 / 0 : -1) < 0", True),
        ("IS_ENABLED(CONFIG_ZERO)", False),
        ("IS_ENABLED(CONFIG_ALIAS)", True),
    ],
)
def test_conditions(condition: str, holds: bool) -> None:
    """A condition decided wrongly would read the branch that the compiler drops."""
    macros = Macros.flags(["CONFIG_A", "CONFIG_M_MODULE"])
    before = "#define CONFIG_ZERO 0\n#define CONFIG_ALIAS CONFIG_A\n"
    text = f"{before}#if {condition}\nyes\n#else\nno\n#endif\n"
    assert expanded(text, macros) == ("yes" if holds else "no")


@pytest.mark.parametrize(
    ("text", "result"),
    [
        ("#ifdef A\na\n#elif 1\nb\n#else\nc\n#endif", "b"),
        ("#ifndef A\na\n#elif nonsense(\nb\n#endif", "a"),
        ("#if 0\n#if 1\na\n#else\nb\n#endif\n#error don't ` @\n#bogus\n#endif\nc", "c"),
        ("#if 1\n#if 0\na\n#else\nb\n#endif\nc\n#endif", "b c"),
        ("# define A 1\n#\n A", "1"),
    ],
)
def test_branches(text: str, result: str) -> None:
    """Dead branches may hold anything that is made of lines."""
    assert expanded(text) == result


def test_spans_of_an_expansion() -> None:
    """A message about expanded text must point at the use, and into the argument."""
    done = preprocess(Source("a.c", "#define F(x) !x\n  F(ab)\n"), Macros())
    places = [(t.text, t.span.line, t.span.column, t.span.end_column) for t in done.tokens]
    assert places == [("!", 2, 3, 8), ("ab", 2, 5, 7)]


def test_includes_are_recorded() -> None:
    """Only live includes are promised to the report."""
    text = '#include <linux/kvm.h>\n#if 0\n#include "dead.h"\n#endif\n#include "x86.h"\n'
    includes = preprocess(Source("a.c", text), Macros()).includes
    found = [(i.name, i.quoted, i.span.line) for i in includes]
    assert found == [("linux/kvm.h", False, 1), ("x86.h", True, 5)]


@pytest.mark.parametrize(
    ("text", "line", "column", "title"),
    [
        ("#if 1\na", 1, 2, "this `#if` has no `#endif`"),
        ("\n#else", 2, 2, "`#else` without `#if`"),
        ("#if 1\n#else\n#elif 1\n#endif", 3, 2, "`#elif` after `#else`"),
        ("#endif", 1, 2, "`#endif` without `#if`"),
        ("#if\n#endif", 1, 2, "`#if` has no condition"),
        ("#if 1 / 0\n#endif", 1, 2, "bad condition: division by zero in `/`"),
        ("#if (1\n#endif", 1, 2, "bad condition: expected `)`, found the end of the line"),
        ("#if F(1)\n#endif", 1, 5, "bad condition: `F` is not a macro"),
        ("#if " + "(" * 999 + "\n#endif", 1, 66, "bad condition: it nests deeper than 60 levels"),
        ("#error no way", 1, 2, "#error no way"),
        ("#defin A", 1, 2, "unknown directive `#defin` (did you mean `define`?)"),
        ("#define 1", 1, 2, "`#define` wants a name"),
        ("#define F(a,a) a", 1, 2, "`#define` wants parameter names between commas"),
        ("#define F(a", 1, 2, "`#define` has parameters that are never closed"),
        ("#define F(a) ## a", 1, 2, "`#define` has `##` at an end of the replacement"),
        ("#define F(a) a\nF(1, 2)", 2, 1, "macro `F` wants 1 argument, 2 given"),
        ("#define F(a, b) a\n F(1)", 2, 2, "macro `F` wants 2 arguments, 1 given"),
        ("#define F(a) a\n F(1", 2, 2, "the arguments of macro `F` are never closed"),
        ("#define J(a,b) a##b\nJ(+, 1)", 2, 3, "`##` does not make one token of `+` and `1`"),
        ("a /* b", 1, 3, "this comment is never closed"),
        ("a\n  @", 2, 3, "unexpected character `@`"),
        ('a "b', 1, 3, "this quotation is not closed on its line"),
        (
            "#if true\n#endif",
            1,
            5,
            "bad condition: `true` is no macro here, and 0 or 1 with the compiler",
        ),
        ("#ifdef __GNUC__\n#endif", 1, 8, f"bad condition: {COMPILER.format('__GNUC__')}"),
        (
            "#if defined(__COUNTER__)\n#endif",
            1,
            13,
            f"bad condition: {COMPILER.format('__COUNTER__')}",
        ),
        (
            "#if __SIZEOF_INT__ > 2\n#endif",
            1,
            5,
            f"bad condition: {COMPILER.format('__SIZEOF_INT__')}",
        ),
        ("#if __has_include(<a.h>)\n#endif", 1, 5, "bad condition: `__has_include` is not a macro"),
        (
            "#ifdef __has_include\n#endif",
            1,
            8,
            f"bad condition: {COMPILER.format('__has_include')}",
        ),
        ("#if 0\n#elifdef A\n#endif", 2, 2, "unknown directive `#elifdef`"),
        ("#pragma pack(1)", 1, 2, "`#pragma` `pack(` is not known to mean nothing here"),
        (
            '#pragma push_macro("A")',
            1,
            2,
            "`#pragma` `push_macro(` is not known to mean nothing here",
        ),
        ("#define F(x, ...) g(x __VA_OPT__(,) __VA_ARGS__)", 1, 2, "`#define` uses `__VA_OPT__`"),
        (
            "#define F(x) x\nF\n#define G\n(1)",
            3,
            2,
            "`#define` stands between macro `F` and what it",
        ),
        ("a = L'b';", 1, 5, "outside the subset: wide characters"),
        ("a = b -\\\n- c;", 1, 7, "`-` and `-` are one token over two lines"),
        ("ab\\\ncd", 1, 1, "`ab` and `cd` are one token over two lines"),
        ("a = b /\\\n/**/ c;", 1, 8, "`//`, `/*` or `*/` over two lines"),
        ("/* *\\\n/ a = b; /* */", 1, 5, "`//`, `/*` or `*/` over two lines"),
        ("#include x", 1, 2, "`#include` wants a name in quotes or angle brackets"),
    ],
)
def test_refusals(text: str, line: int, column: int, title: str) -> None:
    """Each malformed directive is named at its place."""
    with pytest.raises(InputError) as caught:
        expanded(text)
    (diagnostic,) = caught.value.diagnostics
    assert diagnostic.span is not None
    assert diagnostic.title.startswith(title)
    assert (diagnostic.span.line, diagnostic.span.column) == (line, column)


@pytest.mark.sample("nest deeper")
@pytest.mark.parametrize(
    ("text", "said"),
    [
        (
            "#define A0 x x\n"
            + "".join(f"#define A{i} A{i - 1} A{i - 1}\n" for i in range(1, 64))
            + "A63",
            "macros expand to more than 500000 tokens",
        ),
        ("#define F(x) x x\n" + "F(" * 64 + "a" + ")" * 64, "macros expand to more than"),
        ("#define F(x) x\n" + "F(" * 2000 + "a" + ")" * 2000, "nest deeper than 100 levels"),
    ],
)
def test_bombs(text: str, said: str) -> None:
    """Exponential macros end in a diagnostic, not in the machine's memory."""
    with pytest.raises(InputError, match=said):
        expanded(text)


@pytest.mark.parametrize(
    ("text", "result"),
    [
        ("least(a, b);", "( a < b ) ;"),
        ("int f(void) { if (least(a, b)) { } }", "int f ( void ) { if ( ( a < b ) ) { } }"),
        (
            "static inline u64\nleast(u64 *a, u64 (*b)(int))\n{ } least(1, 2)",
            "static inline u64 least ( u64 * a , u64 ( * b ) ( int ) ) { } least ( 1 , 2 )",
        ),
        ("u64 *least(u64 a, u64 b) { }", "u64 * least ( u64 a , u64 b ) { }"),
        ("#define least(a, b) { a }\nleast(1, 2)", "{ 1 }"),
        ("#ifndef least\nu64 least(int a, int b) { }\n#endif", "u64 least ( int a , int b ) { }"),
        ("return least(a, b) { }", "return ( a < b ) { }"),
        ("LEAST", "( 1 )"),
    ],
)
def test_a_function_of_the_file_is_no_macro_of_ours(text: str, result: str) -> None:
    """What a file defines has the meaning that the file gives it."""
    ours = preprocess(Source("p.h", "#define least(a, b) (a < b)\n#define LEAST (1)"), Macros())
    assert expanded(text, ours.macros) == result
