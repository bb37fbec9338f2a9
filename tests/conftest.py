"""What holds for all tests: no verdicts from the user's cache, two tiers, little collecting.

Neither tests nor processes that they start use verdicts that are kept, or leave some.
"""

from __future__ import annotations

import gc
import os

import pytest
from _pytest.assertion.rewrite import AssertionRewritingHook

from support.tiers import FAST, TIERS, Tiers, mark_slow

os.environ["FLUSHPROOF_CACHE"] = "off"


def pytest_configure(config: pytest.Config) -> None:
    """Import the package as its users do: pytest rewrites the asserts of plugins, to explain them.

    Nobody reads that of the package, whose asserts are many and in its inner loops.
    """
    hook = config.pluginmanager.rewrite_hook
    if isinstance(hook, AssertionRewritingHook):
        hook._must_rewrite.discard("flushproof")


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Mark what is slow, before pytest deselects it."""
    mark_slow(items)
    config.stash[TIERS] = Tiers(items)


def pytest_collection_finish(session: pytest.Session) -> None:
    """Let the garbage collector pass over the tests, which stay, and run as rarely as in use."""
    from flushproof.cli.main import YOUNG

    gc.collect()
    gc.freeze()
    gc.set_threshold(YOUNG)


def pytest_report_header(config: pytest.Config) -> str | None:
    """Say that this is a sample, and how to have all."""
    return "a sample of the tests: -m '' runs all" if config.option.markexpr == FAST else None
