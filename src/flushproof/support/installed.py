"""Which version of a package is installed, told without loading it."""

from __future__ import annotations


def installed_version(name: str) -> str | None:
    """Return the version of a package, None where it is not installed."""
    from importlib import metadata

    try:
        return metadata.version(name)
    except metadata.PackageNotFoundError:
        return None
