"""The memory models."""

from __future__ import annotations

from enum import StrEnum


class MemoryModel(StrEnum):
    """When threads see each other's stores: at once, or by way of store buffers.

    Stores leave those of TSO, which x86 has, in the order of the code. They leave those of PSO in
    any order that barriers allow; stores to one location keep theirs. Each model allows for all
    that those before it allow for.
    """

    SC = "sc"
    TSO = "tso"
    PSO = "pso"

    @property
    def unordered(self) -> bool:
        """Tell whether stores to different locations may be seen in another order than made."""
        return self is MemoryModel.PSO


def weaker_model(*models: MemoryModel) -> MemoryModel:
    """Return that of some memory models which allows for more."""
    return max(models, key=list(MemoryModel).index)
