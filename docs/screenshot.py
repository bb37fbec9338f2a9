"""Take the picture in README.md: `python docs/screenshot.py`.

It runs a command in colour and writes what it prints to `docs/first.svg`, as a terminal shows it.
The picture names fonts that every system has, and loads nothing.
"""

from __future__ import annotations

import html
import io
import os
import re
import subprocess
import sys
from pathlib import Path

from rich.console import Console
from rich.terminal_theme import MONOKAI
from rich.text import Text

HERE = Path(__file__).resolve().parent
PICTURE = HERE / "first.svg"
COMMAND = ("refute", "specs/enum_status.c", "--claim", "coverage")
WIDTH = 78
FRAME = """\
<svg viewBox="0 0 {width} {height}" xmlns="http://www.w3.org/2000/svg" role="img">
<title>TITLE</title>
<style>
.{unique_id}-matrix {{ font-family: ui-monospace, Menlo, Consolas, "DejaVu Sans Mono", monospace;
font-size: {char_height}px; line-height: {line_height}px; font-variant-east-asian: full-width; }}
{styles}
</style>
<defs>
<clipPath id="{unique_id}-clip-terminal">
<rect x="0" y="0" width="{terminal_width}" height="{terminal_height}"/>
</clipPath>
{lines}
</defs>
<rect fill="#272822" width="100%" height="100%" rx="8"/>
<g transform="translate({terminal_x}, {terminal_y})" clip-path="url(#{unique_id}-clip-terminal)">
{backgrounds}
<g class="{unique_id}-matrix">
{matrix}
</g>
</g>
</svg>
"""


def main() -> None:
    """Write the picture."""
    PICTURE.write_text(drawn(printed()), encoding="utf-8")


def printed() -> str:
    """Return what the command prints on a terminal with colours."""
    plain = {k: v for k, v in os.environ.items() if k not in {"NO_COLOR", "FORCE_COLOR"}}
    run = subprocess.run(  # noqa: S603 - our own command
        [sys.executable, "-m", "flushproof", *COMMAND, "--color", "always"],
        cwd=HERE.parent,
        env={**plain, "FLUSHPROOF_CACHE": "off"},
        capture_output=True,
        text=True,
        check=True,
    )
    return run.stdout


def drawn(text: str) -> str:
    """Return a text with colours as a picture, below the command that prints it."""
    console = Console(record=True, width=WIDTH, file=io.StringIO(), force_terminal=True)
    console.print(Text.from_ansi(f"$ {title()}\n{text}"))
    svg = console.export_svg(theme=MONOKAI, code_format=FRAME, unique_id="first")
    named = svg.replace("<title>TITLE</title>", f"<title>{title()}</title>")
    return re.sub(r"[ \t]+$", "", named, flags=re.MULTILINE)


def title() -> str:
    """Return the command as it is typed."""
    return " ".join(("flushproof", *COMMAND))


def shown(svg: str) -> str:
    """Return the text of a picture, line by line."""
    cells = re.findall(r'<text class="[^"]*" x="([\d.]+)" y="([\d.]+)"[^>]*>(.*?)</text>', svg)
    lines: dict[float, str] = {}
    for _, y, cell in cells:
        lines[float(y)] = lines.get(float(y), "") + html.unescape(cell).replace("\xa0", " ")
    return "\n".join(line.rstrip() for _, line in sorted(lines.items()))


if __name__ == "__main__":
    main()
