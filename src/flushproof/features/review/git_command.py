"""Git asked for what its objects hold, with nothing that a repository's settings could start."""

from __future__ import annotations

import os
import subprocess
from typing import ClassVar

from flushproof.support.diagnostics import EXIT_USAGE, Diagnostic, InputError

SECONDS = 60
_QUIET = (
    "--no-pager",
    "--literal-pathspecs",
    *("-c", "core.fsmonitor=false"),
    *("-c", "log.showSignature=false"),
)
"""Settings of a repository name programs; these would be run by what is asked here."""
_ENVIRONMENT = {
    "GIT_ALLOW_PROTOCOL": "none",
    "GIT_NO_LAZY_FETCH": "1",
    "GIT_OPTIONAL_LOCKS": "0",
    "GIT_TERMINAL_PROMPT": "0",
}
"""Nothing is fetched, which a setting could turn into a program, and no index is written."""


class GitFails(Diagnostic, frozen=True, kw_only=True):
    """Git does not find what it is asked for."""

    CODE: ClassVar[str] = "FP0809"
    TITLE: ClassVar[str] = "git: {reason}"
    EXIT: ClassVar[int] = EXIT_USAGE
    reason: str


def ask_git(folder: str, *arguments: str) -> str:
    """Return what git prints in a folder.

    Raises:
        InputError: it fails.
    """
    return run_git(folder, arguments).decode("utf-8", "replace")


def run_git(folder: str, arguments: tuple[str, ...], given: bytes = b"") -> bytes:
    """Return the bytes that git prints in a folder when it is given some.

    Raises:
        InputError: it fails.
    """
    command = ["git", *_QUIET, "-C", folder or ".", *arguments]
    try:
        done = subprocess.run(  # noqa: S603 - fixed words, and a revision that cannot be an option
            command,
            capture_output=True,
            check=True,
            timeout=SECONDS,
            input=given,
            env={**os.environ, **_ENVIRONMENT},
        )
    except subprocess.CalledProcessError as error:
        lines = error.stderr.decode("utf-8", "replace").splitlines()
        reason = next((x.removeprefix("fatal: ") for x in lines if x.strip()), "it failed")
        raise InputError(GitFails(span=None, reason=reason)) from error
    except (OSError, ValueError, subprocess.TimeoutExpired) as error:
        raise InputError(GitFails(span=None, reason=str(error))) from error
    return done.stdout
