"""Plain printable ASCII: every text from outside passes through here before it is printed.

In: any string, such as a path, a line of source or an identifier. Out: strings without control
characters or letters beyond ASCII, so that a terminal is never steered and no locale fails.
"""

from __future__ import annotations

import textwrap
from collections.abc import Iterable, Sequence

DEFAULT_WIDTH = 75
MIN_WIDTH = 40
SHALLOW = 2
MAX_WIDTH = 1000


def escape_unprintable(text: str) -> str:
    r"""Return the text with everything but printable ASCII written as `\x1b`, `\t`, `\u2028`."""
    return "".join(_shown(c) for c in text)


def _shown(character: str) -> str:
    if character.isascii() and character.isprintable():
        return character
    return character.encode("unicode_escape").decode("ascii")


def pack_pieces(pieces: Iterable[str], width: int) -> list[str]:
    """Join pieces with blanks into lines of at most `width`.

    Only a piece that is longer is broken, at its blanks if they suffice. Returns at least one
    line, which is empty where there are no pieces.
    """
    lines = [""]
    for piece in (part for whole in pieces for part in _broken(escape_unprintable(whole), width)):
        joined = f"{lines[-1]} {piece}" if lines[-1] else piece
        if len(joined) <= width:
            lines[-1] = joined
        else:
            lines.append(piece)
    return lines


def _broken(piece: str, width: int) -> list[str]:
    words = piece.split(" ")
    if len(piece) <= width or len(words) == 1:
        return [piece[at : at + width] for at in range(0, len(piece), width)]
    return pack_pieces(words, width)


def hang_text(first: str, text: str, width: int, indent: int | None = None) -> list[str]:
    """Wrap the text after `first`; later lines are indented as far, or by `indent`.

    A path is not broken, as nobody could copy it. One that does not fit behind the indentation, but
    into a line of its own, has less of it, below `first`.
    """
    later = " " * (len(first) if indent is None else indent)
    shown = escape_unprintable(text)
    # Where something was unprintable nobody copies it anyway.
    path = max((len(w) for w in shown.split() if "/" in w and "\\" not in w), default=0)
    room = width - len(later)
    if room < path <= width - SHALLOW:
        below = hang_text(" " * SHALLOW, text, width)
        return [first.rstrip(), *below] if first.strip() else below
    wrapped = textwrap.wrap(
        shown,
        width,
        initial_indent=first,
        subsequent_indent=later,
        break_on_hyphens=False,
        break_long_words=path <= room,
    )
    return wrapped or [first.rstrip()]


def shorten_names(names: Sequence[str], width: int) -> list[str]:
    """Cut names that are too long so that what tells them apart is kept.

    The end of each is, as of a path, if it tells; else from where they begin to differ.
    """
    cut = [cut_left(name, width) for name in names]
    if len(set(cut)) == len(set(names)):
        return cut
    pairs = enumerate(zip(min(names), max(names), strict=False))
    alike = next((at for at, (a, b) in pairs if a != b), 0)
    start = max(names[0].rfind("/", 0, alike) + 1, 0)
    shown = [escape_unprintable(name[start:]) for name in names]
    head = "..." if start else ""
    cut = [head + (s if len(s) <= width - 3 else s[: width - 6] + "...") for s in shown]
    return cut if len(set(cut)) == len(set(names)) else [escape_unprintable(n) for n in names]


def cut_left(text: str, width: int) -> str:
    """Keep the end of a text that is too long, as the end of a path tells most."""
    shown = escape_unprintable(text)
    return shown if len(shown) <= width else "..." + shown[len(shown) - width + 3 :]
