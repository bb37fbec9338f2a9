"""Files that are no source text are refused with the right exit code."""

from __future__ import annotations

from pathlib import Path

import pytest

from flushproof.frontend.c.load import LIMIT, load_source
from flushproof.support.diagnostics import EXIT_INPUT, EXIT_USAGE, InputError


def refusal(path: Path) -> InputError:
    """Return the error of loading `path`."""
    with pytest.raises(InputError) as caught:
        load_source(path)
    return caught.value


def test_text_is_read_with_plain_line_ends(tmp_path: Path) -> None:
    """Windows line ends would shift columns and break continuations."""
    path = tmp_path / "a.c"
    path.write_bytes(b"\xef\xbb\xbfint a;\r\nint b;\r\n")
    assert load_source(path).text == "int a;\nint b;\n"
    assert load_source(path).name == str(path)


def test_missing_file_is_a_usage_error(tmp_path: Path) -> None:
    """A wrong name on the command line is the user's slip, not bad input."""
    error = refusal(tmp_path / "none.c")
    assert error.exit_code == EXIT_USAGE
    assert error.diagnostics[0].title == f"cannot find `{tmp_path / 'none.c'}`"


def test_directory(tmp_path: Path) -> None:
    """A folder must not end in a traceback."""
    error = refusal(tmp_path)
    assert error.exit_code == EXIT_USAGE
    assert error.diagnostics[0].title.endswith("is a folder, not a file")


@pytest.mark.parametrize(
    ("content", "said", "place"),
    [
        (b"", "is empty", None),
        (b" \n\t\n", "is empty", None),
        (b"int a;\n\0", "it holds a zero byte", (2, 1)),
        (b"int \xff;", "byte 0xff is not UTF-8", (1, 5)),
        (b"x" * (LIMIT + 1), f"is larger than {LIMIT} bytes", None),
    ],
)
def test_content(tmp_path: Path, content: bytes, said: str, place: tuple[int, int] | None) -> None:
    """Content that no compiler would take is named before it is parsed."""
    path = tmp_path / "a.c"
    path.write_bytes(content)
    error = refusal(path)
    (diagnostic,) = error.diagnostics
    assert error.exit_code == EXIT_INPUT
    assert diagnostic.title.endswith(said)
    span = diagnostic.span
    assert (span and (span.line, span.column)) == place


def test_name_with_a_zero_byte() -> None:
    """The system's ValueError must not escape."""
    assert "cannot read" in refusal(Path("a\0b")).diagnostics[0].title
