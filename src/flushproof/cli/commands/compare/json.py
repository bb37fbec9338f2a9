"""Variants side by side as a JSON document; its shape is fixed by `schema.json`."""

from __future__ import annotations

from flushproof.report.json_report import Tree, document_head, report_body, scope_tree, trace_tree
from flushproof.results.costs import Cost, Costs, SideBySide


def costs_document(found: SideBySide) -> Tree:
    """Return the document; each variant has its verdicts and its costs."""
    variants = [
        {**report_body(report), "costs": _costs(costs)}
        for report, costs in zip(found.reports, found.costs, strict=True)
    ]
    return {**document_head(), "variants": variants, "exit": found.exit_code}


def _costs(costs: Costs) -> Tree:
    return {
        "scope": scope_tree(costs.scope),
        "assumptions": list(costs.assumptions),
        "seconds": round(costs.seconds, 3),
        "cells": [_cell(c) for c in costs.cells],
    }


def _cell(cost: Cost) -> Tree:
    return {
        "vcpus": cost.vcpus,
        "roots": cost.roots,
        "most": cost.most,
        "least": cost.least,
        "reason": cost.reason or None,
        "trace": None if cost.trace is None else trace_tree(cost.trace),
    }
