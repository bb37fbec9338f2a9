"""What a command expects of the claims that it decides."""

from __future__ import annotations

from flushproof.results.verdict import ClaimResult, Expected, Verdict
from flushproof.support.record import replace
from flushproof.verify.options import Options


def expected_by(command: str, options: Options) -> Expected:
    """Return what `refute` or `prove` expects of a claim: without bounds a proof for all vCPUs."""
    if command == "refute":
        return Expected(Verdict.REFUTED)
    return Expected(Verdict.PROVED, every_number=options.wants_every)


def with_expected(result: ClaimResult, command: str, options: Options) -> ClaimResult:
    """Return a result with what the command expects of it.

    Of a claim that could not be asked nothing is expected, unless the user named it.
    """
    if result.verdict is Verdict.NOT_ASKED and result.claim not in options.claims:
        return replace(result, expected=None)
    return replace(result, expected=expected_by(command, options))
