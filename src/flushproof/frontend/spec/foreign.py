"""Files that end in `.spec` and are of other programs: packages of RPM, builds of PyInstaller.

What is not surely such a file is ours, so that a spec with a mistake in it is never passed over.
"""

from __future__ import annotations

import re
from pathlib import Path

_OURS = re.compile(r"\b(spec|claim)\s+\w+[^{}]*\{|\boperations\s*\{|\bvariant\s*\"")
_THEIRS = re.compile(
    r"^(Name|Version|Summary|License|BuildRequires)\s*:|^%(define|global|prep|build|install|files)\b"
    r"|^\s*\w+\s*=\s*(Analysis|PYZ|EXE|COLLECT|BUNDLE)\(",
    re.MULTILINE,
)


def is_foreign(path: Path) -> bool:
    """Tell whether a file is one of RPM or of PyInstaller, going by what it holds."""
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError):
        return False
    return _THEIRS.search(text) is not None and _OURS.search(text) is None
