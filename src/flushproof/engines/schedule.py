"""A complete recipe for one execution: who steps when, with which values."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Call:
    """One call of an operation: its arguments by local name, and the values of its free choices.

    `choices` are consumed in the order of execution by `Havoc` and `Hypercall` instructions.
    """

    operation: str
    arguments: Mapping[str, int]
    choices: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class Plan:
    """The calls of one thread; `number` is the thread's number, `name` "vcpu1" or "flusher0"."""

    number: int
    name: str
    calls: tuple[Call, ...]


@dataclass(frozen=True, slots=True)
class Schedule:
    """An execution: `order` holds the position in `plans` of the thread that makes each step."""

    vcpus: int
    witnesses: Mapping[str, int]
    plans: tuple[Plan, ...]
    order: tuple[int, ...]
