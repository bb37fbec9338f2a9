"""The sources of a certificate: where they are now, and that they are as they were.

In: the head of a certificate, and the file that was proved. Out: how to read it again.
"""

from __future__ import annotations

from typing import ClassVar

from flushproof.frontend.kernel.choices import Choices
from flushproof.support.diagnostics import Diagnostic, InputError
from flushproof.support.record import Record
from flushproof.verify.certificate.files_read import file_differences, place_of
from flushproof.verify.certificate.head import Head


class OtherSource(Diagnostic, frozen=True, kw_only=True):
    """A file that is not the one that a proof read."""

    CODE: ClassVar[str] = "FP0916"
    TITLE: ClassVar[str] = "`{path}`: {how}"
    HELP: ClassVar[str] = "`flushproof prove FILE --certificate OUT` proves it as it is now"

    path: str
    how: str


class FoundSources(Record, frozen=True):
    """The file proved, its spec if it was read with one, and what was said of a kernel file."""

    path: str
    spec: str | None
    choices: Choices


def find_sources(head: Head, path: str) -> FoundSources:
    """Return what to read for a certificate, where `path` is what was proved.

    Raises:
        InputError: something that the proof read is otherwise now.
    """
    found = tuple(file_differences(head.seen, head.subject, path))
    if found:
        raise InputError(*(OtherSource(span=None, path=x.path, how=x.how) for x in found))
    said = head.read_with
    spec = None if said.spec is None else place_of(head.seen, head.subject, path, said.spec)
    folders = tuple(place_of(head.seen, head.subject, path, f) for f in said.folders)
    choices = Choices(said.flush, said.load, said.cache, folders, said.kernel)
    return FoundSources(place_of(head.seen, head.subject, path, head.subject), spec, choices)
