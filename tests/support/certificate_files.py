"""Certificates taken apart, for tests that put them together otherwise."""

from __future__ import annotations

from pathlib import Path

from flushproof.verify.certificate.head import SEAL


def body(file: Path) -> str:
    """Return what follows the head of a certificate."""
    lines = file.read_text(encoding="utf-8").split("\n")
    return "\n".join(lines[number_of(lines, SEAL) :])


def number_of(lines: list[str], begins: str) -> int:
    """Return the number, from 1, of the only line that begins so."""
    (number,) = (k for k, x in enumerate(lines, 1) if x.startswith(begins))
    return number
