"""Mutants as one JSON document; its shape is in `schema.json` beside this module."""

from __future__ import annotations

from flushproof.report.json_report import Tree, document_head
from flushproof.results.mutation import Baseline, Fate, Kill, KillCount, MutantResult, Mutation


def mutation_document(found: Mutation) -> Tree:
    """Return the document about the mutants of one variant."""
    about = {"path": found.path, "sha256": found.sha256, "function": found.function}
    return {
        **document_head(),
        "mutation": {
            "source": about,
            "vcpus": list(found.vcpus),
            "loads": found.loads,
            "flushes": found.flushes,
            "all_claims": found.every,
            "original": [_baseline(b) for b in found.baseline],
            "mutants": [_mutant(r) for r in found.results],
            "claims": [_effect(e) for e in found.effects],
            "counts": {str(f): found.count(f) for f in Fate},
        },
        "exit": found.exit_code,
    }


def _baseline(b: Baseline) -> Tree:
    return {
        "claim": b.claim,
        "verdict": str(b.verdict),
        "vcpus": b.vcpus,
        "operations": b.calls,
        "reason": b.reason or None,
    }


def _mutant(r: MutantResult) -> Tree:
    return {
        "number": r.number,
        "operator": r.operator,
        "function": r.function,
        "span": {"file": r.file, "line": r.line},
        "words": r.words,
        "before": list(r.before),
        "after": list(r.after),
        "fate": str(r.fate),
        "kills": [_kill(k) for k in r.kills],
        "reason": r.reason or None,
        "mends": list(r.mends),
    }


def _kill(k: Kill) -> Tree:
    return {"claim": k.claim, "vcpus": k.vcpus, "operations": k.calls, "how": str(k.how)}


def _effect(e: KillCount) -> Tree:
    return {"claim": e.claim, "kills": e.kills, "idle": e.idle}
