"""A comparison as one JSON document; its shape is in `schema.json` beside this module."""

from __future__ import annotations

from flushproof.report.json_report import Tree, document_head, scope_tree, span_tree
from flushproof.results.comparison import (
    Act,
    Comparison,
    SideOutcome,
    VariantDifference,
    VariantVersion,
)


def comparison_document(found: Comparison) -> Tree:
    """Return the document about one comparison."""
    return {**document_head(), "comparison": comparison_tree(found), "exit": found.exit_code}


def comparison_tree(found: Comparison) -> Tree:
    """Return the comparison alone."""
    return {
        "old": _version(found.old),
        "new": _version(found.new),
        "verdict": str(found.relation),
        "expected": str(found.expected),
        "compared": str(found.compared),
        "since": str(found.since),
        "scope": scope_tree(found.scope),
        "assumptions": list(found.assumptions),
        "reason": found.reason or None,
        "invariant": list(found.invariant),
        "seconds": round(found.seconds, 3),
        "difference": None if found.difference is None else _difference(found.difference),
    }


def _version(version: VariantVersion) -> Tree:
    return {"path": version.path, "sha256": version.sha256, "function": version.function}


def _difference(told: VariantDifference) -> Tree:
    calls = [
        {
            "index": c.index,
            "thread": c.thread,
            "text": c.text,
            "old": _side(c.old),
            "new": _side(c.new),
        }
        for c in told.calls
    ]
    return {
        "vcpus": told.vcpus,
        "headline": told.headline,
        "calls": calls,
        "at": {"call": told.calls[-1].index, "hypercall": told.at},
        "smallest": told.smallest,
    }


def _side(side: SideOutcome) -> Tree:
    return {
        "hypercalls": [_act(a) for a in side.hypercalls],
        "end": None if side.end is None else _act(side.end),
        "changed": dict(side.changed),
    }


def _act(act: Act) -> Tree:
    return {"text": act.text, "span": None if act.span is None else span_tree(act.span)}
