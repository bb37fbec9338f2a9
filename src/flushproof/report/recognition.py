"""What was recognised in a file, as text and as a JSON document.

In: a `Recognition`. Out: plain ASCII text within the width, or the document that `schema.json`
describes.
"""

from __future__ import annotations

from flushproof.report.json_report import Tree, document_head
from flushproof.report.plain import escape_unprintable, hang_text
from flushproof.results.recognition import Recognition
from flushproof.results.verdict import EXIT_OK

SHOWN_MISSING = 8


def render(listing: Recognition, width: int) -> str:
    """Return the listing as text that ends in a newline."""
    lines = [escape_unprintable(listing.path), ""]
    lines += _labelled("profile", listing.profile or "as the spec says", width)
    lines += _functions(listing, width)
    lines += _fields(listing, width)
    if listing.cache is None:
        lines += _labelled("cache", "none found", width)
    else:
        condition, root = listing.cache
        lines += _labelled("cache", f"{root}, when {condition}", width)
    for at, text in enumerate(listing.assumptions):
        lines += _labelled("" if at else "assumed", text, width)
    lines += _missing(listing, width)
    return "\n".join(lines) + "\n"


def _functions(listing: Recognition, width: int) -> list[str]:
    lines: list[str] = []
    for role in ("flush", "load", "cpu", "thread", "helper"):
        named = [p for p in listing.functions if p.role == role]
        for at, p in enumerate(named):
            label = "" if at else f"{role}s" if role == "helper" else role
            lines += _labelled(label, f"{p.name}()  {p.span.file}:{p.span.line}", width)
    return lines


def _fields(listing: Recognition, width: int) -> list[str]:
    lines: list[str] = []
    for kind, lock in (("fields", False), ("locks", True)):
        found = [f for f in listing.fields if f.lock is lock]
        for at, f in enumerate(found):
            owner = "of the VM" if f.scope == "vm" else "of each vCPU"
            boot = "" if lock else f", {f.boot} at boot"
            lines += _labelled("" if at else kind, f"{f.name}  {owner}{boot}", width)
    return lines


def _missing(listing: Recognition, width: int) -> list[str]:
    if not listing.missing:
        return []
    shown = ", ".join(listing.missing[:SHOWN_MISSING])
    more = len(listing.missing) - SHOWN_MISSING
    return _labelled("not found", shown + (f" and {more} more" if more > 0 else ""), width)


def _labelled(label: str, text: str, width: int) -> list[str]:
    return hang_text(f"  {label:<9} ", text, width)


def recognition_document(listing: Recognition) -> Tree:
    """Return the listing as a document; it decides no claim."""
    return {
        **document_head(),
        "source": {"path": listing.path, "sha256": listing.sha256},
        "claims": [],
        "recognised": {
            "profile": listing.profile or None,
            "functions": [
                {"name": p.name, "role": p.role, "file": p.span.file, "line": p.span.line}
                for p in listing.functions
            ],
            "fields": [
                {"name": f.name, "scope": f.scope, "lock": f.lock, "boot": f.boot}
                for f in listing.fields
            ],
            "cache": _cache(listing),
            "assumptions": list(listing.assumptions),
            "missing": list(listing.missing),
        },
        "exit": EXIT_OK,
    }


def _cache(listing: Recognition) -> Tree | None:
    if listing.cache is None:
        return None
    condition, root = listing.cache
    return {"when": condition, "is": root}
