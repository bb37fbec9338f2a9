"""The project's settings: `[tool.flushproof]` of the nearest `pyproject.toml` that has one.

In: the folder to start from. Out: a `Setting` for each key, with its place. It is looked for from
the current folder upwards and not from the files checked, so that a tree of somebody else's cannot
change how it is checked.
"""

from __future__ import annotations

import os
import re
import tomllib
from pathlib import Path

from flushproof.cli.arguments import KEYS
from flushproof.cli.settings.setting_errors import (
    FILE,
    KINDS,
    NotATable,
    NotToml,
    UnknownKey,
    WrongKind,
)
from flushproof.support.diagnostics import InputError, suggest_closest
from flushproof.support.record import Record
from flushproof.support.source import Source, Span
from flushproof.verify.option import Option

Value = int | str | bool
_PLACE = re.compile(r"^(.*) \(at (?:line (\d+), column (\d+)|end of document)\)$", re.DOTALL)


class Setting(Record, frozen=True):
    """A key that is set, its value, and where the value stands."""

    key: Option
    value: Value
    span: Span


class ProjectFile(Record, frozen=True):
    """The settings of one file, in its order."""

    source: Source
    settings: tuple[Setting, ...]

    def get(self, name: str) -> Setting | None:
        """Return the setting of that name."""
        return next((s for s in self.settings if s.key.name == name), None)


def find_project_file(folder: Path) -> ProjectFile | None:
    """Return the settings that hold in a folder, None where no file above has any.

    Raises:
        InputError: the file is no TOML, or has keys or values that are not accepted.
    """
    for place in (folder, *folder.parents):
        found = _read(place / FILE, folder)
        if found is not None:
            return found
    return None


def _read(path: Path, folder: Path) -> ProjectFile | None:
    try:
        data = path.read_bytes()
    except OSError:
        return None
    if b"flushproof" not in data:
        return None
    source = Source(
        os.path.relpath(path, folder), data.decode("utf-8-sig", "replace").replace("\r\n", "\n")
    )
    try:
        return _settings(source)
    except InputError as error:
        error.sources = (source,)
        raise


def _settings(source: Source) -> ProjectFile | None:
    try:
        document = tomllib.loads(source.text)
    except tomllib.TOMLDecodeError as error:
        raise InputError(_not_toml(source, error)) from None
    tool = document.get("tool")
    if not isinstance(tool, dict) or "flushproof" not in tool:
        return None
    table = tool["flushproof"]
    if not isinstance(table, dict):
        raise InputError(NotATable(span=_Places(source).key("flushproof")))
    places = _Places(source)
    return ProjectFile(source, tuple(_setting(n, v, places) for n, v in table.items()))


def _setting(name: str, value: object, places: _Places) -> Setting:
    key = next((k for k in KEYS if k.name == name), None)
    if key is None:
        hint = suggest_closest(name, (k.name for k in KEYS))
        raise InputError(UnknownKey(span=places.key(name), name=name, hint=hint))
    if isinstance(value, (int, str)) and type(value) in key.keys:
        return Setting(key, value, places.value(name))
    wanted = " or ".join(KINDS[k] for k in key.keys)
    given = KINDS.get(type(value), "a list" if isinstance(value, list) else "something else")
    raise InputError(WrongKind(span=places.value(name), name=name, wanted=wanted, given=given))


def _not_toml(source: Source, error: tomllib.TOMLDecodeError) -> NotToml:
    found = _PLACE.match(str(error))
    problem = found.group(1) if found else str(error)
    line, column = len(source.lines), 1
    if found and found.group(2):
        line, column = int(found.group(2)), int(found.group(3))
    span = Span(source.name, line, column, line, column + 1)
    return NotToml(span=span, problem=f"{problem[:1].lower()}{problem[1:]}")


class _Places(Record, frozen=True):
    """Where keys stand: `tomllib` does not tell, but it does tell what the lines so far say.

    A key stands in the line that names it, before which it is not set and after which it is.
    """

    source: Source

    def key(self, name: str) -> Span:
        """Return the place of a key in the table."""
        return self._span(name, "key")

    def value(self, name: str) -> Span:
        """Return the place of its value, as far as that is in the same line."""
        return self._span(name, "value")

    def _span(self, name: str, part: str) -> Span:
        pattern = re.compile(
            rf"(?<![\w-])(?P<key>[\"']?{re.escape(name)}[\"']?)(?P<more>(?:\.[\w\"'-]+)*)\s*"
            r"(?:=\s*(?P<value>\"[^\"]*\"|'[^']*'|[^\s#,}]+))?"
        )
        for number, text in enumerate(self.source.lines, 1):
            for found in pattern.finditer(text):
                if self._sets(name, number):
                    where = part if found.group(part) else "key"
                    start, end = found.span(where)
                    return Span(self.source.name, number, start + 1, number, end + 1)
        return Span(self.source.name, 1, 1, 1, 2)

    def _sets(self, name: str, number: int) -> bool:
        """Tell whether the statement that begins in a line sets the key."""
        before = _known(self.source.lines[: number - 1])
        if before is None or _has(before, name):
            return False
        ends = range(number, len(self.source.lines) + 1)
        after = next((d for e in ends if (d := _known(self.source.lines[:e])) is not None), {})
        return _has(after, name)


def _known(lines: tuple[str, ...]) -> dict[str, object] | None:
    try:
        return tomllib.loads("\n".join(lines))
    except tomllib.TOMLDecodeError:
        return None


def _has(document: dict[str, object], name: str) -> bool:
    tool = document.get("tool")
    table = tool.get("flushproof") if isinstance(tool, dict) else None
    if name == "flushproof":
        return table is not None
    return isinstance(table, dict) and name in table
