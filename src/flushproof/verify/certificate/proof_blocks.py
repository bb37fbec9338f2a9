"""The proofs in the body of a certificate: of the code proper, then of claims about it.

In: the lines of a certificate. Out: for each claim its proof and that of the code, as data.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import ClassVar

from flushproof.ir.invariant import ClaimedProof
from flushproof.ir.invariant_text import NotAFact
from flushproof.support.diagnostics import EXIT_INPUT, Diagnostic, InputError
from flushproof.support.record import Record
from flushproof.support.source import Source, Span
from flushproof.verify.certificate.proof_text import text_to_proof

CODE = "; the code itself"
"""What begins the proof that the code proper does nothing undefined."""

CLAIM = "; claim: "
"""What begins the proof of a claim; its name follows."""

END = "; end of the certificate"


class NotAProof(Diagnostic, frozen=True, kw_only=True):
    """A part of a certificate that is no claimed proof."""

    CODE: ClassVar[str] = "FP0907"
    TITLE: ClassVar[str] = "this is no proof: {why}"
    HELP: ClassVar[str] = "`flushproof prove FILE --certificate OUT` writes one"
    EXIT: ClassVar[int] = EXIT_INPUT

    why: str


class NothingClaimed(Diagnostic, frozen=True, kw_only=True):
    """A certificate without a claim."""

    CODE: ClassVar[str] = "FP0908"
    TITLE: ClassVar[str] = "`{path}` claims nothing: it has no proof of a claim"
    HELP: ClassVar[str] = "`flushproof prove FILE --certificate OUT` writes what it proves"
    EXIT: ClassVar[int] = EXIT_INPUT

    path: str


class ClaimedBlock(Record, frozen=True):
    """The proof of a claim and that of the code it is about; `line` is where it begins."""

    claim: str
    line: int
    code_proof: ClaimedProof
    claim_proof: ClaimedProof
    facts: int


def claim_title(claim: str) -> str:
    """Return the line that begins the proof of a claim."""
    return f"{CLAIM}{json.dumps(claim)}"


def count_facts(text: str) -> int:
    """Return how many facts the text of a proof claims at locations."""
    return _count(text_to_proof(text))


def _count(proof: ClaimedProof) -> int:
    return sum(len(facts) for case in proof.cases for _, facts in case.facts)


def read_blocks(source: Source, start: int) -> tuple[ClaimedBlock, ...]:
    """Return the proofs from line `start` on.

    Raises:
        InputError: something is no proof, or there is none.
    """
    found: list[ClaimedBlock] = []
    code: ClaimedProof | None = None
    for title, line, text in _split(source, start):
        proof = _read(source, line, text)
        if title == CODE:
            code = proof
        elif code is None:
            raise _refused(source, line, "the code itself comes first")
        else:
            name = _claim_name(source, line, title)
            found.append(ClaimedBlock(name, line, code, proof, _count(proof)))
    if not found:
        raise InputError(NothingClaimed(span=None, path=source.name))
    return tuple(found)


def _split(source: Source, start: int) -> Iterator[tuple[str, int, str]]:
    """Yield each title, its line, and what follows it."""
    title, begins = "", start
    text: list[str] = []
    for number, line in enumerate(source.lines[start - 1 :], start):
        if not line.startswith(";"):
            text.append(line)
            continue
        if title:
            yield title, begins, "\n".join(text)
        elif any(x.strip() for x in text):
            raise _refused(source, start, "it belongs to no claim")
        title, begins, text = line, number, []
        if line == END:
            return
    raise _refused(source, max(1, len(source.lines)), f"`{END}` is expected at the end")


def _read(source: Source, line: int, text: str) -> ClaimedProof:
    try:
        return text_to_proof(text)
    except NotAFact as error:
        raise _refused(source, line, str(error)) from None


def _claim_name(source: Source, line: int, title: str) -> str:
    try:
        name = json.loads(title.removeprefix(CLAIM)) if title.startswith(CLAIM) else None
    except ValueError:
        name = None
    if not isinstance(name, str):
        raise _refused(source, line, "a claim is named before its proof")
    return name


def _refused(source: Source, line: int, why: str) -> InputError:
    length = min(len(source.line(line)), 40)
    return InputError(NotAProof(span=Span(source.name, line, 1, line, length + 1), why=why))
