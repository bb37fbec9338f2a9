"""What holds for all tests: no verdicts from the user's cache, and two tiers.

Neither tests nor processes that they start use verdicts that are kept, or leave some.
"""

from __future__ import annotations

import os

import pytest

from support.tiers import FAST, TIERS, Tiers, mark_slow

os.environ["FLUSHPROOF_CACHE"] = "off"


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Mark what is slow, before pytest deselects it."""
    mark_slow(items)
    config.stash[TIERS] = Tiers(items)


def pytest_report_header(config: pytest.Config) -> str | None:
    """Say that this is a sample, and how to have all."""
    return "a sample of the tests: -m '' runs all" if config.option.markexpr == FAST else None
