"""Processes beside this one: how they start, cheaply, and that they end with who started them."""

from __future__ import annotations

import multiprocessing
import os
import signal
import threading
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from multiprocessing import forkserver
from multiprocessing.context import BaseContext
from typing import TypeVar

from coopt.core.errors import RunError
from coopt.core.quiet import quiet_libraries

T = TypeVar("T")
_PRELOADED = [
    "peft",
    "torch.distributed.checkpoint",
    "torch.distributed.fsdp",
    "transformers.models.auto.modeling_auto",
]
"""Libraries only: the server has not the caller's sys.path, and must not find another coopt."""


def process_context() -> BaseContext:
    """How processes start. On CPUs they are forked from a server that has imported torch and transformers once; where
    CUDA is, they start afresh, because it does not survive a fork."""
    import torch

    if torch.cuda.is_available():
        return multiprocessing.get_context("spawn")
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(_PRELOADED)
    return context


def warm_up() -> None:
    """Have the server of forked processes import its libraries while this process does something else."""

    def start() -> None:
        if process_context().get_start_method() == "forkserver":
            forkserver.ensure_running()

    threading.Thread(target=start, daemon=True).start()


def new_pool(workers: int, threads: int) -> ProcessPoolExecutor:
    """A pool of processes that perform tasks, each with so many torch threads."""
    # A waiting OpenMP thread must not spin: two workers share two cores.
    os.environ.setdefault("OMP_WAIT_POLICY", "passive")
    return ProcessPoolExecutor(workers, process_context(), initializer=start_worker, initargs=(threads,))


def apart(threads: int, function: Callable[..., T], *arguments: object) -> T:
    """What a function returns or raises in a process of its own."""
    pool = new_pool(1, threads)
    try:
        return pool.submit(function, *arguments).result()
    except BrokenProcessPool:
        raise RunError("a process that measures was killed (out of memory?). Make room, then run it again.") from None
    finally:
        end_pool(pool, now=True)


def end_pool(pool: ProcessPoolExecutor, *, now: bool) -> None:
    """End a pool; now: with whatever it is doing."""
    if now:
        for process in list((pool._processes or {}).values()):
            process.terminate()
    pool.shutdown(wait=True, cancel_futures=True)


def start_worker(threads: int) -> None:
    """Set a fresh process up: its threads, quiet libraries, and an end with the one that asked for it."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the driver decides what Ctrl-C means
    threading.Thread(target=_end_with_parent, daemon=True).start()
    set_up_torch(threads)


def set_up_torch(threads: int) -> None:
    """What a process that performs tasks begins with."""
    import torch

    torch.set_num_threads(threads)
    quiet_libraries()


def _end_with_parent() -> None:
    """A worker whose driver was killed must not train on in secret."""
    parent = multiprocessing.parent_process()  # who asked for this process, not the server that forked it
    if parent is not None:
        parent.join()
        os._exit(1)
