"""Read an input file by path: what comes out is decoded, not empty and not absurdly large."""

from __future__ import annotations

from pathlib import Path
from typing import ClassVar

from flushproof.support.diagnostics import EXIT_INPUT, EXIT_USAGE, Diagnostic, InputError
from flushproof.support.files import current_files
from flushproof.support.source import Source, Span

LIMIT = 4 * 1024 * 1024


class Missing(Diagnostic, frozen=True, kw_only=True):
    """No file has this name."""

    CODE: ClassVar[str] = "FP0201"
    TITLE: ClassVar[str] = "cannot find `{path}`"
    EXIT: ClassVar[int] = EXIT_USAGE
    EXIT_IN_FILE: ClassVar[int] = EXIT_INPUT
    path: str


class Directory(Diagnostic, frozen=True, kw_only=True):
    """A directory stands where a file is wanted."""

    CODE: ClassVar[str] = "FP0202"
    TITLE: ClassVar[str] = "`{path}` is a folder, not a file"
    HELP: ClassVar[str] = "name a file in it; `flushproof check` takes folders of spec files"
    EXIT: ClassVar[int] = EXIT_USAGE
    EXIT_IN_FILE: ClassVar[int] = EXIT_INPUT
    path: str


class Unreadable(Diagnostic, frozen=True, kw_only=True):
    """The system refuses to read the file."""

    CODE: ClassVar[str] = "FP0203"
    TITLE: ClassVar[str] = "cannot read `{path}`: {reason}"
    path: str
    reason: str


class EmptyFile(Diagnostic, frozen=True, kw_only=True):
    """The file holds nothing but blanks."""

    CODE: ClassVar[str] = "FP0204"
    TITLE: ClassVar[str] = "`{path}` is empty"
    path: str


class FileTooLarge(Diagnostic, frozen=True, kw_only=True):
    """The file is longer than any source file is."""

    CODE: ClassVar[str] = "FP0205"
    TITLE: ClassVar[str] = "`{path}` is larger than {limit} bytes"
    path: str
    limit: int = LIMIT


class NotText(Diagnostic, frozen=True, kw_only=True):
    """The bytes are no UTF-8 text."""

    CODE: ClassVar[str] = "FP0206"
    TITLE: ClassVar[str] = "`{path}` is not a text file: {reason}"
    path: str
    reason: str


def load_source(path: str | Path) -> Source:
    """Return the text of the file at `path`, under that name; raise `InputError` if it has none."""
    return source_of(str(path), _read(str(path)))


def source_of(name: str, data: bytes) -> Source:
    """Return bytes as a text of that name; raise `InputError` as `load`."""
    text = _decode(name, data)
    if not text.strip():
        raise InputError(EmptyFile(span=None, path=name))
    return Source(name, text.replace("\r\n", "\n").replace("\r", "\n"))


def load_bytes(path: str | Path) -> bytes:
    """Return what the file at `path` holds, in whatever encoding; raise `InputError` as `load`."""
    data = _read(str(path))
    if not data.strip():
        raise InputError(EmptyFile(span=None, path=str(path)))
    return data


def load_text(path: str, limit: int) -> str:
    """Return the text of a file exactly as it is; raise `InputError` as `load`."""
    data = _read(path, limit)
    if not data.strip():
        raise InputError(EmptyFile(span=None, path=path))
    return _decode(path, data, "utf-8")


def _read(name: str, limit: int = LIMIT) -> bytes:
    try:
        data = current_files().read(name, limit + 1)
    except FileNotFoundError:
        raise InputError(Missing(span=None, path=name)) from None
    except IsADirectoryError:
        raise InputError(Directory(span=None, path=name)) from None
    except OSError as error:
        reason = (error.strerror or "unknown reason").lower()
        raise InputError(Unreadable(span=None, path=name, reason=reason)) from None
    except ValueError as error:
        raise InputError(Unreadable(span=None, path=repr(name), reason=str(error))) from None
    if len(data) > limit:
        raise InputError(FileTooLarge(span=None, path=name, limit=limit))
    return data


def _decode(name: str, data: bytes, encoding: str = "utf-8-sig") -> str:
    if b"\0" in data:
        span = _place(name, data[: data.index(b"\0")])
        raise InputError(NotText(span=span, path=name, reason="it holds a zero byte"))
    try:
        return data.decode(encoding)
    except UnicodeDecodeError as error:
        span = _place(name, data[: error.start])
        reason = f"byte 0x{data[error.start]:02x} is not UTF-8"
        raise InputError(NotText(span=span, path=name, reason=reason)) from None


def _place(name: str, before: bytes) -> Span:
    line = before.count(b"\n") + 1
    column = len(before.rpartition(b"\n")[2].decode("utf-8", "replace")) + 1
    return Span(name, line, column, line, column + 1)
