"""Tests neither use nor leave verdicts in the user's cache, nor do processes that they start."""

from __future__ import annotations

import os

os.environ["FLUSHPROOF_CACHE"] = "off"
