"""The memory models."""

from __future__ import annotations

from enum import StrEnum


class Memory(StrEnum):
    """When threads see each other's stores: at once, or by way of x86's store buffers."""

    SC = "sc"
    TSO = "tso"
