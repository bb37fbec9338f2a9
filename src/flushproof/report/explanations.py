"""What is said about claims and diagnostics beyond their own text.

In: the tables `specs/claims.toml` and `messages.toml` that come with the program, and spec files.
Out: frozen values. Neither the solver nor the machine is loaded.
"""

from __future__ import annotations

import tomllib
from importlib import import_module
from pathlib import Path
from typing import ClassVar

from flushproof.support.diagnostics import EXIT_USAGE, Diagnostic, InputError, suggest_closest
from flushproof.support.record import Record, field, fields
from flushproof.support.resources import HERE, SPECS

CLAIMS_TABLE = SPECS / "claims.toml"
CODES_TABLE = HERE / "messages.toml"


class NothingKnown(Diagnostic, frozen=True, kw_only=True):
    """A word that is neither a claim nor the code of a diagnostic."""

    CODE: ClassVar[str] = "FP0109"
    TITLE: ClassVar[str] = "`{word}` is no claim and no code{hint}"
    HELP: ClassVar[str] = "`flushproof explain` lists them; give a claim of your own with --spec"
    EXIT: ClassVar[int] = EXIT_USAGE

    word: str
    hint: str


class ClaimExplained(Record, frozen=True):
    """A claim in words: `lines` are how it is stated, `example` a path that breaks it, or ""."""

    name: str
    text: str
    file: str
    line: int
    lines: tuple[str, ...]
    means: str = ""
    guests: str = ""
    example: str = ""


class CodeExplained(Record, frozen=True):
    """A diagnostic in words; `title` and `help` have `<name>` where its own fields stand."""

    code: str
    title: str
    help: str
    means: str
    exit_code: int


class Explanations(Record, frozen=True):
    """Everything that can be explained, in order."""

    claims: tuple[ClaimExplained, ...] = ()
    codes: tuple[CodeExplained, ...] = field(default=())

    def find(self, word: str) -> ClaimExplained | CodeExplained:
        """Return what is known of a claim's name or a code.

        Raises:
            InputError: nothing is.
        """
        named: dict[str, ClaimExplained | CodeExplained] = {c.code: c for c in self.codes}
        named |= {c.name: c for c in self.claims}
        found = named.get(word) or named.get(word.upper())
        if found is None:
            raise InputError(NothingKnown(span=None, word=word, hint=suggest_closest(word, named)))
        return found


def known_explanations(spec: str | None) -> Explanations:
    """Return all claims and codes, those of a spec file included.

    Raises:
        InputError: the spec file is not accepted.
    """
    claims = (*_shipped_claims(), *(_claims_of(spec) if spec is not None else ()))
    return Explanations(claims, diagnostic_codes())


def diagnostic_codes() -> tuple[CodeExplained, ...]:
    """Return every diagnostic with a code."""
    table = _table(CODES_TABLE)
    return tuple(_code(code, entry) for code, entry in sorted(table.items()))


def _code(code: str, entry: dict[str, str]) -> CodeExplained:
    kind = diagnostic_class(entry["class"])
    blank = {f.name: f"<{f.name}>" for f in fields(kind)} | {"hint": ""}
    title, advice = (text.format_map(blank) for text in (kind.TITLE, kind.HELP))
    return CodeExplained(code, title, advice, _joined(entry["means"]), kind.EXIT)


def diagnostic_class(path: str) -> type[Diagnostic]:
    """Return the class of a diagnostic by its full name."""
    module, _, name = path.rpartition(".")
    kind: type[Diagnostic] = getattr(import_module(module), name)
    assert issubclass(kind, Diagnostic), path
    return kind


def _shipped_claims() -> tuple[ClaimExplained, ...]:
    from flushproof.frontend.spec.builtin import load_builtin

    start = load_builtin()
    source = start.sources[1]
    table = _table(CLAIMS_TABLE)
    return tuple(
        _claim(c.name, c.text, (source.name, c.span.line), source.lines, table)
        for c in start.claims
    )


def _claims_of(path: str) -> tuple[ClaimExplained, ...]:
    from flushproof.frontend.c.load import load_source
    from flushproof.frontend.spec.builtin import load_builtin
    from flushproof.frontend.spec.parser import parse_spec

    source = load_source(path)
    file = parse_spec(source, load_builtin().context)
    own = (*file.claims, *(c for spec in file.specs for c in spec.claims))
    return tuple(_claim(c.name, c.text, (source.name, c.span.line), source.lines, {}) for c in own)


def _claim(
    name: str,
    text: str,
    place: tuple[str, int],
    lines: tuple[str, ...],
    table: dict[str, dict[str, str]],
) -> ClaimExplained:
    file, first = place
    entry = table.get(name, {})
    example = entry.get("example", "")
    return ClaimExplained(
        name,
        text,
        file,
        first,
        _block(lines[first - 1 :]),
        _joined(entry.get("means", "")),
        _joined(entry.get("guests", "")),
        _near(SPECS / example) if example else "",
    )


def _near(path: Path) -> str:
    """Return a path as a reader types it: from the working folder, if it lies therein."""
    there, here = path.resolve(), Path.cwd()
    return str(there.relative_to(here) if there.is_relative_to(here) else there)


def _block(lines: tuple[str, ...]) -> tuple[str, ...]:
    """Return the lines up to the brace that stands below the beginning of the first one."""
    margin = lines[0][: len(lines[0]) - len(lines[0].lstrip())]
    end = next((k for k, line in enumerate(lines) if line.rstrip() == f"{margin}}}"), 0)
    return tuple(line.removeprefix(margin) for line in lines[: end + 1])


def _joined(text: str) -> str:
    return " ".join(text.split())


def _table(path: Path) -> dict[str, dict[str, str]]:
    return tomllib.loads(path.read_text(encoding="utf-8"))
