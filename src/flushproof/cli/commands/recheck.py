"""`recheck`: the questions of a certificate, put to z3 anew and to another solver.

Before any solver is asked the certificate must be as it was written, and with `--against` the
sources too.
"""

from __future__ import annotations

import argparse
import json
from importlib.util import find_spec
from typing import TYPE_CHECKING, ClassVar

from flushproof.cli.command import Command
from flushproof.cli.terminal import Terminal
from flushproof.report.plain import hang_text
from flushproof.results.verdict import EXIT_OK, EXIT_OTHERWISE, EXIT_UNDECIDED
from flushproof.support.diagnostics import Diagnostic, InputError
from flushproof.support.errors import InternalError
from flushproof.support.record import Record
from flushproof.support.wording import count_noun

if TYPE_CHECKING:
    from flushproof.verify.certificate.head import Head

SOLVERS = ("z3", "cvc5")


class OtherSource(Diagnostic, frozen=True, kw_only=True):
    """A file that is not the one that a proof read."""

    CODE: ClassVar[str] = "FP0916"
    TITLE: ClassVar[str] = "`{path}`: {how}"
    HELP: ClassVar[str] = "`flushproof prove FILE --certificate OUT` proves it as it is now"

    path: str
    how: str


class Said(Record, frozen=True):
    """What one solver says to the questions, in order; fewer answers where it was stopped."""

    solver: str
    asked: int
    answers: tuple[str, ...]
    reason: str = ""

    @property
    def proved(self) -> int:
        """How many answers are as they should be."""
        return self.answers.count("unsat")

    @property
    def refuted(self) -> tuple[int, ...]:
        """The questions, counted from 1, that show a gap in the proof."""
        return tuple(k for k, answer in enumerate(self.answers, 1) if answer == "sat")


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
        help="compare the sources of the proof as well: FILE is what was proved, the others are "
        "looked for from its folder",
    )
    parser.add_argument("--format", choices=("text", "json"), default="text")


def _run(arguments: argparse.Namespace, terminal: Terminal) -> int:
    from flushproof.verify.certificate.certificate_file import read_certificate

    found = read_certificate(arguments.file)
    head, source = found.head, found.source
    if arguments.against is not None:
        _compare(head, arguments.against)
    chosen = tuple(dict.fromkeys(arguments.solver or _present()))
    said = tuple(_ask(solver, source.text, head.questions, source.name) for solver in chosen)
    code = _code(said)
    if arguments.format == "json":
        document = _document(source.name, head, arguments.against, said, code)
        terminal.raw(json.dumps(document, indent=2) + "\n")
    else:
        lines = (*_about(head), *(line for x in said for line in _lines(x)))
        lines = (*lines, _compared(head, arguments.against))
        wrapped = (
            x for line in lines for x in hang_text(*_indented(line), terminal.width, indent=4)
        )
        terminal.raw("".join(f"{x}\n" for x in wrapped))
    _agree(said)
    return code


def _compare(head: Head, path: str) -> None:
    """Raise `InputError` where what was read for the proof is not what is there now."""
    from flushproof.verify.certificate.files_read import file_differences

    found = tuple(file_differences(head.seen, head.subject, path))
    if found:
        raise InputError(*(OtherSource(span=None, path=x.path, how=x.how) for x in found))


def _about(head: Head) -> list[str]:
    """Return what the head says that was proved."""
    lines = [f"{head.subject}, read as {head.read_as}, by flushproof {head.version}"]
    for claim in head.claims:
        lines.append(f"  {claim.name} ({count_noun(claim.questions, 'question')}): {claim.scope}")
        if claim.assumptions:
            lines.append(f"    assuming {', '.join(claim.assumptions)}")
    return lines


def _compared(head: Head, path: str | None) -> str:
    """Return what is known of the sources."""
    if path is None:
        return (
            "only the questions written in the file were asked, not whether they belong to the "
            "sources: --against FILE compares those with what the head says"
        )
    number = count_noun(sum(x.kind in ("text", "shipped") for x in head.seen), "file")
    return (
        f"against {path}: {number} read for the proof, each with the sha256 that the head says; "
        "that the questions follow from them only `prove` can tell"
    )


def _indented(line: str) -> tuple[str, str]:
    """Return the blanks that a line begins with, and the rest."""
    text = line.lstrip(" ")
    return line[: len(line) - len(text)], text


def _present() -> tuple[str, ...]:
    return tuple(x for x in SOLVERS if x == "z3" or find_spec(x) is not None)


def _ask(solver: str, script: str, asked: int, name: str) -> Said:
    from flushproof.engines.second import cvc5_query as ask
    from flushproof.engines.unbounded import recheck_script as again

    version = again.recheck_solver_version() if solver == "z3" else ask.cvc5_version()
    try:
        if solver == "z3":
            return Said(version, asked, again.recheck_answers(script))
        reply = ask.ask_cvc5(script)
    except ask.NotAccepted as error:
        return Said(version, asked, (), f"it does not accept {name}: {error}")
    return Said(version, asked, tuple(map(str, reply.answers)), reply.reason)


def _lines(said: Said) -> list[str]:
    lines = [
        f"{said.solver}: {said.proved} of {count_noun(said.asked, 'question')} answered `unsat`"
    ]
    if said.refuted:
        numbers = ", ".join(map(str, said.refuted[:10]))
        lines.append(f"  `sat`, so that the proof has a gap: question {numbers}")
    if said.proved + len(said.refuted) < said.asked:
        open_ = said.asked - said.proved - len(said.refuted)
        why = f": {said.reason}" if said.reason else ""
        lines.append(f"  {count_noun(open_, 'question')} without an answer{why}")
    return lines


def _code(said: tuple[Said, ...]) -> int:
    if any(x.refuted for x in said):
        return EXIT_OTHERWISE
    return EXIT_OK if all(x.proved == x.asked for x in said) else EXIT_UNDECIDED


def _agree(said: tuple[Said, ...]) -> None:
    """Raise `InternalError` where two solvers contradict each other."""
    for number, answers in enumerate(zip(*(x.answers for x in said), strict=False), 1):
        if {"sat", "unsat"} <= set(answers):
            names = " and ".join(x.solver for x in said)
            raise InternalError(f"{names} disagree about question {number}")


def _document(
    path: str, head: Head, against: str | None, said: tuple[Said, ...], code: int
) -> dict[str, object]:
    claims = [
        {
            "claim": c.name,
            "scope": c.scope,
            "assumptions": list(c.assumptions),
            "questions": c.questions,
        }
        for c in head.claims
    ]
    solvers = [
        {
            "solver": x.solver,
            "questions": x.asked,
            "unsat": x.proved,
            "sat": list(x.refuted),
            "reason": x.reason or None,
        }
        for x in said
    ]
    return {
        "schema_version": 1,
        "certificate": path,
        "flushproof": head.version,
        "about": head.subject,
        "claims": claims,
        "sources": "not compared" if against is None else "as they were",
        "against": against,
        "solvers": solvers,
        "exit": code,
    }


COMMAND = Command("recheck", "ask the questions of a certificate again", _add, _run)
