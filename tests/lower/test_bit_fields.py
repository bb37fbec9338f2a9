"""Bit fields have their width, and those that lie side by side are one memory location."""

from __future__ import annotations

from pathlib import Path

import pytest

from support.small_c import Piece, compiled, have_gcc, interpret, piece_machine

HIGH = (1 << 31) - 1
VALUES = (0, 1, 2, 3, 5, 7, 8, -1, -2, 255, -32769, 70000, HIGH, -HIGH - 1)
INPUTS = tuple((a, b) for a in VALUES for b in (0, 1, 3, -1, 70000, -HIGH - 1))

FIELDS = """\
struct bits {
	unsigned int u1:1, u3:3; int s1:1; int s5:5;
	bool flag:1;
	unsigned int : 3;
	u8 byte:7;
	unsigned int : 0;
	u64 wide:40;
	u64 : 0;
	s64 long_one:37;
	int : 0;
	unsigned int all:32; int most:31; int : 0; unsigned int big:31;
	enum status status:3;
	s8 tiny:2; unsigned char bit:1;
};
static struct bits the_bits;
"""
NAMES = (
    "u1",
    "u3",
    "s1",
    "s5",
    "flag",
    "byte",
    "wide",
    "long_one",
    "all",
    "most",
    "big",
    "status",
    "tiny",
    "bit",
)
OPERATORS = ("+", "-", "*", "&", "|", "^", "<", ">", "==", "!=", "<=", ">=")


def _each(text: str) -> str:
    return "\n".join(text.replace("F", name) for name in NAMES)


def _mixed(of: str) -> str:
    """Return code that uses each bit field of `of` with each operator and its neighbour."""
    lines = []
    for n, name in enumerate(NAMES):
        other = NAMES[(n + 1) % len(NAMES)]
        for k, op in enumerate(OPERATORS):
            value = f"({of}.{name} {op} {of}.{other})"
            lines.append(f"r = r * 31 + (u32)({value} ^ ({value} >> {k + 3}));")
        lines.append(f"r = r * 31 + (u32)(({of}.{name} - 1) >> 4) + (~{of}.{name} < 0);")
        lines.append(f"r = r * 31 + (-{of}.{name} < 1) + ({of}.{name} < -1) + !{of}.{name};")
        lines.append(f"r = r * 31 + (u32)(({of}.{name} << 13) >> 9) + ({of}.{name} ? 1 : 2);")
    return "\n".join(lines)


SET = _each("X.F = a; r = r * 31 + (u32)X.F;")
STEPS = "X.F = a; X.F++; ++X.F; X.F--; --X.F; X.F |= a; X.F += b; X.F ^= 6; X.F -= a; X.F *= 3"
MORE = "X.F <<= 1; X.F >>= 1; X.F /= 3; X.F %= 5; X.F = a > b; X.F = X.F + 1; X.F &= b"
STEP = _each(
    "X.F = b;\n" + "\n".join(f"r = r * 31 + (u32)({e});" for e in f"{STEPS}; {MORE}".split("; "))
)


def _pieces(where: str, start: str) -> dict[str, Piece]:
    """Return pieces on the bit fields of an lvalue."""

    def piece(body: str) -> Piece:
        return Piece(f"u32 r = 0;\n{start}\n{body.replace('X', where)}\nreturn r;", FIELDS)

    filled = _each(f"{where}.F = a * 7 + b;")
    return {
        "set": piece(SET),
        "step": piece(STEP),
        "mixed": piece(f"{filled}\n{_mixed(where)}"),
        "neighbours_stay": piece(f"{filled}\n{where}.u3 = b; {where}.s5++;\n{_mixed(where)}"),
    }


NONE = "struct bits none = { 0 }; the_bits = none;"
PIECES: dict[str, Piece] = {
    **{f"local_{k}": p for k, p in _pieces("x", "struct bits x = { 0 };").items()},
    **{f"shared_{k}": p for k, p in _pieces("the_bits", NONE).items()},
    "one_bit_is_cut_off_and_a_bool_is_not": Piece(
        "struct one x; x.bit = a; x.flag = a; x.sign = a;\nreturn x.bit * 4 + x.flag * 2 + x.sign;",
        "struct one { unsigned int bit:1; bool flag:1; int sign:1; };",
    ),
    "value_of_an_assignment_is_that_of_the_field": Piece(
        "struct one x; int y = (x.n = a); return y * 8 + (x.n = b + 1);",
        "struct one { unsigned int n:3; };",
    ),
    "shift_of_forty_bits_loses_the_highest": Piece(
        "struct one x; x.n = (u64)a << 20; return (x.n << 10) >> 32;",
        "struct one { u64 n:40; };",
    ),
    "switch_on_a_bit_field": Piece(
        "struct one x; x.n = a; switch (x.n) { case -1: return 1; case 1: return 2; }\nreturn 3;",
        "struct one { int n:2; };",
    ),
    "copied_struct": Piece(
        "struct bits x = { 0 }, y; the_bits = x; x.u3 = a; x.s5 = b; y = x; the_bits = y;\n"
        "return the_bits.u3 * 100 + the_bits.s5;",
        FIELDS,
    ),
    "initialised": Piece(
        "struct one x = { a, b, a }; return x.n * 10000 + x.m * 100 + x.k;",
        "struct one { unsigned int n:3; int : 4; int m:3; bool k:1; };",
    ),
}


@pytest.mark.skipif(not have_gcc(), reason="gcc is not installed, so nothing says what C means")
@pytest.mark.sample("bit", "value", "struct", "initialised")
@pytest.mark.parametrize("name", PIECES)
def test_bit_fields_agree_with_gcc(name: str, tmp_path: Path) -> None:
    """A width that is forgotten, or a promotion to the wrong type, would give other values."""
    (theirs,) = compiled(tmp_path, [PIECES[name]], INPUTS)
    assert interpret(piece_machine(tmp_path, PIECES[name]), INPUTS) == theirs
