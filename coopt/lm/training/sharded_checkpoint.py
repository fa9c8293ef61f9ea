"""Sharded training state, written and read by ``torch.distributed.checkpoint`` in its safetensors format.

Every rank writes its shards; a checkpoint can be read by another number of ranks. Nothing is pickled.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from typing import Any

import torch
import torch.distributed as dist
from safetensors import SafetensorError
from torch.distributed.checkpoint.api import CheckpointException
from torch.distributed.checkpoint.hf_storage import HuggingFaceStorageReader, HuggingFaceStorageWriter
from torch.distributed.checkpoint.state_dict_loader import load
from torch.distributed.checkpoint.state_dict_saver import async_save, save
from torch.distributed.tensor import DTensor

from coopt.core import store
from coopt.core.errors import RunError
from coopt.core.fault_points import fault_point
from coopt.lm import ranks
from coopt.lm.training.checkpoint import MOMENTS, STEP, Resumable, checked_step, restore, state_tensors, torn

FILE_BYTES = 2**30


class ShardedCheckpoints:
    """Writes at most one checkpoint at a time, in the foreground or behind the training."""

    def __init__(self) -> None:
        # Its own group: the writing thread's messages must not get between those of the training.
        self.group = dist.new_group(backend="gloo")
        self.thread = ThreadPoolExecutor(1)
        self.pending: Future[None] | None = None

    def save(self, trainer: Resumable, directory: Path, *, background: bool) -> None:
        """All ranks write. In the background it is the state of this moment, copied before the call returns."""
        self.settle()
        if ranks.leads():
            store.begin_directory(directory)
        ranks.wait_for_all()
        state = state_tensors(trainer)
        writer = HuggingFaceStorageWriter(str(store.temporary_of(directory)), files_of(state), save_distributed=True)
        how: dict[str, Any] = {"storage_writer": writer, "process_group": self.group}
        if background:
            written: Any = async_save(state, **how)
            self.pending = self.thread.submit(_complete, directory, trainer.step, written.result)
        else:
            _complete(directory, trainer.step, lambda: save(state, **how))
            ranks.wait_for_all()

    def settle(self) -> None:
        """Wait for what is being written; its error is raised here."""
        if self.pending is not None:
            pending, self.pending = self.pending, None
            pending.result()

    def load(self, trainer: Resumable, directory: Path, *, optimizer: bool, teacher: bool) -> None:
        """Read this rank's shards, whatever number of ranks wrote them. Raises ``TornCheckpointError`` on all."""
        step = ranks.from_first(lambda: checked_step(directory))
        reader = HuggingFaceStorageReader(str(directory))
        names = ranks.from_first(lambda: _names(reader))
        if names is None:
            raise torn(directory)
        tensors = _places(trainer, names, optimizer=optimizer, teacher=teacher)
        try:
            load(tensors, storage_reader=reader, process_group=self.group)
        except CheckpointException:  # of any rank, told to all
            # Some of it is in the weights already, so this process cannot take an earlier checkpoint instead.
            raise RunError(str(torn(directory))) from None
        restore(trainer, tensors, step, optimizer=optimizer, teacher=teacher)


def files_of(state: Mapping[str, torch.Tensor], limit: int = FILE_BYTES) -> dict[str, int]:
    """Name of a tensor -> number of the file of each rank that it goes into. A file is put together in memory, as
    tensors and again as bytes, before it is written: so none has much more than ``limit`` bytes of one rank."""
    numbers: dict[str, int] = {}
    number, filled = 1, 0
    for name, tensor in state.items():
        size = (tensor.to_local() if isinstance(tensor, DTensor) else tensor).nbytes
        if filled and filled + size > limit:
            number, filled = number + 1, 0
        numbers[name] = number
        filled += size
    return numbers


def _complete(directory: Path, step: int, write: Callable[[], object]) -> None:
    """When every rank has written, rank 0 marks the directory complete."""
    try:
        write()
    except CheckpointException as error:
        why = next(iter(error.failures.values()))[0]
        raise RunError(
            f"{directory}: cannot write ({why}). Nothing finished is lost: make room or choose another --out, then run"
            " the same command again."
        ) from None
    if ranks.leads():
        fault_point("checkpoint_write")
        store.write_json(store.temporary_of(directory) / STEP, {"step": step})
        store.complete_directory(directory)


def _names(reader: HuggingFaceStorageReader) -> set[str] | None:
    """What the checkpoint holds; None if a file of it is torn."""
    try:
        return set(reader.read_metadata().state_dict_metadata)
    except SafetensorError:
        return None


def _places(trainer: Resumable, names: set[str], *, optimizer: bool, teacher: bool) -> dict[str, torch.Tensor]:
    """Where the checkpoint's tensors go, this rank's shards: weights and teacher to where they are, because room for
    both beside them would be as much memory again as training takes."""
    places: dict[str, torch.Tensor] = {}
    for name, parameter in trainer.policy.trainable().items():
        places[f"student/{name}"] = parameter.detach()
        if teacher and name in trainer.teacher.shadows:
            places[f"teacher/{name}"] = trainer.teacher.shadows[name]
        for moment in MOMENTS if optimizer and f"step/{name}" in names else ():
            places[f"{moment}/{name}"] = torch.zeros(()) if moment == "step" else torch.zeros_like(parameter.detach())
    return places
