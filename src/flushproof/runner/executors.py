"""Where jobs run, behind the interface of `concurrent.futures`.

In: a name, `local` or `dask://HOST:PORT`, and a number of processes. Out: an `Executor`, shut down
in the end, at once where something stops the run. A job that a Dask worker was at when it died is
given to another one by the scheduler.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from concurrent.futures import CancelledError, Executor, Future, ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from contextlib import contextmanager
from importlib.util import find_spec
from typing import Any, ClassVar, ParamSpec, TypeVar

from flushproof.support.diagnostics import EXIT_USAGE, Diagnostic, InputError
from flushproof.support.errors import InternalError
from flushproof.verify.options import LOCAL

PATIENCE = "10s"
GONE = "a process that decided claims is gone"

P = ParamSpec("P")
T = TypeVar("T")


class NoDask(Diagnostic, frozen=True, kw_only=True):
    """Dask is asked for and not installed."""

    CODE: ClassVar[str] = "FP0119"
    TITLE: ClassVar[str] = "`{name}` needs the Python package `distributed`"
    HELP: ClassVar[str] = "install it by `pip install 'flushproof[dask]'`"
    EXIT: ClassVar[int] = EXIT_USAGE
    name: str


class NoScheduler(Diagnostic, frozen=True, kw_only=True):
    """Nobody answers at the address."""

    CODE: ClassVar[str] = "FP0120"
    TITLE: ClassVar[str] = "no Dask scheduler answers at `{name}`"
    HELP: ClassVar[str] = "start one by `dask scheduler`, and workers by `dask worker`"
    EXIT: ClassVar[int] = EXIT_USAGE
    name: str


class LostJob(Diagnostic, frozen=True, kw_only=True):
    """A cluster that did not bring a job to its end."""

    CODE: ClassVar[str] = "FP0121"
    TITLE: ClassVar[str] = "the cluster lost a job: {reason}"
    HELP: ClassVar[str] = "see the logs of its workers; what was finished is kept"
    EXIT: ClassVar[int] = EXIT_USAGE
    reason: str


class Inline(Executor):
    """Runs each job at once, in this process; what a job raises, `submit` raises."""

    def submit(self, fn: Callable[P, T], /, *args: P.args, **kwargs: P.kwargs) -> Future[T]:
        """Run a job and return its result as a future."""
        future: Future[T] = Future()
        future.set_result(fn(*args, **kwargs))
        return future


@contextmanager
def open_executor(name: str, workers: int) -> Iterator[Executor]:
    """Return the executor of that name.

    Raises:
        InputError: it cannot be reached, or its library is not there.
    """
    if name != LOCAL:
        with _dask(name) as pool:
            yield pool
        return
    pool = ProcessPoolExecutor(workers) if workers > 1 else Inline()
    try:
        yield pool
    except BaseException:
        pool.shutdown(wait=False, cancel_futures=True)
        raise
    pool.shutdown()


def submit_job(
    pool: Executor, fn: Callable[P, T], /, *args: P.args, **kwargs: P.kwargs
) -> Future[T]:
    """Hand out a job; raise `InternalError` where the processes are gone."""
    try:
        return pool.submit(fn, *args, **kwargs)
    except BrokenProcessPool as error:
        raise InternalError(GONE) from error


def job_result(future: Future[T]) -> T:
    """Return what a job returned, or raise what it raised.

    Raises:
        InputError: the cluster gave it up.
        InternalError: the process that ran it is gone.
    """
    try:
        return future.result()
    except BrokenProcessPool as error:
        raise InternalError(GONE) from error
    except CancelledError as error:
        raise InputError(LostJob(span=None, reason="its scheduler is gone")) from error
    except Exception as error:
        if type(error).__module__.partition(".")[0] == "distributed":
            raise InputError(LostJob(span=None, reason=str(error))) from error
        raise


@contextmanager
def _dask(name: str) -> Iterator[Executor]:
    if find_spec("distributed") is None:
        raise InputError(NoDask(span=None, name=name))
    from distributed import Client

    address = name.replace("dask://", "tcp://")
    client = _connected(Client, name, address)
    pool: Executor = client.get_executor(pure=False)
    try:
        yield pool
    except BaseException:
        pool.shutdown(wait=False)
        raise
    finally:
        client.close()


def _connected(client: Callable[..., Any], name: str, address: str) -> Any:  # noqa: ANN401 - untyped
    try:
        return client(address, timeout=PATIENCE, set_as_default=False)
    except (OSError, TimeoutError, ValueError) as error:
        raise InputError(NoScheduler(span=None, name=name)) from error
