"""Text from outside, made safe to look at.

Markup is escaped by the templates. What is left are characters that cannot be seen, or that turn
the direction of others around, so that code would read as something else.
"""

from __future__ import annotations


def escape_invisible(text: str) -> str:
    r"""Return the text with all that is invisible but tabs written as `\x1b`, `\u202e`."""
    if text.isprintable():
        return text
    return "".join(c if c.isprintable() or c == "\t" else _written(c) for c in text)


def _written(character: str) -> str:
    return character.encode("unicode_escape", "backslashreplace").decode("ascii")
