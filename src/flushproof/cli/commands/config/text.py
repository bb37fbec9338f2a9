"""What holds and where it comes from, as text or JSON."""

from __future__ import annotations

from collections.abc import Sequence

from flushproof.cli.settings.layers import SettingOrigin
from flushproof.report.json_report import Tree, document_head
from flushproof.report.plain import escape_unprintable


def render(origins: Sequence[SettingOrigin]) -> str:
    """Return a line for each value: its name, itself, and its origin."""
    rows = [tuple(escape_unprintable(x) for x in (o.name, o.value, o.source)) for o in origins]
    widths = [max(len(row[k]) for row in rows) for k in range(2)]
    return "".join(f"{n:<{widths[0]}}  {v:<{widths[1]}}  {s}\n" for n, v, s in rows)


def origins_document(origins: Sequence[SettingOrigin]) -> Tree:
    """Return the same as a JSON document."""
    listed = [{"name": o.name, "value": o.value, "from": o.source} for o in origins]
    return {**document_head(), "settings": listed}
