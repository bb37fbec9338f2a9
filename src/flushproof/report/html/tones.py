"""What colour a root has: a class name, the same wherever the root appears on a page."""

from __future__ import annotations

import re

TONES = 6
_LETTERS = re.compile(r"([A-Z]{1,2})(?: \||$)")


def root_tone(root: str) -> str:
    """Return `tone-0` for root A and so on, `tone-x` for what is no root."""
    found = _LETTERS.match(root)
    if found is None:
        return "tone-x"
    number = 0
    for letter in found[1]:
        number = number * 26 + ord(letter) - ord("A") + 1
    return f"tone-{(number - 1) % TONES}"
