"""Counterexamples as the solver has them, for tests that ask with how many vCPUs there is one."""

from __future__ import annotations

import pytest

from flushproof.engines.bounded.minimise import Minimiser


def keep_first(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let the bounded engine make no counterexample small: with racy code that takes minutes.

    The number of vCPUs is the smallest in any case, and each counterexample is replayed.
    """
    monkeypatch.setattr(Minimiser, "run", lambda self, **_: len(list(self.p.calls())))
