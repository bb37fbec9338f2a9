"""A complete recipe for one execution: who steps when, with which values."""

from __future__ import annotations

from collections.abc import Mapping

from flushproof.support.record import Record


class Call(Record, frozen=True):
    """One call of an operation: its arguments by local name, and the values of its free choices.

    `choices` are consumed in the order of execution by `Havoc` and `Hypercall` instructions.
    """

    operation: str
    arguments: Mapping[str, int]
    choices: tuple[int, ...]


class ThreadPlan(Record, frozen=True):
    """The calls of one thread; `number` is the thread's number, `name` "vcpu1" or "flusher0"."""

    number: int
    name: str
    calls: tuple[Call, ...]


class Schedule(Record, frozen=True):
    """An execution: `order` holds the position in `plans` of the thread that makes each step.

    Threads are numbered: first those of the vCPUs, whose loads they run, then flushers.
    """

    vcpus: int
    witnesses: Mapping[str, int]
    plans: tuple[ThreadPlan, ...]
    order: tuple[int, ...]

    def loads(self, plan: ThreadPlan) -> bool:
        """Tell whether a thread is that of a vCPU."""
        return plan.number < self.vcpus
