"""Certificates as a whole: a head, the claimed proofs, and a digest of each.

In: a report with proofs, and what was looked at for it. Out: one text. And back: bytes, refused
unless they are the ones that were written. Digests show damage; they do not show who wrote a file.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from itertools import zip_longest
from pathlib import PurePath
from typing import ClassVar

from flushproof import __version__
from flushproof.frontend.c.load import load_text
from flushproof.report.scope import scope_phrase
from flushproof.results.verdict import ClaimResult, Report, WrittenProof
from flushproof.support.atomic_write import CannotWrite
from flushproof.support.diagnostics import Diagnostic, InputError
from flushproof.support.files import FileLook, digest_bytes
from flushproof.support.record import Record
from flushproof.support.source import Source
from flushproof.support.wording import count_noun
from flushproof.verify.certificate.files_read import ReadWith, files_seen
from flushproof.verify.certificate.head import (
    BEGINS,
    SEAL,
    DamagedHead,
    Head,
    Headless,
    ProvedClaim,
    digest_line,
    head_lines,
    line_span,
    read_head,
)
from flushproof.verify.certificate.proof_blocks import (
    CLAIM,
    CODE,
    END,
    ClaimedBlock,
    claim_title,
    count_facts,
    read_blocks,
)

LIMIT = 64 * 1024 * 1024
"""How many bytes a certificate may have; seven million are those of all claims of one file."""

_SEAL = re.compile(rf"^{SEAL}\"([0-9a-f]{{64}})\"$", re.MULTILINE)


class Altered(Diagnostic, frozen=True, kw_only=True):
    """A part of a certificate that is not what was written."""

    CODE: ClassVar[str] = "FP0913"
    TITLE: ClassVar[str] = "the {part} of the certificate was altered"
    LABEL: ClassVar[str] = "it has another sha256 than this"
    HELP: ClassVar[str] = "`flushproof prove FILE --certificate OUT` writes it anew"

    part: str


class CutCertificate(Diagnostic, frozen=True, kw_only=True):
    """A certificate that ends too early."""

    CODE: ClassVar[str] = "FP0914"
    TITLE: ClassVar[str] = "the certificate is cut: {found} of {asked} claims are here"
    LABEL: ClassVar[str] = f"`{END}` is expected after this"
    HELP: ClassVar[str] = "`flushproof prove FILE --certificate OUT` writes it anew"

    found: int
    asked: int


class Miscounted(Diagnostic, frozen=True, kw_only=True):
    """A head that speaks of other proofs than those that follow."""

    CODE: ClassVar[str] = "FP0915"
    TITLE: ClassVar[str] = "the head speaks of {said}, and there are {found}"

    said: str
    found: str


class Certificate(Record, frozen=True):
    """A certificate that is as it was written, and the proofs in it."""

    head: Head
    source: Source
    proofs: tuple[ClaimedBlock, ...]


def write_certificate(
    report: Report, read_with: ReadWith, looks: Iterable[FileLook], path: str
) -> str:
    """Return the certificate of those claims that are proved for every number of vCPUs.

    Raises:
        InputError: it would be too large to be read back under the name `path`.
    """
    proved = [(r, r.proof) for r in report.results if r.proof is not None]
    body: list[str] = []
    code = ""
    for result, proof in proved:
        if proof.code != code:
            body += [CODE, proof.code]
            code = proof.code
        body += [claim_title(result.claim), proof.claim]
    head = Head(
        __version__,
        PurePath(report.path).name,
        report.read_as,
        read_with,
        tuple(_claimed(r, p) for r, p in proved),
        files_seen(looks, report.path),
    )
    text = seal_certificate(head, "\n".join([*body, END, ""]))
    if len(text.encode()) > LIMIT:
        reason = f"it has more than {LIMIT} bytes: choose fewer claims"
        raise InputError(CannotWrite(span=None, path=path, reason=reason))
    return text


def _claimed(result: ClaimResult, proof: WrittenProof) -> ProvedClaim:
    facts = count_facts(proof.claim)
    return ProvedClaim(result.claim, scope_phrase(result.scope), result.assumptions, facts)


def seal_certificate(head: Head, body: str) -> str:
    """Return a head and a body as one text, with their digests."""
    lines = [*head_lines(head), digest_line("body", _digest(body))]
    above = "".join(f"{line}\n" for line in lines)
    return f"{above}{digest_line('head', _digest(above))}\n{body}"


def read_certificate(path: str) -> Certificate:
    """Return the certificate in a file.

    Raises:
        InputError: there is none, or not the one that was written.
    """
    source = Source(path, load_text(path, LIMIT))
    if source.line(1) != BEGINS:
        raise InputError(Headless(span=line_span(source, 1), path=path))
    found = _SEAL.search(source.text)
    if found is None:
        raise _unsealed(source)
    above, number = source.text[: found.start()], source.place(found.start())[0]
    head, body = read_head(Source(path, above.removesuffix("\n")), __version__)
    if _digest(above) != found[1]:
        raise InputError(Altered(span=line_span(source, number), part="head"))
    _check_body(source, source.text[found.end() + 1 :], head, body, number - 1)
    proofs = read_blocks(source, number + 1)
    _check_counts(source, head, proofs)
    return Certificate(head, source, proofs)


def _unsealed(source: Source) -> InputError:
    """Return what is wrong with a head that has not its last line."""
    number = next((k for k, x in enumerate(source.lines) if not x.startswith("; ")), None)
    lines = source.lines if number is None else source.lines[: number + 1]
    try:
        read_head(Source(source.name, "\n".join(lines)), __version__)
    except InputError as error:
        return error
    return InputError(DamagedHead(span=line_span(source, len(lines)), expected=SEAL.strip()))


def _check_body(source: Source, body: str, head: Head, digest: str, number: int) -> None:
    """Raise `InputError` unless the body is the one that line `number` has the digest of."""
    if _digest(body) == digest:
        return
    found = sum(line.startswith(CLAIM) for line in body.split("\n"))
    if not body.endswith(f"\n{END}\n") and found <= len(head.claims):
        last = max(k for k, x in enumerate(source.lines, 1) if x)
        span = line_span(source, last)
        raise InputError(CutCertificate(span=span, found=found, asked=len(head.claims)))
    raise InputError(Altered(span=line_span(source, number), part="body"))


def _check_counts(source: Source, head: Head, proofs: tuple[ClaimedBlock, ...]) -> None:
    """Raise `InputError` unless the proofs are those that the head speaks of."""
    said = tuple((c.name, c.facts) for c in head.claims)
    found = tuple((b.claim, b.facts) for b in proofs)
    for k, (known, there) in enumerate(zip_longest(said, found, fillvalue=("", 0))):
        if known != there:
            line = proofs[k].line if k < len(proofs) else len(source.lines)
            words = (_words(*known), _words(*there))
            span = line_span(source, line)
            raise InputError(Miscounted(span=span, said=words[0], found=words[1]))


def _words(name: str, facts: int) -> str:
    """Return a claim and its number of facts in words."""
    return f"{count_noun(facts, 'fact')} about {name or 'no claim'}"


def _digest(text: str) -> str:
    return digest_bytes(text.encode())
