"""Which stretches of code are atomic steps and why, as frozen data in the reader's words."""

from __future__ import annotations

from typing import Literal

from flushproof.support.record import Record
from flushproof.support.source import Span

Moving = Literal["both", "right", "left", "neither"]
"""Past what other threads do: put off (right), made earlier (left), both or neither."""


class AccessNote(Record, frozen=True):
    """One place where an operation touches what others touch; `does` is such as "takes `lock`".

    `steps` are the numbers of the steps that may come here, from 1.
    """

    span: Span
    does: str
    moves: Moving
    steps: tuple[int, ...]


class OperationSteps(Record, frozen=True):
    """How one operation is cut; `name` is its C function, accesses are in the order of its code.

    `begins` says for each step why it is no part of the one before, a sentence for each kind of
    obstacle; there are none for the first step.
    """

    name: str
    role: str
    span: Span
    accesses: tuple[AccessNote, ...]
    begins: tuple[tuple[str, ...], ...]


class FieldLocks(Record, frozen=True):
    """The locks that are held at every access to a field; `bare` are accesses without any lock."""

    label: str
    locks: tuple[str, ...]
    bare: tuple[str, ...]


class AtomicSteps(Record, frozen=True):
    """All operations of one variant, as `claim` sees them ("" without any claim)."""

    claim: str
    vcpus: int
    flushers: int
    operations: tuple[OperationSteps, ...]
    fields: tuple[FieldLocks, ...]
