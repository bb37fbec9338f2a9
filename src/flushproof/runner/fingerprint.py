"""Which program decides: a digest of its own text, its data, and the versions of its libraries."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from functools import cache
from pathlib import Path

from flushproof.support.installed import installed_version
from flushproof.support.resources import HERE, SPECS

LIBRARIES = ("z3-solver", "python-sat", "lark", "unidiff", "cvc5")
_CORPUS = (".c", ".spec")


@cache
def program_fingerprint() -> str:
    """Return the digest; the interpreter's version is no part of it."""
    total = hashlib.sha256()
    for name in LIBRARIES:
        total.update(f"{name} {installed_version(name) or 'absent'}\n".encode())
    for path in sorted(_parts()):
        data = path.read_bytes()
        total.update(f"{path.relative_to(HERE).as_posix()} {len(data)}\n".encode())
        total.update(data)
    return total.hexdigest()


def _parts() -> Iterator[Path]:
    yield from HERE.rglob("*.py")
    yield from (HERE / "grammars").glob("*.lark")
    yield from (p for p in SPECS.iterdir() if p.is_file() and p.suffix not in _CORPUS)
