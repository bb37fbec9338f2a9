"""The files that come with the program: grammars, the prelude, the claims, the default spec."""

from __future__ import annotations

from pathlib import Path

HERE = Path(__file__).parents[1]
SPECS = HERE / "specs"
PRELUDE = SPECS / "prelude.h"
CLAIMS = SPECS / "claims.claims"
DEFAULTS = SPECS / "kernel.defaults"
KERNEL = SPECS / "kernel.h"
PROFILES = SPECS / "kernel.profiles"
HARMLESS = SPECS / "kernel.harmless"
