"""The teacher of a sharded student: its shadows are shards like the student's."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import torch
from torch.distributed.tensor import DTensor

from coopt.lm.policy import Policy
from coopt.lm.training.sharding import Root, whole
from coopt.lm.training.teacher import Kind, Teacher


class ShardedTeacher(Teacher):
    """``Teacher`` over DTensors. FSDP gathers from storage that it knows, so the teacher's shards are put into the
    student's storage for a forward pass, and exchanged back after it: exact, and without a second copy."""

    def __init__(self, policy: Policy, kind: Kind, rate: float, root: Root) -> None:
        super().__init__(policy, kind, rate)
        self.root = root

    @contextmanager
    def active(self) -> Iterator[None]:
        with torch.no_grad():
            self._exchange()
            try:
                yield
            finally:
                self._exchange()

    def _exchange(self) -> None:
        self.root.reshard()  # what is gathered now belongs to the other
        if any(map(_sent_to_a_gpu, self.shadows.values())):
            # Blocks are sent from pinned memory, and nobody waits for that: what is still to be sent must not change.
            torch.cuda.synchronize()
        parameters = self.policy.trainable()
        for name, shadow in self.shadows.items():
            ours, theirs = _local(parameters[name]), _local(shadow)
            held = ours.clone()
            ours.copy_(theirs)
            theirs.copy_(held)

    def head(self, head: torch.nn.Module) -> dict[str, torch.Tensor]:
        """The head's weights gathered whole; all ranks must call it."""
        gathered = dict(head.named_parameters())  # where the student computes, though shards may lie on the CPU
        return {name: whole(shadow).to(gathered[name].device) for name, shadow in super().head(head).items()}


def _local(tensor: torch.Tensor) -> torch.Tensor:
    return tensor.to_local() if isinstance(tensor, DTensor) else tensor


def _sent_to_a_gpu(shadow: torch.Tensor) -> bool:
    """Whether a shard lies on the CPU, and what computes with it is a GPU (``parallel.cpu_offload``)."""
    return isinstance(shadow, DTensor) and shadow.device_mesh.device_type == "cuda" and not _local(shadow).is_cuda
