"""Processes beside this one: how they start, cheaply, and that they end with who started them."""

from __future__ import annotations

import os
import signal
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from contextlib import contextmanager, suppress
from multiprocessing import context, forkserver, parent_process
from typing import Any, TypeVar

import psutil

from coopt.core.errors import KilledError
from coopt.core.gpus import may_have_gpu
from coopt.core.kernel import OutOfMemory
from coopt.core.quiet import quiet_libraries
from coopt.core.temporary import as_helpers, end_helpers, settle

T = TypeVar("T")
_PRELOADED = ["transformers.models.auto.modeling_auto", "transformers.models.qwen3.modeling_qwen3"]
"""Libraries only: the server has not the caller's sys.path, and must not find another coopt."""
_NOWHERE: Mapping[str, Sequence[str]] = {}


def preload(*libraries: str) -> None:
    """Have the server of forked processes, which is not started yet, import these too: what every worker of a run is
    going to need is then imported once."""
    _PRELOADED.extend(name for name in libraries if name not in _PRELOADED)


class _Forked(context.ForkServerProcess):
    def start(self) -> None:
        with as_helpers():
            forkserver.ensure_running()
        try:
            super().start()  # may wait long for a server that is importing
        except (EOFError, ConnectionError):  # which typer takes for Ctrl-C
            raise KilledError(
                "the process that starts workers was killed. Nothing finished is lost: run the same command again to"
                " resume."
            ) from None


class _Spawned(context.SpawnProcess):
    def start(self) -> None:
        with as_helpers():
            super().start()


class _Forking(context.ForkServerContext):
    Process = _Forked


class _Spawning(context.SpawnContext):
    Process = _Spawned


def process_context() -> context.BaseContext:
    """How processes start. On CPUs they are forked from a server that has imported torch and transformers once; where
    CUDA is, they start afresh, because it does not survive a fork."""
    if may_have_gpu():
        import torch

        if torch.cuda.is_available():
            return _Spawning()
    forking = _Forking()
    forking.set_forkserver_preload(_PRELOADED)
    return forking


def warm_up() -> None:
    """Have the server of forked processes import its libraries while this process does something else."""

    def start() -> None:
        if process_context().get_start_method() == "forkserver":
            with as_helpers():
                forkserver.ensure_running()

    threading.Thread(target=start, daemon=True).start()


def new_pool(workers: int, threads: int, places: Mapping[str, Sequence[str]] = _NOWHERE) -> ProcessPoolExecutor:
    """A pool of processes that perform tasks, each with so many torch threads. ``places``: environment variables, of
    which each process gets a value of its own."""
    # A waiting OpenMP thread must not spin: two workers share two cores.
    os.environ.setdefault("OMP_WAIT_POLICY", "passive")
    how = process_context()
    with as_helpers():  # its semaphores may be the first, and start Python's tracker of them
        given = {name: how.SimpleQueue() for name in places}
        for name, values in places.items():
            for value in values:
                given[name].put(value)
        return ProcessPoolExecutor(workers, how, initializer=_start_in_place, initargs=(threads, given))


def _start_in_place(threads: int, places: Mapping[str, Any]) -> None:
    os.environ.update({name: values.get() for name, values in places.items()})  # before a library reads them
    start_worker(threads)


def apart(threads: int, function: Callable[..., T], *arguments: object) -> T:
    """What a function returns or raises in a process of its own."""
    pool, memory = new_pool(1, threads), OutOfMemory()
    with ending(pool):
        try:
            return pool.submit(function, *arguments).result()
        except BrokenProcessPool:
            raise KilledError(
                f"a process that measures was killed{memory.why()}. Nothing is lost: run the same command again."
            ) from None
        finally:
            _end_workers(pool)  # it has said what it had to say


@contextmanager
def ending(pool: ProcessPoolExecutor) -> Iterator[None]:
    """End a pool after a block: when it has done what it was given, or, after an error, at once."""
    try:
        yield
    except BaseException as error:
        if not isinstance(error, Exception):  # an interrupt, perhaps of a start
            _end_server()
        _end_workers(pool)
        raise
    finally:
        pool.shutdown(wait=True, cancel_futures=True)


def _end_workers(pool: ProcessPoolExecutor) -> None:
    for process in list((pool._processes or {}).values()):
        process.kill()


def _end_server() -> None:
    """The server of forked processes, and then everything that it has forked. A worker that is just being made would
    miss the semaphores of its pool, and say so at length. The next process that is wanted starts another server."""
    server = getattr(forkserver._forkserver, "_forkserver_pid", None)
    if server is not None:
        with suppress(ProcessLookupError, ChildProcessError):  # no child of this process: the number is another's
            os.waitid(os.P_PID, server, os.WEXITED | os.WNOWAIT | os.WNOHANG)
            os.kill(server, signal.SIGKILL)
            os.waitid(os.P_PID, server, os.WEXITED | os.WNOWAIT)
    end_helpers()


def start_worker(threads: int) -> None:
    """Set a fresh process up: its threads, quiet libraries, and an end with the one that asked for it."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the driver decides what Ctrl-C means
    settle()
    threading.Thread(target=_end_with_parent, daemon=True).start()
    set_up_torch(threads)


def set_up_torch(threads: int) -> None:
    """What a process that performs tasks begins with."""
    import torch

    torch.set_num_threads(threads)
    quiet_libraries()


def _end_with_parent() -> None:
    """A worker whose driver was killed must not train on in secret."""
    parent = parent_process()  # who asked for this process, not the server that forked it
    if parent is not None:
        parent.join()
        os._exit(1)


def born() -> float:
    """When this process began; seconds since the epoch."""
    return psutil.Process().create_time()


END_WITH = "COOPT_END_WITH"
"""Environment variable of a bench that a sweep started: the sweep's process, with which it ends."""


def end_with_sweep() -> None:
    """A bench that a sweep started ends with it, as workers end with their bench."""
    if END_WITH in os.environ:
        threading.Thread(target=_end_with, args=(int(os.environ[END_WITH]),), daemon=True).start()


def _end_with(parent: int) -> None:
    while os.getppid() == parent:
        time.sleep(1.0)
    os._exit(1)
