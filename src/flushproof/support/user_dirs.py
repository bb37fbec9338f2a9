"""Where the program may keep files of its own: the user's cache directory.

`FLUSHPROOF_CACHE` names another place for verdicts, or with `off` none.
"""

from __future__ import annotations

import os
from pathlib import Path


def cache_folder() -> Path | None:
    """Return the program's cache directory, None for a user without a home."""
    given = Path(os.environ.get("XDG_CACHE_HOME", ""))
    if given.is_absolute():
        return given / "flushproof"
    try:
        return Path.home() / ".cache" / "flushproof"
    except RuntimeError:
        return None


def verdict_folder() -> str | None:
    """Return where verdicts are kept, None for nowhere."""
    given = os.environ.get("FLUSHPROOF_CACHE")
    if given is not None:
        return None if given in {"", "off"} else given
    place = cache_folder()
    return None if place is None else str(place)
