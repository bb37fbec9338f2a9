"""The same question for many cases, spread over the processors.

Workers are forked, so they find everything that was built before as it is; what comes back is plain
data. Where processes cannot be forked the cases are taken one after the other.
"""

from __future__ import annotations

import sys
import threading
from collections.abc import Callable, Generator, Sequence
from itertools import pairwise
from os import cpu_count
from typing import TYPE_CHECKING, Any, TypeVar

if TYPE_CHECKING:
    from concurrent.futures import ProcessPoolExecutor

_work: list[Callable[[Any], Any]] = []


Case = TypeVar("Case")
Answer = TypeVar("Answer")


def shared(count: int) -> list[range]:
    """Return 0..count in as many parts as there are processors, all about as long."""
    parts = min(cpu_count() or 1, count)
    cuts = [count * part // parts for part in range(parts + 1)]
    return [range(a, b) for a, b in pairwise(cuts)]


def each(work: Callable[[Case], Answer], cases: Sequence[Case]) -> list[Answer]:
    """Return `work(case)` for every case, in their order; answers must be picklable."""
    jobs = min(cpu_count() or 1, len(cases))
    if jobs < 2 or not _may_fork():
        return [work(case) for case in cases]
    _work.append(work)
    try:
        with _pool(jobs) as pool:
            return list(pool.map(_run, cases))
    finally:
        _work.pop()


def stream(
    work: Callable[[Case], Answer], cases: Sequence[Case], jobs: int
) -> Generator[Answer, None, None]:
    """Yield `work(case)` for every case, in their order, as soon as it is there."""
    if min(jobs, len(cases)) < 2 or not _may_fork():
        yield from map(work, cases)
        return
    _work.append(work)
    pool = _pool(min(jobs, len(cases)))
    try:
        yield from pool.map(_run, cases)
    finally:
        pool.shutdown(wait=False, cancel_futures=True)
        _work.pop()


def _pool(jobs: int) -> ProcessPoolExecutor:
    """Return workers that are forked; one question alone does not wait for these modules."""
    import multiprocessing
    from concurrent.futures import ProcessPoolExecutor

    return ProcessPoolExecutor(jobs, multiprocessing.get_context("fork"))


def _may_fork() -> bool:
    """Tell whether this process may have children that go on from here.

    One of several threads may not: others may hold locks that nobody in the child gives back. Nor
    may a process that somebody else looks after, such as a worker of a cluster.
    """
    import multiprocessing

    alone = threading.current_thread() is threading.main_thread()
    looked_after = multiprocessing.current_process().daemon
    return sys.platform.startswith("linux") and alone and not looked_after


def _run(case: Any) -> Any:  # noqa: ANN401 - whatever the caller's function takes and returns
    return _work[-1](case)
