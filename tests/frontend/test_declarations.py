"""Declarations of one name have to agree, and sizes and constants are those of gcc."""

from __future__ import annotations

from pathlib import Path

import pytest

from flushproof.frontend.c.declarations import Declarations, resolve_declarations
from flushproof.frontend.c.parser import ParseContext, parse_c
from flushproof.support.diagnostics import InputError
from flushproof.support.source import Source
from support.small_c import Piece, compiled, have_gcc, interpret, piece_machine


def _declared(text: str) -> Declarations:
    return resolve_declarations((parse_c(Source("d.c", text), ParseContext())[0],))


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("int x; @long x;", "variable `x` is of type `int`, not of type `long`"),
        ("extern unsigned int @x; int @x;", "variable `x` is of type"),
        ("int x[2]; int @x[3];", "variable `x` is of type"),
        ("int x = 1; int @x = 1;", "variable `x` is defined twice"),
        ("int x; int @x(void);", "`x` is the name of a variable"),
        ("int x(void); int @x;", "`x` is the name of a function"),
        ("int x(void) { return 1; } int @x;", "`x` is the name of a function"),
        ("enum { x }; int @x;", "`x` is the name of an enumerator"),
        ("typedef int x; @typedef long x;", "typedef `x` is of type `int`, not of type `long`"),
        ("struct x { int y; }; @enum x { A };", "`x` is the name of a struct"),
        ("int f(int); long @f(int);", "`f` returns `int`, not `long`"),
        ("int f(int); int @f(int, int);", "`f` takes 1 argument, not 2"),
        ("int f(int); int f(@long x) { return x; }", "`f` takes a `int` here, not a `long`"),
        ("int f(int, ...); int @f(int);", "`f` takes 2 arguments, not 1"),
        ("struct s { int a; long @a; };", "member `a` is defined twice"),
        ("struct s { int a; @struct { int a; }; };", "member `a` is defined twice"),
        ("struct s { int a; struct t { int b; } @t; }; struct t { int c; };", "defined twice"),
        ("struct s { @struct t { int a; }; };", "a struct with a tag that is no member"),
        ("enum e; struct s { @enum e x; }; enum e { A };", "type `enum e` is not defined"),
        ("@enum e x; enum e { A };", "type `enum e` is not defined"),
        ("struct s { int a; struct s @b; };", "`struct s` is held by itself"),
        ("struct s { int @a : 33; };", "`a` cannot have 33 bits"),
        ("struct s { int @a : 0; };", "`a` cannot have 0 bits"),
        ("struct s { bool @a : 2; };", "`a` cannot have 2 bits"),
        ("struct s { int *@a : 2; };", "is no integer"),
        ("int x[@-1];", "an array cannot have -1 elements"),
        ("enum e { A = -1, B = 0xffffffffffffffff };", "no type holds all values"),
        ("enum e { A = 0xffffffffffffffff, @B };", "fits no enumeration"),
    ],
)
def test_what_does_not_agree_is_an_error(text: str, said: str) -> None:
    """The declaration that is forgotten would be the one that the compiler goes by."""
    with pytest.raises(InputError) as caught:
        _declared(text.replace("@", ""))
    (d,) = caught.value.diagnostics
    assert said in d.title
    assert d.span is not None
    assert d.span.file == "d.c"


@pytest.mark.parametrize(
    "text",
    [
        "int x; int x; extern int x; int x = 3; int x;",
        "extern int x[]; int x[4]; extern int x[];",
        "int f(int a); int f(int); int f(int b) { return b; } extern int f(int);",
        "int f(); int f(int a) { return a; }",
        "typedef int x; typedef int x;",
        "enum e; enum e { A }; struct s { enum e x; };",
        "struct s; struct t { struct s *p; }; struct s { struct t t; };",
        "enum e { A, B = A }; unsigned int f(void); enum e f(void);",
        "struct x { int x; }; int x;",
        "int f(int a[3]); int f(int *a);",
    ],
)
def test_what_agrees_is_accepted(text: str) -> None:
    """C allows the same thing to be said several times."""
    assert _declared(text).constants is not None


