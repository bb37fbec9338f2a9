"""The memory models."""

from __future__ import annotations

from enum import StrEnum


class MemoryModel(StrEnum):
    """When threads see each other's stores: at once, or by way of x86's store buffers.

    Each allows for all that those before it allow for.
    """

    SC = "sc"
    TSO = "tso"


def weaker_model(*models: MemoryModel) -> MemoryModel:
    """Return that of some memory models which allows for more."""
    return max(models, key=list(MemoryModel).index)
