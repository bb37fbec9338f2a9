"""Functions in the style from before C99: without a type, or with parameters declared behind."""

from __future__ import annotations

from pathlib import Path

import pytest

from flushproof.frontend.c import syntax
from flushproof.frontend.c.parser import ParseContext, parse_c
from flushproof.frontend.c.printer import print_item
from flushproof.support.diagnostics import InputError
from flushproof.support.source import Source
from support.small_c import Piece, compiled, have_gcc, interpret, piece_machine

INPUTS = tuple((a, b) for a in (0, 1, -1, 200, 70000, -(1 << 31)) for b in (0, 3, -5, 255, 40000))

OLD = {
    "untyped": ("g() { return 3; }", "g() + a"),
    "untyped_static": ("static g() { return 3; }", "g() + a"),
    "untyped_with_parameters": ("g(int x, u8 y) { return x - y; }", "g(a, b)"),
    "untyped_gives_nothing": ("int n; g(int x) { n = x; return; }", "(g(a), n)"),
    "behind": ("int g(x, y) int x; int y; { return x - 2 * y; }", "g(a, b)"),
    "behind_in_another_order": ("int g(x, y) int y, x; { return x - 2 * y; }", "g(a, b)"),
    "behind_some": ("int g(x, y) u32 x; { return x > y; }", "g(a, b)"),
    "behind_none": ("g(x, y) { return x - 2 * y; }", "g(a, b)"),
    "narrow": ("int g(x, y) u8 x; short y; { return x * 3 + y; }", "g(a, b)"),
    "pointer": ("int g(p) int *p; { return ++*p; }", "g(&a) + a"),
    "wide": ("u64 g(x) s64 x; { return x >> 3; }", "(int)g((s64)a)"),
    "typed": ("static u32 g(x) int x; { return x; }", "g(a) > 5"),
}


@pytest.mark.skipif(not have_gcc(), reason="gcc is not installed")
def test_as_gcc_has_them(tmp_path: Path) -> None:
    """A parameter that is bound to another argument, or another type, gives another result."""
    pieces = [
        Piece(f"return {call};".replace("g(", f"g{k}("), before.replace("g(", f"g{k}("))
        for k, (before, call) in enumerate(OLD.values())
    ]
    answers = compiled(tmp_path, pieces, INPUTS)
    for piece, theirs in zip(pieces, answers, strict=True):
        assert interpret(piece_machine(tmp_path, piece), INPUTS) == theirs, piece.text


@pytest.mark.parametrize("name", OLD)
def test_round_trip(name: str) -> None:
    """What is printed of such a function is such a function again."""
    types = "".join(f"typedef int {t};\n" for t in ("u8", "u32", "s64", "u64"))
    unit, context = parse_c(Source("<test>", types + OLD[name][0]), ParseContext())
    function = unit.items[-1]
    assert isinstance(function, syntax.Function)
    again, _ = parse_c(Source("<test>", print_item(function)), context)
    assert again.items == (function,)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("int g(x) long x; { return x; }\nint h(int a) { return g(a); }", "`g` has no prototype"),
        ("int g(x) int x; { return x; }\nint h(u64 a) { return g(a); }", "`g` has no prototype"),
        ("int g(p) int *p; { return !p; }\nint h(int a) { return g(0); }", "`g` has no prototype"),
        ("int g(x) int x; int x; { return x; }\nint h(int a) { return g(a); }", "`x` is not"),
        ("int g(x) int x; int y; { return x; }\nint h(int a) { return g(a); }", "`y` is not"),
        ("int g(x) int x = 3; { return x; }\nint h(int a) { return g(a); }", "`x` is not"),
        ("int g(x, x) int x; { return x; }\nint h(int a) { return g(a, a); }", "`x` is not"),
    ],
)
def test_refused(text: str, message: str, tmp_path: Path) -> None:
    """An argument that arrives as something else, or a parameter that is none, is no guess."""
    with pytest.raises(InputError) as caught:
        piece_machine(tmp_path, Piece("return h(a);", text))
    assert caught.value.diagnostics[0].title.startswith(message)
