"""Ranks: the processes that train one tutee together, and what they tell one another.

A process that has joined no others is rank 0 of 1, and every function here then does nothing that costs anything.
Objects cross between ranks of one task only, which are processes of one program: they are trusted.
"""

from __future__ import annotations

import os
import re
import signal
import traceback
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path
from typing import Any, Literal, NamedTuple, TypeVar

import torch
import torch.distributed as dist
from torch.multiprocessing.spawn import ProcessExitedException, ProcessRaisedException, start_processes

from coopt.core import store
from coopt.core.errors import CooptError, KilledError, RunError
from coopt.core.kernel import OutOfMemory
from coopt.core.processes import process_context, start_worker

T = TypeVar("T")
Backend = Literal["auto", "gloo", "nccl"]
TIMEOUT = timedelta(minutes=30)
"""A rank that waits longer than this for another gives up. It must outlast a slow endpoint's answers to one step."""
_GRACE = 5.0  # seconds in which the other ranks of a dead one may say what they saw before they are ended


def rank() -> int:
    return dist.get_rank() if dist.is_initialized() else 0


def world() -> int:
    return dist.get_world_size() if dist.is_initialized() else 1


def leads() -> bool:
    """Whether this is the rank that writes files."""
    return rank() == 0


def gather(value: T) -> list[T]:
    """What every rank holds, in the order of ranks. All ranks must call it."""
    if world() == 1:
        return [value]
    values: list[Any] = [None] * world()
    dist.all_gather_object(values, value)
    return values


def from_first(make: Callable[[], T]) -> T:
    """What rank 0 makes, on every rank; a ``CooptError`` of rank 0 is raised on every rank."""
    if world() == 1:
        return make()
    told: list[Any] = [None]
    if leads():
        told = [caught(make)]
    dist.broadcast_object_list(told)
    found: T = result(told[0])
    return found


def caught(make: Callable[[], T]) -> T | CooptError:
    """The value, or the error that the user can mend."""
    try:
        return make()
    except CooptError as error:
        return error


def result(value: T | CooptError) -> T:
    if isinstance(value, CooptError):
        raise value
    return value


def wait_for_all() -> None:
    if world() > 1:
        gather(None)


@contextmanager
def new_directory(
    path: Path, made_from: Mapping[str, str] | None = None, beside: Iterable[Path] = ()
) -> Iterator[Path]:
    """``store.new_directory`` that all ranks fill together: begun and sealed by rank 0."""
    if not leads():
        wait_for_all()
        yield store.temporary_of(path)
        wait_for_all()
        return
    with store.new_directory(path, made_from or {}, beside) as temporary:
        wait_for_all()
        yield temporary
        wait_for_all()


def join_ranks(backend: Backend = "auto") -> None:
    """Join the other ranks if the environment names any: WORLD_SIZE > 1, with RANK, LOCAL_RANK, MASTER_ADDR and
    MASTER_PORT (as torchrun, srun with an export, or ``launch_ranks`` set them)."""
    if int(os.environ.get("WORLD_SIZE", "1")) > 1:
        _join(backend, TIMEOUT)


def _join(backend: Backend, timeout: timedelta) -> None:
    if _uses_gpus(backend):
        # A cluster may show every rank one GPU, its own.
        torch.cuda.set_device(int(os.environ["LOCAL_RANK"]) % torch.cuda.device_count())
    # Objects and asynchronous checkpoints go over the CPU, so a GPU's ranks have gloo beside nccl.
    dist.init_process_group("cpu:gloo,cuda:nccl" if _uses_gpus(backend) else "gloo", timeout=timeout)


def _uses_gpus(backend: Backend) -> bool:
    return torch.cuda.is_available() if backend == "auto" else backend == "nccl"


