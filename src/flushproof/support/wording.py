"""Numbers of things in words."""

from __future__ import annotations


def count_noun(number: int, noun: str) -> str:
    """Return "1 vCPU" or "2 vCPUs"."""
    return f"{number} {noun}" if number == 1 else f"{number} {noun}s"