INPUTS = ((0, 0), (1, 2), (-1, 7))
PIECES = {
    "inner_scopes_hide": Piece(
        "int x = a; { int x = 5; { u8 x = 300; b += x; } b += x; } for (int x = 0; x < 2; x++)\n"
        "{ int x = 9; b += x; } return x * 1000 + b;"
    ),
    "a_local_hides_all": Piece(
        "int ON = a, word = b; return ON + word + other();",
        "static int word = 4; static int other(void) { return word + ON; }",
    ),
    "extern_within_a_function": Piece(
        "int word = a; { extern int file_wide; word += file_wide++; } return word + get();",
        "static int file_wide = 4; static int get(void) { return file_wide-- * 100; }",
    ),
}
ONCE = {
    "static_local": Piece(
        "int r = next() * 100; r += next() * 10 + next(); return r + again() + again();",
        "static int next(void) { static int n = 3; return n++; }\n"
        "static int again(void) { static u8 n = 254; { static int n = 7; n += 2; if (n > 9)\n"
        "return n; } return n += 3; }",
    ),
    "static_struct": Piece(
        "return step(a) * 100 + step(b);",
        "static int step(int k) { static struct pair p = { .y = 7 };\n"
        "p.x += k; return p.x + p.y++; }",
    ),
    "pointer_to_static": Piece(
        "*cell() += a; *cell() += b; return *cell();",
        "static int *cell(void) { static int n = 40; return &n; }",
    ),
}
CONSTANTS = """\
sizeof(int); sizeof(bool); sizeof(u8); sizeof(s16); sizeof(long); sizeof(u64); sizeof(int *);
sizeof(struct outer); sizeof(struct pair); sizeof(enum status); sizeof(struct pair *);
sizeof(struct m); sizeof(struct bits); sizeof(struct more); sizeof(struct inner); sizeof(struct b1);
sizeof(struct b2); sizeof(struct b3); sizeof(struct b4); sizeof(struct b5); sizeof(enum wide);
(5>3)+(2||0)*10+(2&&0)+!7; (3?1:2u)-2>0; -1>>1; 1<<3L; (u8)300; (bool)7; (-7)/2; (-7)%3; ~0u>>31;
(int)(WIDE>>1); -TINY>0; 0x80000000>>31; -0x80000000>0; -2147483648>0; (0?5:-1)<0u; +(u8)-1;
(3>2)-2<0; (1?(u8)255:-1)>254; (s16)0x18000; 0&&1/0; 1||1/0
"""
SIZES = """\
sizeof(a); sizeof a; sizeof(a+1L); sizeof((u8)a); sizeof(-(u8)a); sizeof(a<b); sizeof(x.y);
sizeof(x); sizeof x.y; sizeof(1u); sizeof(1ul); sizeof('a'); sizeof(0x80000000); sizeof(2147483648);
sizeof(4294967296); sizeof(0xffffffffffffffff); sizeof(ON); sizeof(WIDE); sizeof(TINY); sizeof(!a);
sizeof(p); sizeof(*p); sizeof(p->y); sizeof(a ? (u8)a : (s8)b); sizeof(to_kvm_vmx(kvm)->half)
"""
TYPES = """
struct m { char a; long b; char c; };
struct bits { u8 a:3, b:6; int c:17; int : 0; char d:1; };
struct more { struct m m; s16 x[3]; bool flag; };
struct inner { char a; struct { s16 b; u8 c; }; u64 d:40; u8 e; };
struct b1 { u64 a:40, b:40; };
struct b2 { char a; int : 20; char b; };
struct b3 { int a:31; int b:2; bool c:1; };
struct b4 { char x; int : 0; char y; };
struct b5 { u16 a:9, b:9; u8 c:1; u32 d:13; };
enum wide { WIDE = 0x180000000, TINY = 1 };
"""


def test_sizes_and_constants_are_those_of_gcc(tmp_path: Path) -> None:
    """A constant of another type, or a struct of another size, selects other code."""
    if not have_gcc():
        pytest.skip("gcc is not installed, so nothing says what C means")
    fixed, sized = ([e.strip() for e in t.split(";")] for t in (CONSTANTS, SIZES))
    named = "".join(f"K{k} = {e}, " for k, e in enumerate(fixed))
    cases = "".join(f"case {k}: return K{k};\n" for k in range(len(fixed)))
    more = "".join(f"case {len(fixed) + k}: return {e};\n" for k, e in enumerate(sized))
    body = f"struct pair x = {{ 0 }}, *p = &x;\nswitch (a) {{ {cases} {more} }}\nreturn -9;"
    pieces = [Piece(body, f"{TYPES} enum {{ {named} }};")]
    once = [(k, 0) for k in range(len(fixed) + len(sized))]
    answers = compiled(tmp_path, pieces, once)
    for piece, theirs in zip(pieces, answers, strict=True):
        assert interpret(piece_machine(tmp_path, piece), once) == theirs


def test_scopes_and_lasting_variables_agree_with_gcc(tmp_path: Path) -> None:
    """A variable that does not last, or lasts in another place, is other shared state."""
    if not have_gcc():
        pytest.skip("gcc is not installed, so nothing says what C means")
    for pieces, inputs in ((PIECES, INPUTS), (ONCE, ((1, 2),))):
        answers = compiled(tmp_path, list(pieces.values()), inputs)
        for (name, piece), theirs in zip(pieces.items(), answers, strict=True):
            assert interpret(piece_machine(tmp_path, piece), inputs) == theirs, name


@pytest.mark.parametrize(
    ("body", "said"),
    [
        ("int x = 1; int x = 2; return x;", "variable `x` is defined twice"),
        ("int x, x; return 0;", "variable `x` is defined twice"),
        ("int a = 1; return a;", "variable `a` is defined twice"),
        ("u8 x; int y = 1; { int y = 2; } struct pair x; return y;", "variable `x`"),
        ("extern int n = 1; return n;", "is given a value"),
        ("return sizeof(struct kvm_vmx);", "the size of `struct kvm_vmx`"),
        ("return sizeof(struct kvm);", "the size of `struct kvm`"),
        ("return sizeof(struct nowhere);", "the size of `struct nowhere`"),
        ("return sizeof(a++);", "the size of this expression"),
        ("struct f x; return sizeof(x.n);", "a bit field has no size"),
    ],
)
def test_what_no_compiler_takes_is_refused(body: str, said: str, tmp_path: Path) -> None:
    """A second variable in place of the first would be written where the first is read."""
    with pytest.raises(InputError) as caught:
        piece_machine(tmp_path, Piece(body, "struct f { int n:3; };"))
    assert said in caught.value.diagnostics[0].title
