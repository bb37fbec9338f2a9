"""`recheck`: the questions of a certificate, put to z3 anew and to another solver."""

from __future__ import annotations

import argparse
import json
from importlib.util import find_spec

from flushproof.errors import InternalError
from flushproof.plural import count
from flushproof.record import Record
from flushproof.subcommands.base import Command
from flushproof.terminal import Terminal
from flushproof.verdict import EXIT_OK, EXIT_OTHERWISE, EXIT_UNDECIDED

SOLVERS = ("z3", "cvc5")


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
    parser.add_argument("--format", choices=("text", "json"), default="text")


def _run(arguments: argparse.Namespace, terminal: Terminal) -> int:
    from flushproof.certificates import questions
    from flushproof.frontend.load import load

    source = load(arguments.file)
    asked = questions(source)
    chosen = tuple(dict.fromkeys(arguments.solver or _present()))
    said = tuple(_ask(solver, source.text, asked, source.name) for solver in chosen)
    code = _code(said)
    if arguments.format == "json":
        terminal.raw(json.dumps(_document(source.name, said, code), indent=2) + "\n")
    else:
        terminal.raw("".join(f"{line}\n" for x in said for line in _lines(x)))
    _agree(said)
    return code


def _present() -> tuple[str, ...]:
    return tuple(x for x in SOLVERS if x == "z3" or find_spec(x) is not None)


def _ask(solver: str, script: str, asked: int, name: str) -> Said:
    from flushproof.engines.second import ask
    from flushproof.engines.unbounded import again

    version = again.version() if solver == "z3" else ask.version()
    try:
        if solver == "z3":
            return Said(version, asked, again.answers(script))
        reply = ask.ask(script)
    except ask.NotAccepted as error:
        return Said(version, asked, (), f"it does not accept {name}: {error}")
    return Said(version, asked, tuple(map(str, reply.answers)), reply.reason)


def _lines(said: Said) -> list[str]:
    lines = [f"{said.solver}: {said.proved} of {count(said.asked, 'question')} answered `unsat`"]
    if said.refuted:
        numbers = ", ".join(map(str, said.refuted[:10]))
        lines.append(f"  `sat`, so that the proof has a gap: question {numbers}")
    if said.proved + len(said.refuted) < said.asked:
        open_ = said.asked - said.proved - len(said.refuted)
        why = f": {said.reason}" if said.reason else ""
        lines.append(f"  {count(open_, 'question')} without an answer{why}")
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


def _document(path: str, said: tuple[Said, ...], code: int) -> dict[str, object]:
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
    return {"schema_version": 1, "certificate": path, "solvers": solvers, "exit": code}


COMMAND = Command("recheck", "ask the questions of a certificate again", _add, _run)
