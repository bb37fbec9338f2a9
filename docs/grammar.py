"""Write the reference of the languages that are read: `python docs/grammar.py`.

In: the grammars in `grammars/`, and the words that specs and claims may use. Out: the page
`docs/grammar.md`.
`--check` writes nothing and exits with 1 if that page is out of date.
"""

from __future__ import annotations

import re
import sys
from dataclasses import dataclass
from pathlib import Path

from flushproof.frontend.spec.operation_names import SEVERAL, SINGLE
from flushproof.frontend.spec.parser import (
    ASSUMPTIONS,
    BOUNDS,
    EVENTS,
    EVERY,
    QUANTIFIED,
    ROLES,
    VERDICTS,
    WITNESSES,
)
from flushproof.support.memory_model import MemoryModel

HERE = Path(__file__).resolve().parent
GRAMMARS = HERE.parent / "grammars"
PAGE = HERE / "grammar.md"
FILES = (
    ("spec.lark", "Specs and claims"),
    ("c.lark", "C"),
    ("tokens.lark", "Tokens"),
)
WORDS = (
    ("operation", "the first word: what the function is", ROLES),
    ("parameter_role", "what a parameter is, its own name for any value", (*SINGLE, *SEVERAL)),
    ("bound", "the first word: what is bounded", BOUNDS),
    ("assume", "what is taken for granted, or with `no` is not", ASSUMPTIONS),
    ("quantified", "the first word: what is any, in an `invariant` line", QUANTIFIED),
    ("memory", "the memory model", tuple(str(m) for m in MemoryModel)),
    ("expectation", "the second word: a verdict", VERDICTS),
    ("expectation", "behind `for`: of which numbers of vCPUs it is proved", (EVERY,)),
    ("witness", "the first word: what is chosen freely, once", WITNESSES),
    ("event", "what a handler waits for", EVENTS),
)
HEAD = """\
# What is read: the grammars

`python docs/grammar.py` writes this page from the files in `grammars/`, which the parser uses as
they are, in the notation of [lark](https://lark-parser.readthedocs.io/en/stable/grammar.html):
`x*` and `x+` repeat, `[x]` may be left out, `|` separates choices, `-> name` names one, and `?` or
`!` before a rule changes nothing about what is accepted. Rules are in small letters, tokens in
capitals.

Files are preprocessed first: comments, line continuations, conditions and macros are gone before
these rules apply. [limits.md](limits.md) says what C means here.
"""
_RULE = re.compile(r"^[?!]*(?P<name>[A-Za-z_]\w*)(?:\.-?\d+)?: ")
_SECTION = re.compile(r"^// (?P<title>[^-]+?) -{5,}$")


@dataclass(frozen=True, slots=True)
class Rule:
    """One rule: its name, its text, and the section it stands in."""

    name: str
    text: str
    section: str


def main() -> int:
    """Write the page, or with `--check` only compare."""
    page = rendered()
    if "--check" in sys.argv[1:]:
        if PAGE.read_text(encoding="utf-8") == page:
            return 0
        sys.stderr.write(f"{PAGE} is out of date: run `python docs/grammar.py`\n")
        return 1
    PAGE.write_text(page, encoding="utf-8")
    return 0


def rendered() -> str:
    """Return the page."""
    parts = [HEAD, _words()]
    rules: list[Rule] = []
    for name, title in FILES:
        found = rules_of((GRAMMARS / name).read_text(encoding="utf-8"))
        parts.append(_file(name, title, found))
        rules += found
    return "\n".join((*parts, _index(rules)))


def rules_of(text: str) -> list[Rule]:
    """Return the rules of a grammar in order; what it imports is left out."""
    rules: list[Rule] = []
    section = ""
    for line in text.splitlines():
        head, rule = _SECTION.match(line), _RULE.match(line)
        if head:
            section = head["title"]
        elif rule:
            rules.append(Rule(rule["name"], line, section))
        elif line.startswith(" ") and rules:
            last = rules.pop()
            rules.append(Rule(last.name, f"{last.text}\n{line}", last.section))
    return rules


def _words() -> str:
    rows = [f"| `{rule}` | {what} | {_listed(words)} |" for rule, what, words in WORDS]
    head = "## Words\n\nWhere a rule says `word`, these are accepted:\n\n"
    return head + "\n".join(("| rule | place | words |", "|---|---|---|", *rows)) + "\n"


def _listed(words: tuple[str, ...]) -> str:
    return ", ".join(f"`{word}`" for word in words)


def _file(name: str, title: str, rules: list[Rule]) -> str:
    lines = [f"## {title}", "", f"From `grammars/{name}`."]
    for section in dict.fromkeys(r.section for r in rules):
        lines += ["", *([f"### {section}", ""] if section else []), "```lark"]
        lines += [r.text for r in rules if r.section == section]
        lines.append("```")
    return "\n".join(lines) + "\n"


def _index(rules: list[Rule]) -> str:
    rows = []
    for rule in sorted(rules, key=lambda r: r.name.lower()):
        used = [r.name for r in rules if r.name != rule.name and _mentions(r.text, rule.name)]
        rows.append(f"| `{rule.name}` | {_listed(tuple(dict.fromkeys(used)))} |")
    return "\n".join(("## Index", "", "| rule | used by |", "|---|---|", *rows)) + "\n"


def _mentions(text: str, name: str) -> bool:
    body = re.sub(r'"[^"]*"|->\s*\w+', "", text.partition(":")[2])
    return re.search(rf"\b{name}\b", body) is not None


if __name__ == "__main__":
    sys.exit(main())
