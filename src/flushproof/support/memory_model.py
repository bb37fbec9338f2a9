"""The memory models."""

from __future__ import annotations

from enum import StrEnum


class Memory(StrEnum):
    """When threads see each other's stores: at once, or by way of x86's store buffers."""

    SC = "sc"
    TSO = "tso"


def weaker(*models: Memory) -> Memory:
    """Return that of some memory models which allows for more."""
    return Memory.TSO if Memory.TSO in models else Memory.SC