def launch_ranks(
    ranks: int,
    work: Callable[..., None],
    arguments: Sequence[object] = (),
    *,
    backend: Backend = "auto",
    timeout: timedelta = TIMEOUT,
) -> None:
    """Call ``work(*arguments)`` in ``ranks`` joined processes on this machine and return when all are done.

    ``work`` and ``arguments`` are picklable. The first rank that dies ends all: an error that it raised is raised here
    (a ``CooptError`` before others), a rank that was killed or that waited for longer than ``timeout`` is a
    ``RunError``.
    """
    if _uses_gpus(backend) and ranks > torch.cuda.device_count():
        raise RunError(
            f"parallel.ranks = {ranks} needs as many GPUs, and this machine has {torch.cuda.device_count()}. Lower it,"
            " or train on the CPU: --set run.device=cpu --set parallel.backend=gloo."
        )
    # This process keeps the store at which the ranks meet, so no port is lost between choosing and using it.
    meeting = dist.TCPStore("127.0.0.1", 0, is_master=True, wait_for_workers=False)  # type: ignore[attr-defined]
    place = Rendezvous(ranks, meeting.port, max(1, torch.get_num_threads() // ranks), backend, timeout)
    processes = process_context()
    errors = processes.SimpleQueue()
    started, memory = (place, errors, work, tuple(arguments)), OutOfMemory()
    context = start_processes(_enter, started, nprocs=ranks, join=False, start_method=processes.get_start_method())
    try:
        while not context.join(grace_period=_GRACE):
            pass
    except (ProcessExitedException, ProcessRaisedException) as died:
        told = []
        while not errors.empty():
            told.append(errors.get())
        waited = timeout if _uses_gpus(backend) else None
        raise _cause([p.exitcode or 0 for p in context.processes], told, died, memory, waited) from None


class Rendezvous(NamedTuple):
    """What a started rank is told of where it is."""

    ranks: int
    port: int
    threads: int
    backend: Backend
    timeout: timedelta


def _enter(own: int, place: Rendezvous, errors: Any, work: Callable[..., None], arguments: tuple[object, ...]) -> None:
    start_worker(place.threads)
    os.environ |= {
        "RANK": str(own),
        "LOCAL_RANK": str(own),
        "WORLD_SIZE": str(place.ranks),
        "MASTER_ADDR": "127.0.0.1",
        "MASTER_PORT": str(place.port),
        "TORCHELASTIC_USE_AGENT_STORE": "True",  # the store is the parent's
    }
    try:
        _join(place.backend, place.timeout)
        work(*arguments)
    except Exception as error:
        if not isinstance(error, CooptError):
            error.add_note(traceback.format_exc())
        errors.put(_timed_out(error, own, place.timeout))
        os._exit(1)  # threads of this rank may wait for others that will never answer
    dist.destroy_process_group()


def _timed_out(error: Exception, own: int, timeout: timedelta) -> Exception:
    if isinstance(error, CooptError) or not re.search("timed ?out", str(error), re.IGNORECASE):
        return error
    return RunError(
        f"rank {own} waited {timeout.total_seconds():.0f} s for another rank, which did not answer. Nothing finished is"
        " lost: run the same command again to resume."
    )


def _cause(
    codes: Sequence[int], told: Sequence[Exception], died: Exception, memory: OutOfMemory, waited: timedelta | None
) -> Exception:
    """Why the ranks ended: what one of them killed makes the others say is no cause. ``waited``: what NCCL bears."""
    for error in told:
        if isinstance(error, CooptError):
            return error
    for own, code in enumerate(codes):
        if code < 0 and code != -signal.SIGTERM:  # SIGTERM is how the others are ended
            nccl = ""
            if waited is not None and -code == signal.SIGABRT:
                nccl = f" (NCCL does that after {waited.total_seconds():.0f} s without an answer of another rank)"
            return KilledError(
                f"rank {own} of {len(codes)} was killed by {signal.Signals(-code).name}{nccl or memory.why()}. Nothing"
                " finished is lost: run the same command again to resume."
            )
    return told[0] if told else died
