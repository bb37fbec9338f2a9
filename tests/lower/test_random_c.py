"""Random C, interpreted and compiled by gcc."""

from __future__ import annotations

import tempfile
from pathlib import Path

import pytest
from hypothesis import HealthCheck, Phase, given, reject, settings
from hypothesis import strategies as st

from support.small_c import CompilerError, Piece, compiled, have_gcc, interpret, piece_machine

pytestmark = pytest.mark.skipif(
    not have_gcc(), reason="gcc is not installed, so nothing says what the C means"
)

HIGH = (1 << 31) - 1
INPUTS = tuple(
    (a, b) for a in (0, 1, -1, 5, 255, -70000, HIGH) for b in (0, 2, -3, 70000, -HIGH - 1)
)

LOCALS = """\
u8 c = a; s8 d = b; u16 e = a ^ b; u32 f = a + b; s64 g = (s64)a * b; u64 h = (u64)b << 20 | (u32)a;
bool k = a < b;
"""
NAMES = ("a", "b", "c", "d", "e", "f", "g", "h", "k")
NUMBERS = ("0", "1", "2", "7", "255", "0xfff", "0x7fffffff", "0x80000000", "1u", "3ull", "-1", "5l")
TYPES = ("int", "u8", "s8", "u16", "s16", "u32", "s64", "u64", "bool")
PLAIN = ("+", "-", "*", "&", "|", "^", "<", "<=", ">", ">=", "==", "!=", "&&", "||")

Text = st.SearchStrategy[str]
RUN = settings(
    derandomize=True,
    database=None,
    deadline=None,
    phases=(Phase.generate,),  # a smaller list would take minutes, and the message names the piece
    suppress_health_check=list(HealthCheck),
)


def _larger(inner: Text) -> Text:
    return st.one_of(
        st.builds(lambda x, op, y: f"({x} {op} {y})", inner, st.sampled_from(PLAIN), inner),
        st.builds(
            lambda x, op, y: f"({x} {op} (({y} & 7) + 1))", inner, st.sampled_from("/%"), inner
        ),
        st.builds(
            lambda x, op, y: f"({x} {op} ({y} & 7))", inner, st.sampled_from(("<<", ">>")), inner
        ),
        st.builds(lambda op, x: f"{op}({x})", st.sampled_from(("-", "~", "!", "+")), inner),
        st.builds(lambda t, x: f"(({t}){x})", st.sampled_from(TYPES), inner),
        st.builds(lambda x, y, z: f"({x} ? {y} : {z})", inner, inner, inner),
        st.builds(lambda x, y: f"({x} ?: {y})", inner, inner),
        st.builds(lambda x, y: f"({x}, {y})", inner, inner),
    )


LEAVES = st.sampled_from(NAMES) | st.sampled_from(NUMBERS).map(lambda n: f"({n})")
EXPRESSIONS = st.recursive(LEAVES, _larger, max_leaves=8)

TARGETS = st.sampled_from(
    (
        "a",
        "b",
        "c",
        "d",
        "e",
        "f",
        "g",
        "h",
        "k",
        "to_kvm_vmx(kvm)->byte",
        "to_kvm_vmx(kvm)->word",
        "p.x",
    )
)
COMPOUND = st.sampled_from(("=", "+=", "-=", "*=", "&=", "|=", "^="))


def _assignments() -> Text:
    return st.one_of(
        st.builds(lambda x, op, y: f"{x} {op} {y};", TARGETS, COMPOUND, EXPRESSIONS),
        st.builds(lambda x, op: f"{x}{op};", TARGETS, st.sampled_from(("++", "--"))),
        st.builds(
            lambda op, x, y: f"{y} = {op}{x};", st.sampled_from(("++", "--")), TARGETS, TARGETS
        ),
        st.builds(lambda x, y: f"if ({x} && b++ > 3) {y}++;", EXPRESSIONS, TARGETS),
        st.builds(
            lambda x, y: f"p.x = twist(&{x}, {y});", st.sampled_from(("a", "b", "p.x")), EXPRESSIONS
        ),
    ).filter(lambda text: not _unsequenced(text))


def _unsequenced(text: str) -> bool:
    """Tell whether a text is `x = ++x`, on which compilers need not agree."""
    left, _, right = text.partition(" = ")
    return right.strip("+-;") == left


def _blocks(inner: Text) -> Text:
    body = st.lists(inner, min_size=1, max_size=3).map(" ".join)
    return st.one_of(
        st.builds(lambda x, y: f"if ({x}) {{ {y} }}", EXPRESSIONS, body),
        st.builds(lambda x, y, z: f"if ({x}) {{ {y} }} else {{ {z} }}", EXPRESSIONS, body, body),
        st.builds(
            lambda x, y: f"for (int i = 0; i < 3; i++) {{ if ({x}) continue; {y} }}",
            EXPRESSIONS,
            body,
        ),
        st.builds(
            lambda x, y: f"for (int i = 0; i < 4; i++) {{ {y} if ({x}) break; a += i; }}",
            EXPRESSIONS,
            body,
        ),
        st.builds(
            lambda x, y: f"{{ int n = 0; do {{ {y} }} while ({x} && ++n < 3); }}", EXPRESSIONS, body
        ),
        st.builds(
            lambda x, y, z: f"switch ({x} & 3) {{ case 0: {y} case 2: {z} break; default: a--; }}",
            EXPRESSIONS,
            body,
            body,
        ),
        st.builds(lambda x: f"{{ int b = a; int a = b + 1; u8 c = a; {x} }}", inner),
        st.builds(lambda x, y: f"if ({x}) {y} else return {x};", EXPRESSIONS, inner),
    )


STATEMENTS = st.recursive(_assignments(), _blocks, max_leaves=6)
TWIST = """\
static int twist(int *p, int v)
{ if (v < 0) return *p; *p ^= v;
for (int i = 0; i < 3; i++) if (*p & 1 << i) return i; return (*p)++; }
"""


def _agree(pieces: list[Piece]) -> None:
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        try:
            answers = compiled(folder, pieces, INPUTS)
        except CompilerError:
            reject()
        for piece, theirs in zip(pieces, answers, strict=True):
            ours = interpret(piece_machine(folder, piece), INPUTS)
            assert ours == theirs, piece.text


@settings(RUN, max_examples=3)
@given(st.lists(EXPRESSIONS, min_size=40, max_size=40))
def test_expressions(texts: list[str]) -> None:
    """A wrong promotion or conversion shows in combinations nobody thinks of."""
    _agree([Piece(f"{LOCALS}return (int)({text});") for text in texts])


@pytest.mark.slow
@settings(RUN, max_examples=6)
@given(st.lists(st.lists(STATEMENTS, min_size=1, max_size=3), min_size=12, max_size=12))
def test_statements(bodies: list[list[str]]) -> None:
    """Passes that move or drop assignments must keep what a program computes."""
    end = "return a ^ b ^ c ^ d ^ e ^ f ^ (int)g ^ (int)h ^ k ^ p.x ^ to_kvm_vmx(kvm)->word;"
    _agree(
        [
            Piece("\n".join((LOCALS, "struct pair p = { a, b };", *body, end)), TWIST)
            for body in bodies
        ]
    )
