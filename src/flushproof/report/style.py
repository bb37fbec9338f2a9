"""The same text with colour: what is printed never depends on whether it is coloured.

In: finished plain text and what is known of the terminal. Out: text with escape sequences. Where no
colour is wanted nothing here is called, since rich keeps bold text under `NO_COLOR`.
"""

from __future__ import annotations

import io
from collections.abc import Mapping
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from rich.text import Text

COLOUR_CHOICES = ("auto", "always", "never")

_STYLES = (
    (r"(?m)^(?:proved(?= for )|bounded(?=: ))", "bold green"),
    (r"(?m)^refuted(?= )", "bold red"),
    (r"(?m)^(?:unknown|vacuous|not asked)(?= )", "bold yellow"),
    (r"(?m)^equal(?=  for )|(?<=  )fixed(?=\s)", "bold green"),
    (r"(?m)^differs(?=  \d)|(?<=  )broke(?=\s)|<--$", "bold red"),
    (r"(?m)^refines(?=  \d)", "bold yellow"),
    (r"(?m)^  (?:proved|bounded)(?=  +\S+ +(?:every|\d))", "green"),
    (r"(?m)^  (?:refuted)(?=  +\S+ +(?:\?|\d))", "red"),
    (r"(?m)^  (?:unknown|vacuous|not asked)(?=  +\S+ +(?:every|-|\d))", "yellow"),
    (r"(?m)^  (?:step|verdict)  .*$", "bold"),
    (r"(?m)^  ----.*$", "dim"),
    (r"(?m)(?<=  )[\[|\]](?= |$)", "bold cyan"),
    (r"\bflush \S+(?: \| 0x[0-9a-f]+)? ok\b", "green"),
    (r"\bflush \S+(?: \| 0x[0-9a-f]+)? failed\b", "red"),
    (r"(?m)(?<=  )\S+ = \S+(?: \| 0x[0-9a-f]+)?,?$", "magenta"),
    (r"\bVIOLATION\b", "bold red"),
    (r"(?m)^\s+\^+", "bold red"),
    (r"(?:(?<=: )|^|(?<=\n))error(?:\[\w+\])?:", "bold red"),
    (r"(?m)^ +(?:note|help):", "bold"),
    (r"(?m)^  (?:because|smallest|checked|compares|scope|assuming|and|of) (?! *\d)", "bold"),
    (r"(?m)^  (?:note|expected|nfc|stated) (?! *\d)", "bold"),
    (r"(?<= )N=\d+(?=!|\s)", "red"),
    (r"(?<= )(?:ok|<=\d+)(?=!|\s)", "green"),
    (r"(?<=[\w?])!(?=\s)", "bold yellow"),
)


def wants_colour(choice: str, environ: Mapping[str, str], *, terminal: bool) -> bool:
    """Decide on colour: the option first, then NO_COLOR, FORCE_COLOR, the terminal and its kind."""
    if choice != "auto":
        return choice == "always"
    if environ.get("NO_COLOR"):
        return False
    if environ.get("FORCE_COLOR"):
        return True
    return terminal and environ.get("TERM", "") not in ("dumb", "unknown")


def style_text(text: str) -> Text:
    """Return the text with its styles, as rich knows it."""
    from rich.text import Text

    result = Text(text)
    for pattern, style in _STYLES:
        result.highlight_regex(pattern, style)
    return result


def paint_text(text: str) -> str:
    """Return the text with escape sequences for its styles."""
    from rich.console import Console

    out = io.StringIO()
    console = Console(
        file=out,
        force_terminal=True,
        color_system="standard",
        no_color=False,
        legacy_windows=False,
    )
    console.print(style_text(text), end="", soft_wrap=True)
    return out.getvalue()
