"""A spec read without its variant, where the variant gives none of its words a meaning."""

from __future__ import annotations

import pytest

from flushproof.frontend.c.parser import parse_c
from flushproof.frontend.spec.builtin import load_builtin
from flushproof.frontend.spec.parse_once import parse_beside_variant, parse_without_variant
from flushproof.frontend.spec.parser import parse_spec
from flushproof.support.source import Source

SPEC = Source("a.spec", "spec a { boot { x = VALID_PAGE(y); x = (zz) - 1; } }")
MEANINGFUL = {
    "a word of the spec": "#define x z",
    "a word that a macro stands for": "#undef INVALID_PAGE\n#define INVALID_PAGE 7",
    "a macro taken away": "#undef VALID_PAGE",
    "a type": "typedef int zz;",
}


@pytest.mark.parametrize("case", MEANINGFUL)
def test_what_a_variant_defines_counts(case: str) -> None:
    """Boot values would be those that the words have without the variant."""
    _, context = parse_c(Source("a.c", MEANINGFUL[case]), load_builtin().context)
    beside = parse_beside_variant(SPEC, context)
    assert beside is not parse_without_variant(SPEC)
    assert beside == parse_spec(SPEC, context)


def test_other_names_do_not_count() -> None:
    """The same spec would be parsed for each of a hundred mutants."""
    _, context = parse_c(Source("a.c", "#define other 1\ntypedef int it;"), load_builtin().context)
    assert parse_beside_variant(SPEC, context) is parse_without_variant(SPEC)
