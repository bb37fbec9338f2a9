"""`flushproof explain`: what a claim or a diagnostic means, offline."""

from __future__ import annotations

import argparse

from flushproof.cli.command import Command
from flushproof.cli.terminal import Terminal, load_sources
from flushproof.report.explanations import ClaimExplained, known_explanations
from flushproof.results.verdict import EXIT_OK


def _add(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "what", nargs="?", metavar="CLAIM|CODE", help="default: list all claims and codes"
    )
    parser.add_argument("--spec", metavar="FILE", help="explain the claims of this spec file too")
    parser.add_argument(
        "--no-example", action="store_true", help="do not look for a counterexample to the claim"
    )


def _run(arguments: argparse.Namespace, terminal: Terminal) -> int:
    from flushproof.report import explanation

    everything = known_explanations(arguments.spec)
    if arguments.what is None:
        terminal.report(explanation.render_listing(everything, terminal.width))
        return EXIT_OK
    found = everything.find(arguments.what)
    if isinstance(found, ClaimExplained):
        path = "" if arguments.no_example else _example(found, arguments.spec)
        example = _decided(path, found.name, terminal.width) if path else ""
        terminal.report(explanation.render_claim(found, example, terminal.width))
    else:
        terminal.report(explanation.render_code(found, terminal.width))
    return EXIT_OK


def _example(claim: ClaimExplained, spec: str | None) -> str:
    """Return what may break a claim: of a claim of the user's own, the spec that states it."""
    return claim.example or spec or ""


def _decided(path: str, claim: str, width: int) -> str:
    """Return the smallest counterexample to a claim as text, "" where there is none."""
    from flushproof.pipeline import refute
    from flushproof.report import text
    from flushproof.results.verdict import Verdict
    from flushproof.verify.options import Options

    report = refute(path, None, Options(claims=(claim,)), lambda _: None)
    if any(r.verdict is not Verdict.REFUTED for r in report.results):
        return ""
    return text.render(report, load_sources(text.list_excerpt_files((report,))), width)


COMMAND = Command("explain", "say what a claim or a diagnostic means", _add, _run)
