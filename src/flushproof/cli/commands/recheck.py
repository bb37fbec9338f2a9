"""`recheck`: the proofs of a certificate, decided anew by z3 and another solver.

Before any solver is asked the certificate and the sources must be as they were. The program is then
made from the sources, and nothing but the invariants is taken from the certificate.
"""

from __future__ import annotations

import argparse
import json
from importlib.util import find_spec
from typing import TYPE_CHECKING, assert_never

from flushproof.cli.command import Command
from flushproof.cli.progress_line import start_progress
from flushproof.cli.terminal import Terminal
from flushproof.report.plain import hang_text
from flushproof.results.recheck import ClaimConfirmed, ClaimUnconfirmed, Recheck
from flushproof.results.verdict import EXIT_OK, EXIT_OTHERWISE, EXIT_UNDECIDED
from flushproof.support.wording import count_noun
from flushproof.verify.progress import Board

if TYPE_CHECKING:
    from flushproof.verify.certificate.head import Head

SOLVERS = ("z3", "cvc5")


def _add(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("file", metavar="FILE", help="what `prove --certificate FILE` wrote")
    parser.add_argument(
        "--solver",
        action="append",
        choices=SOLVERS,
        help="who is asked (may be repeated; default: z3, and cvc5 where it is installed)",
    )
    parser.add_argument(
        "--against",
        metavar="FILE",
        required=True,
        help="what was proved; the program is made anew from it and from what else the proof read, "
        "which is looked for from its folder",
    )
    parser.add_argument("--format", choices=("text", "json"), default="text")


def _run(arguments: argparse.Namespace, terminal: Terminal) -> int:
    from flushproof import pipeline
    from flushproof.verify.certificate.certificate_file import read_certificate

    found = read_certificate(arguments.file)
    chosen = tuple(dict.fromkeys(arguments.solver or _present()))
    progress = start_progress(terminal, "proofs", len(chosen) * len(found.proofs), Board())
    try:
        said = pipeline.recheck(found, arguments.against, chosen, progress.advance)
    finally:
        progress.clear()
    code = _code(said)
    if arguments.format == "json":
        document = _document(found.source.name, found.head, arguments.against, said, code)
        terminal.raw(json.dumps(document, indent=2) + "\n")
    else:
        lines = (*_about(found.head), *(line for x in said for line in _lines(x)))
        lines = (*lines, _compared(found.head, arguments.against))
        wrapped = (
            x for line in lines for x in hang_text(*_indented(line), terminal.width, indent=4)
        )
        terminal.raw("".join(f"{x}\n" for x in wrapped))
    return code


def _about(head: Head) -> list[str]:
    """Return what the head says that was proved."""
    lines = [f"{head.subject}, read as {head.read_as}, by flushproof {head.version}"]
    for claim in head.claims:
        lines.append(f"  {claim.name} ({count_noun(claim.facts, 'fact')}): {claim.scope}")
        if claim.assumptions:
            lines.append(f"    assuming {', '.join(claim.assumptions)}")
    return lines


def _compared(head: Head, path: str) -> str:
    """Return what is known of the sources."""
    number = count_noun(sum(x.kind in ("text", "shipped") for x in head.seen), "file")
    return (
        f"against {path}: {number} read for the proof, each with the sha256 that the head says; "
        "the program was made anew from them"
    )


def _indented(line: str) -> tuple[str, str]:
    """Return the blanks that a line begins with, and the rest."""
    text = line.lstrip(" ")
    return line[: len(line) - len(text)], text


def _present() -> tuple[str, ...]:
    return tuple(x for x in SOLVERS if x == "z3" or find_spec(x) is not None)


def _lines(said: Recheck) -> list[str]:
    confirmed = [c for c in said.claims if isinstance(c, ClaimConfirmed)]
    asked = count_noun(sum(c.questions for c in confirmed), "question")
    proofs = f"{len(confirmed)} of {count_noun(len(said.claims), 'proof')}"
    lines = [f"{said.solver}: {proofs} confirmed, {asked}"]
    for c in said.claims:
        if isinstance(c, ClaimUnconfirmed):
            what = "left open" if c.open else "no proof"
            lines.append(f"  {c.claim}: {what}: {c.reason}")
    return lines


def _code(said: tuple[Recheck, ...]) -> int:
    if all(x.confirmed for x in said):
        return EXIT_OK
    return EXIT_UNDECIDED if all(x.open for x in said) else EXIT_OTHERWISE


def _document(
    path: str, head: Head, against: str, said: tuple[Recheck, ...], code: int
) -> dict[str, object]:
    claims = [
        {
            "claim": c.name,
            "scope": c.scope,
            "assumptions": list(c.assumptions),
            "facts": c.facts,
        }
        for c in head.claims
    ]
    solvers = [{"solver": x.solver, "claims": [_claim(c) for c in x.claims]} for x in said]
    return {
        "schema_version": 2,
        "certificate": path,
        "flushproof": head.version,
        "about": head.subject,
        "claims": claims,
        "sources": "as they were",
        "against": against,
        "solvers": solvers,
        "exit": code,
    }


def _claim(c: ClaimConfirmed | ClaimUnconfirmed) -> dict[str, object]:
    match c:
        case ClaimConfirmed(name, questions):
            return {"claim": name, "confirmed": True, "questions": questions}
        case ClaimUnconfirmed(name, reason, open_):
            return {"claim": name, "confirmed": False, "open": open_, "reason": reason}
        case _:
            assert_never(c)


COMMAND = Command(
    "recheck", "check again, from the sources, the proofs in a certificate", _add, _run
)
