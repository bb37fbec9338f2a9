"""A review as one JSON document; its shape is in `schema.json` beside this module."""

from __future__ import annotations

from flushproof.cli.commands.nfc import json as compare_json
from flushproof.report.json_report import Tree, document_head, report_body, span_tree
from flushproof.results.review import ChangeReview, ClaimRow, PatchLine, Review, Statement


def review_document(review: Review) -> Tree:
    """Return the document about one review."""
    changes = [_change(c) for c in review.changes]
    return {
        **document_head(),
        "review": {"patch": review.patch, "changes": changes},
        "exit": review.exit_code,
    }


def _change(review: ChangeReview) -> Tree:
    change = review.change
    later = review.later
    return {
        "subject": change.subject,
        "before": {**report_body(review.before), "exit": 0},
        "after": {**report_body(review.after), "exit": 0},
        "others": list(change.others),
        "notes": list(change.notes),
        "claims": [_row(r, review) for r in review.rows],
        "comparison": compare_json.comparison_tree(review.comparison),
        "after_load": None if later is None else compare_json.comparison_tree(later),
        "statement": None if change.statement is None else _statement(change.statement, review),
        "exit": review.exit_code,
    }


def _row(row: ClaimRow, review: ChangeReview) -> Tree:
    trace = row.after.trace
    line = None if trace is None else review.change.place(trace)
    return {
        "claim": row.before.claim,
        "before": str(row.before.verdict),
        "after": str(row.after.verdict),
        "effect": str(row.effect),
        "span": None if row.blame is None else span_tree(row.blame),
        "patch": None if line is None else _line(line),
    }


def _statement(statement: Statement, review: ChangeReview) -> Tree:
    line = None if statement.line is None else _line(statement.line)
    return {"text": statement.text, "line": line, "truth": str(review.truth)}


def _line(line: PatchLine) -> Tree:
    return {"file": line.file, "line": line.number, "decoded": line.decoded, "added": line.added}
