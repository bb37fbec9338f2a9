"""The values of constants as C writes them: integers, characters and strings."""

from __future__ import annotations

import re
from typing import ClassVar

from flushproof.support.diagnostics import Diagnostic, InputError
from flushproof.support.source import Span

_INTEGER = re.compile(r"(0[xX][0-9a-fA-F]+|0[bB][01]+|0[0-7]*|[1-9][0-9]*)([uUlL]*)")
_FLOATING = re.compile(r"\d*\.\d*([eE]\d*)?[fFlL]?|\d+[eE]\d*[fFlL]?|\d+\.?[fF]|0[xX].*\..*")
_SUFFIXES = ("", "u", "l", "ul", "ll", "ull")
_ESCAPE = re.compile(r"\\(x[0-9a-fA-F]+|[0-7]{1,3}|.)", re.DOTALL)
_SIMPLE = {"n": 10, "t": 9, "r": 13, "a": 7, "b": 8, "f": 12, "v": 11, "e": 27}
_PLAIN = frozenset("\\'\"?")
_BITS = 64
_BYTE = 8
_INT_BYTES = 4
_INT_MAX = (1 << 31) - 1


class OutsideSubset(Diagnostic, frozen=True, kw_only=True):
    """A construct of C that the subset leaves out."""

    CODE: ClassVar[str] = "FP0405"
    TITLE: ClassVar[str] = "outside the subset: {construct}"
    construct: str


class BadNumber(Diagnostic, frozen=True, kw_only=True):
    """A number that is no integer constant of C."""

    CODE: ClassVar[str] = "FP0406"
    TITLE: ClassVar[str] = "`{text}` is not an integer constant"
    text: str


class WideNumber(Diagnostic, frozen=True, kw_only=True):
    """An integer constant that fits no type."""

    CODE: ClassVar[str] = "FP0407"
    TITLE: ClassVar[str] = "`{text}` does not fit into {bits} bits"
    text: str
    bits: int = _BITS


class BadEscape(Diagnostic, frozen=True, kw_only=True):
    """An escape that C does not know."""

    CODE: ClassVar[str] = "FP0408"
    TITLE: ClassVar[str] = "`\\{escape}` is not an escape of C"
    escape: str


def decode_integer(text: str, span: Span) -> tuple[int, str]:
    """Return the value and the normalised suffix of an integer constant.

    A decimal constant never becomes unsigned by itself: one too large for int is a long.
    """
    found = _INTEGER.fullmatch(text)
    suffix = "".join(sorted(found[2].lower(), reverse=True)) if found else ""
    if found is None or suffix not in _SUFFIXES:
        if _FLOATING.fullmatch(text):
            raise InputError(OutsideSubset(span=span, construct="floating point"))
        raise InputError(BadNumber(span=span, text=text))
    # A limit on the digits keeps the conversion linear.
    value = _value(found[1]) if len(found[1]) <= 2 * _BITS else 1 << _BITS
    if value >= 1 << _BITS:
        raise InputError(WideNumber(span=span, text=_shortened(text)))
    decimal = not text.startswith("0")
    if decimal and value > _INT_MAX and "u" not in suffix:
        return value, suffix or "l"
    return value, suffix


def _value(digits: str) -> int:
    octal = digits.startswith("0") and digits.isdigit()
    return int(digits, 8) if octal else int(digits, 0)


def _shortened(text: str) -> str:
    return text if len(text) <= 40 else text[:37] + "..."


def decode_string(text: str, span: Span) -> str:
    """Return the characters that the quoted `text` stands for."""

    def decode(found: re.Match[str]) -> str:
        return chr(_escape(found[1], span))

    return _ESCAPE.sub(decode, text[1:-1])


def decode_character(text: str, span: Span) -> int:
    """Return the value of a character constant such as `'a'`, an int, as gcc has it on x86.

    There `char` is signed, so one character is sign-extended. Of several the first is the highest
    byte, and they are not.
    """
    values = _bytes(text[1:-1], span)
    if len(values) > _INT_BYTES:
        raise InputError(
            OutsideSubset(span=span, construct="character constants of over 4 characters")
        )
    width = _BYTE if len(values) == 1 else _BYTE * _INT_BYTES
    value = int.from_bytes(values, "big")
    return value - (1 << width) if value >> (width - 1) else value


def _bytes(quoted: str, span: Span) -> bytes:
    """Return the bytes of quoted characters; those that are no escapes are UTF-8."""
    out = bytearray()
    end = 0
    for found in _ESCAPE.finditer(quoted):
        out += quoted[end : found.start()].encode()
        out.append(_escape(found[1], span))
        end = found.end()
    return bytes(out + quoted[end:].encode())


def _escape(escape: str, span: Span) -> int:
    if escape[0] in _SIMPLE:
        return _SIMPLE[escape]
    if escape[0] in _PLAIN:
        return ord(escape)
    if escape[0] == "x" and len(escape) > 1:
        return int(escape[1:][-8:], 16) & 0xFF
    if escape[0].isdigit() and escape[0] not in "89":
        return int(escape, 8) & 0xFF
    raise InputError(BadEscape(span=span, escape=escape))
