"""The process in which cvc5 runs: steps and megabytes are its arguments, a script its input.

Out: a line for each `check-sat`, `sat`, `unsat` or `unknown` and why. It ends with 4 where the
script is not accepted, with what is wrong on stderr.
"""

from __future__ import annotations

import re
import resource
import sys
from collections.abc import Sequence
from typing import Any

import cvc5

from flushproof.engines.second.cvc5_query import ASKED, EXIT_REFUSED

_LEVELS = re.compile(r"\(\s*(push|pop|check-sat-assuming)\b")
ACCEPTED = (
    "set-logic",
    "set-info",
    "declare-sort",
    "define-sort",
    "declare-fun",
    "declare-const",
    "define-fun",
    "define-const",
    "declare-datatype",
    "declare-datatypes",
    "assert",
    "push",
    "pop",
    "check-sat",
    "exit",
)
"""Others print answers of their own or write files."""


def main(arguments: Sequence[str]) -> int:
    """Answer a script and return the exit code."""
    steps, megabytes = map(int, arguments)
    script = sys.stdin.buffer.read().decode(errors="replace")
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    resource.setrlimit(resource.RLIMIT_AS, (megabytes << 20, megabytes << 20))
    try:
        _answer(script, steps)
    except RuntimeError as error:  # whatever cvc5 finds wrong
        sys.stderr.write(" ".join(str(error).split()))
        return EXIT_REFUSED
    return 0


def _answer(script: str, steps: int) -> None:
    terms = cvc5.TermManager()
    solver = cvc5.Solver(terms)
    solver.setOption("incremental", "true" if _several(script) else "false")
    solver.setOption("rlimit-per", str(steps))
    solver.setOption("produce-models", "false")
    reader = cvc5.InputParser(solver)
    reader.setStringInput(cvc5.InputLanguage.SMT_LIB_2_6, script, "script")
    known = reader.getSymbolManager()
    while not (command := reader.nextCommand()).isNull():
        _run(command, solver, known)


def _several(script: str) -> bool:
    """Tell whether more than one question may be asked."""
    return bool(_LEVELS.search(script)) or script.count(f"({ASKED}") > 1


def _run(command: Any, solver: Any, known: Any) -> None:  # noqa: ANN401 - cvc5 ships no types
    name = str(command.getCommandName())
    if name not in ACCEPTED:
        raise RuntimeError(f"`{name}` is not answered here")
    said = str(command.invoke(solver, known)).strip()
    if name == ASKED:
        sys.stdout.write(f"{_answered(said)}\n")
        sys.stdout.flush()
    elif said and said != "success":
        raise RuntimeError(said)


def _answered(said: str) -> str:
    """Return what was said on one line; whatever is no answer is a reason for having none."""
    words = " ".join(said.split())
    return words if words.startswith(("sat", "unsat", "unknown")) else f"unknown {words}"


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
