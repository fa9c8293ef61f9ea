"""FSDP2 around a policy: one group a transformer block, one root group for embeddings, last norm and output head."""

from __future__ import annotations

from typing import Any

import torch
import torch.distributed as dist
from torch.distributed.device_mesh import init_device_mesh
from torch.distributed.fsdp import CPUOffloadPolicy, FSDPModule, MixedPrecisionPolicy, fully_shard
from torch.distributed.tensor import DTensor

from coopt.core.config.parallel import ParallelConfig
from coopt.lm.policy import Policy
from coopt.lm.training.recompute import transformer_blocks


class Root(torch.nn.Module):
    """What is called to get hidden states. It owns the whole model, so the output head, which the chunked loss applies
    after the forward pass, is in its group and stays gathered until the backward pass is done."""

    def __init__(self, policy: Policy) -> None:
        super().__init__()
        self.model: torch.nn.Module = policy.model
        self._decoder = [policy.causal_lm.get_decoder()]  # in a list: not a second child

    def forward(self, **inputs: Any) -> Any:
        return self._decoder[0](**inputs)

    def reshard(self) -> None:
        """Forget gathered weights: the next forward pass gathers anew."""
        for module in self.modules():
            if isinstance(module, FSDPModule):
                module.reshard()


def shard(policy: Policy, config: ParallelConfig, device: torch.device, compute: torch.dtype) -> Root:
    """Shard the policy's model in place over all joined ranks.

    Blocks are gathered in ``compute`` precision; the root group is gathered in float32, because the loss multiplies
    by the output head in float32 and sums the head's gradient over many chunks.
    """
    mesh = init_device_mesh(device.type, (dist.get_world_size(),))
    reduce = getattr(torch, config.reduce_dtype)
    shared: dict[str, Any] = {"mesh": mesh}
    if config.cpu_offload:
        shared["offload_policy"] = CPUOffloadPolicy(pin_memory=device.type == "cuda")
    blocks = MixedPrecisionPolicy(param_dtype=compute, reduce_dtype=reduce)
    root = Root(policy)
    for block in transformer_blocks(policy):
        fully_shard(block, mp_policy=blocks, **shared)
    fully_shard(root, mp_policy=MixedPrecisionPolicy(reduce_dtype=torch.float32), **shared)
    for module in root.modules():
        if isinstance(module, FSDPModule):
            # The loss is a sum over all rollouts of all ranks: gradients are summed, not averaged.
            module.set_gradient_divide_factor(1.0)
            module.set_force_sum_reduction_for_comms(True)
    return root


def whole(tensor: torch.Tensor) -> torch.Tensor:
    """A parameter gathered from its shards; all ranks must call it."""
    return tensor.full_tensor() if isinstance(tensor, DTensor) else tensor
