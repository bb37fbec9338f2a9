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
from flushproof.report.html.clean import escape_invisible
from flushproof.report.html.costs_view import costs_view
from flushproof.report.html.plot import cost_panels, layout_sheet
from flushproof.report.html.tones import root_tone
from flushproof.report.html.view import PageView, arrange_reports, short_names, traces_of
from flushproof.report.html.view import list_trace_files as shown_places
from flushproof.results.costs import SideBySide
from flushproof.results.verdict import Report
from flushproof.support.record import replace
from flushproof.support.source import Source

if TYPE_CHECKING:
    from jinja2 import Environment

HEADING = 66
TEMPLATES = Path(__file__).parent / "templates"


def render_page(
    reports: Sequence[Report], sources: Mapping[str, Source], *, expectations: bool = False
) -> str:
    """Return the page about reports, with `expectations` marking what was not expected."""
    return _page(arrange_reports(reports, sources, expectations=expectations))


def render_side_by_side(found: SideBySide, sources: Mapping[str, Source]) -> str:
    """Return the page about variants side by side."""
    seen = arrange_reports(found.reports, sources, expectations=False)
    costs = costs_view([v.name for v in seen.variants], found.costs, sources)
    return _page(replace(seen, costs=costs))


def render_drawing(found: SideBySide) -> str:
    """Return the plot of costs as a drawing of its own."""
    shown = layout_sheet(cost_panels(short_names(found.reports), found.costs), HEADING)
    template = _environment().get_template("drawing.svg")
    return template.render(sheet=shown, style=_style("colours.css", "plot.css"))


def list_page_files(reports: Sequence[Report]) -> tuple[str, ...]:
    """Return the names of the files that the page about reports shows, sorted."""
    return shown_places(traces_of(reports))


def places_of(found: SideBySide) -> tuple[str, ...]:
    """Return the names of the files that the page about variants shows, sorted."""
    costs = [c.trace for each in found.costs for c in each.cells if c.trace is not None]
    return shown_places([*traces_of(found.reports), *costs])


def _page(seen: PageView) -> str:
    style = _style("colours.css", "style.css", "plot.css")
    script = _own("script.js")
    return (
        _environment()
        .get_template("page.html")
        .render(
            view=seen,
            version=__version__,
            style=style,
            script=script,
            policy=content_policy(style, script),
        )
    )


def _style(*names: str) -> str:
    return "".join(_own(name) for name in names)


def content_policy(style: str, script: str) -> str:
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
    made.filters |= {"tone": root_tone, "own": Markup, "px": _px}
    return made


def _shown(value: object) -> object:
    """Return a text without invisible characters; markup made by templates stays as it is."""
    return escape_invisible(value) if type(value) is str else value


def _px(value: float) -> str:
    """Write a length in pixels with at most one decimal."""
    return f"{value:.1f}".removesuffix(".0")
