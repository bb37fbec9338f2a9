"""What was recognised in a file, as frozen data: functions, fields, locks, profile, assumptions."""

from __future__ import annotations

from flushproof.support.record import Record
from flushproof.support.source import Span


class FunctionPart(Record, frozen=True):
    """A function that is part of the model; `role` is flush, load, cpu, thread or helper."""

    name: str
    role: str
    span: Span


class SharedField(Record, frozen=True):
    """A field of the VM or of each vCPU (`scope`); `boot` is its value before anything runs."""

    name: str
    scope: str
    lock: bool
    boot: str


class Recognition(Record, frozen=True):
    """One file as it was understood.

    `profile` is the generation it was taken for, "" where a spec said what is what; `cache` is the
    condition under which a root is cached and the root, "" where no cache is known; `assumptions`
    is what is taken for granted; `missing` are included files that were not found.
    """

    path: str
    sha256: str
    profile: str
    functions: tuple[FunctionPart, ...]
    fields: tuple[SharedField, ...]
    cache: tuple[str, str] | None
    assumptions: tuple[str, ...]
    missing: tuple[str, ...]
