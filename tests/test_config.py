"""Options: contradictions are refused where they are made."""

from __future__ import annotations

import pytest

from flushproof.support.diagnostics import EXIT_USAGE, InputError
from flushproof.verify.options import Options, parse_range


@pytest.mark.parametrize(
    ("text", "expected"), [("4", (1, 4)), ("1..4", (1, 4)), ("3..3", (3, 3)), ("4..1", (4, 1))]
)
def test_parse_range(text: str, expected: tuple[int, int]) -> None:
    """One number means up to that number, as the smallest counterexample is wanted."""
    assert parse_range(text) == expected


@pytest.mark.parametrize(
    "text", ["", "-1", "1...4", "1..", "..4", "a", "1..2..3", "1e3", "\u0664", "9" * 5000]
)
def test_not_a_range(text: str) -> None:
    """A slip of the pen must not become some other bound, nor a traceback."""
    with pytest.raises(InputError) as caught:
        parse_range(text)
    assert caught.value.exit_code == EXIT_USAGE


@pytest.mark.parametrize(
    ("options", "title"),
    [
        ({"vcpus": (4, 1)}, "the range `4..1` of vCPUs is empty"),
        ({"vcpus": (0, 0)}, "`--vcpus` cannot be 0"),
        ({"vcpus": (0, 4)}, "`--vcpus` cannot be 0"),
        ({"vcpus": (1, 999999999)}, "`--vcpus` cannot be 999999999"),
        ({"loads": -1}, "`--loads` cannot be -1"),
        ({"flushes": 10**9}, "`--flushes` cannot be 1000000000"),
        ({"rounds": 0}, "`--rounds` cannot be 0"),
        ({"jobs": -2}, "`--jobs` cannot be -2"),
        ({"engine": "magic"}, "there is no engine `magic`"),
    ],
)
def test_contradictions(options: dict[str, object], title: str) -> None:
    """A bound that admits nothing would prove everything."""
    with pytest.raises(InputError) as caught:
        Options(**options)  # type: ignore[arg-type]
    assert [d.title for d in caught.value.diagnostics] == [title]
    assert caught.value.exit_code == EXIT_USAGE


def test_all_problems_at_once() -> None:
    """One run shows every mistake."""
    with pytest.raises(InputError) as caught:
        Options(vcpus=(4, 1), loads=-1)
    assert len(caught.value.diagnostics) == 2
