"""Words that can only be names of types, in files whose headers are not at hand."""

from __future__ import annotations

from pathlib import Path

import pytest

from flushproof import pipeline
from flushproof.frontend.c.tokens import TokenKind, tokenise
from flushproof.frontend.kernel.typenames import names_of_types
from flushproof.support.source import Source
from flushproof.verify.options import Options
from support.places import TREES

TREE = TREES / "v5_13"


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("void f(void) { g((ulong *)&x); }", {"ulong"}),
        ("void f(void) { y = (ulong)x; }", {"ulong"}),
        ("int f(void) { return (ulong)5; }", {"ulong"}),
        ("void f(void) { ulong x; cookie *p = q; const pte a[2]; }", {"ulong", "cookie", "pte"}),
        ("int f(ulong a, cookie *b, pte c) { }", {"ulong", "cookie", "pte"}),
        ("void f(void) { if (a) b = 1; while (a) b(); g(a) ; x = (a) * b; y = (a)(b); }", set()),
        ("void f(void) { a = b * c; g(b * c, d * e); }", set()),
        ("void f(void) { for (i = 0; i < n; i++) x = y; }", set()),
        ("struct s { struct t x; int y; };", set()),
    ],
)
def test_names(text: str, expected: set[str]) -> None:
    """A product taken for a declaration, or a call for a cast, changes what the code means."""
    tokens = tuple(t for t in tokenise(Source("x.c", text)) if t.kind is not TokenKind.NEWLINE)
    assert names_of_types(tokens) == expected


def test_a_tree_that_uses_them(tmp_path: Path) -> None:
    """Code that casts to a type of a header that is not there is read all the same."""
    text = (TREE / "vmx.c").read_text()
    old = "if (enable_ept)"
    assert old in text
    path = tmp_path / "vmx.c"
    path.write_text(text.replace(old, f"note((ulong *)&vcpu->arch.flags, (ulong)root);\n\t{old}"))
    found = pipeline.recognise_file(str(path), None, Options())
    assert found.profile == "5.13"
    assert "note() may write anything that the flush and the load keep" in found.assumptions
