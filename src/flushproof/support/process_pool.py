"""The same question for many cases, spread over the processors.

Workers are forked, so they find everything that was built before as it is; what comes back is plain
data. Where processes cannot be forked the cases are taken one after the other.
"""

from __future__ import annotations

import os
import signal
import sys
import threading
from collections.abc import Callable, Generator, Iterator, Sequence
from contextlib import contextmanager
from itertools import pairwise
from typing import TYPE_CHECKING, Any, TypeVar

if TYPE_CHECKING:
    from concurrent.futures import ProcessPoolExecutor

GONE = "a process is gone, as happens to those that take too much memory"
PR_SET_PDEATHSIG = 1
_work: list[Callable[[Any], Any]] = []


Case = TypeVar("Case")
Answer = TypeVar("Answer")


def share_range(count: int) -> list[range]:
    """Return 0..count in as many parts as there are processors, all about as long."""
    parts = min(os.cpu_count() or 1, count)
    cuts = [count * part // parts for part in range(parts + 1)]
    return [range(a, b) for a, b in pairwise(cuts)]


def map_cases(work: Callable[[Case], Answer], cases: Sequence[Case]) -> list[Answer]:
    """Return `work(case)` for every case, in their order; answers must be picklable.

    Raises:
        MemoryError: a process is gone, which happens to those that take too much.
    """
    jobs = min(os.cpu_count() or 1, len(cases))
    if jobs < 2 or not _may_fork():
        return [work(case) for case in cases]
    from concurrent.futures import BrokenExecutor

    _work.append(work)
    try:
        with _pool(jobs) as pool:
            return list(pool.map(_run, cases))
    except BrokenExecutor as error:
        raise MemoryError(GONE) from error
    finally:
        _work.pop()


def stream_answers(
    work: Callable[[Case], Answer],
    cases: Sequence[Case],
    jobs: int,
    lost: Callable[[Case], Answer] | None = None,
    *,
    apart: bool = False,
    weight: Callable[[Case], int] | None = None,
) -> Generator[Answer, None, None]:
    """Yield `work(case)` for every case, in their order, as soon as it is there.

    Where the process of a case dies, `lost(case)` takes the place of its answer; `apart` has even
    a single one in a process of its own. By `weight` the heaviest are begun first, so that no
    processor waits for the last (LPT: Graham, SIAM J. Appl. Math. 1969).

    Raises:
        MemoryError: a process died, and `lost` is None.
    """
    few = not apart and min(jobs, len(cases)) < 2
    if few or not _may_fork():
        yield from map(work, cases)
        return
    _work.append(work)
    try:
        order = sorted(range(len(cases)), key=lambda k: 0 if weight is None else -weight(cases[k]))
        yield from _answers(cases, order, max(1, min(jobs, len(cases))), lost)
    finally:
        _work.pop()


def _answers(
    cases: Sequence[Case], order: list[int], jobs: int, lost: Callable[[Case], Answer] | None
) -> Iterator[Answer]:
    """Yield each answer; when a process dies, all that is open is asked again one by one."""
    from concurrent.futures import BrokenExecutor

    done = 0
    with _pool(jobs) as pool:
        try:
            begun = {k: pool.submit(_run, cases[k]) for k in order}
            for k in range(len(cases)):
                yield begun[k].result()
                done += 1
        except BrokenExecutor:
            pass
    for case in cases[done:]:
        with _pool(1) as pool:
            try:
                answer = pool.submit(_run, case).result()
            except BrokenExecutor as error:
                if lost is None:
                    raise MemoryError(GONE) from error
                answer = lost(case)
        yield answer


@contextmanager
def _pool(jobs: int) -> Iterator[ProcessPoolExecutor]:
    """Have workers that are forked; one question alone does not wait for these modules.

    Whoever gives up early does not wait for what is still being worked on. Else the pool is gone
    before the interpreter ends, which could wake it up while it goes.
    """
    import multiprocessing
    from concurrent.futures import ProcessPoolExecutor

    context = multiprocessing.get_context("fork")
    pool = ProcessPoolExecutor(jobs, context, _end_with, (os.getpid(),))
    done = False
    try:
        yield pool
        done = True
    finally:
        pool.shutdown(wait=done, cancel_futures=True)


def _end_with(parent: int) -> None:
    """Have this process end when its parent does, however that ends."""
    import ctypes

    ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
    if os.getppid() != parent:
        os._exit(1)


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
