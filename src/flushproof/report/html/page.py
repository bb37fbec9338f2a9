"""A whole page as text: the view of reports put into the templates beside this module.

Every text is escaped by the template engine; only the style and the script, which come with the
program, are not. The page's policy lets nothing run, load or apply but these two.
"""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Mapping, Sequence
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

from flushproof import __version__
from flushproof.report.html.clean import clean
from flushproof.report.html.tones import tone
from flushproof.report.html.view import places, view
from flushproof.source import Source
from flushproof.verdict import Report

if TYPE_CHECKING:
    from jinja2 import Environment

__all__ = ["places", "render"]

TEMPLATES = Path(__file__).parent / "templates"


def render(
    reports: Sequence[Report], sources: Mapping[str, Source], *, expectations: bool = False
) -> str:
    """Return the page about reports, with `expectations` marking what was not expected."""
    style, script = _own("style.css"), _own("script.js")
    return (
        _environment()
        .get_template("page.html")
        .render(
            view=view(reports, sources, expectations=expectations),
            version=__version__,
            style=style,
            script=script,
            policy=policy(style, script),
        )
    )


def policy(style: str, script: str) -> str:
    """Return the content security policy under which only this style and script are applied."""
    return f"default-src 'none'; style-src {_digest(style)}; script-src {_digest(script)}"


def _digest(text: str) -> str:
    found = hashlib.sha256(text.encode()).digest()
    return f"'sha256-{base64.b64encode(found).decode('ascii')}'"


def _own(name: str) -> str:
    return (TEMPLATES / name).read_text(encoding="utf-8")


@cache
def _environment() -> Environment:
    from jinja2 import Environment, FileSystemLoader, StrictUndefined
    from markupsafe import Markup

    made = Environment(
        loader=FileSystemLoader(TEMPLATES),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        finalize=_shown,
    )
    made.filters |= {"tone": tone, "own": Markup, "px": _px}
    return made


def _shown(value: object) -> object:
    """Return a text without invisible characters; markup made by templates stays as it is."""
    return clean(value) if type(value) is str else value


def _px(value: float) -> str:
    """Write a length in pixels with at most one decimal."""
    return f"{value:.1f}".removesuffix(".0")
