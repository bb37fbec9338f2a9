"""The memory models."""

from __future__ import annotations

from enum import StrEnum


class MemoryModel(StrEnum):
    """When threads see each other's stores: at once, or by way of x86's store buffers."""

    SC = "sc"
    TSO = "tso"


def weaker_model(*models: MemoryModel) -> MemoryModel:
    """Return that of some memory models which allows for more."""
    return MemoryModel.TSO if MemoryModel.TSO in models else MemoryModel.SC
