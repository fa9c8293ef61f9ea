"""The trainer over several ranks: PyTorch FSDP2 shards weights, gradients, moments and teacher.

Every rank holds its shard of every parameter and trains on its share of the step's rows; blocks are gathered when
they compute. Everything that decides (rows, shares, numbers of micro-batches, whether to stop) is computed alike on
every rank, so that all of them make the same collective calls in the same order.
"""

from __future__ import annotations

import copy
from dataclasses import replace
from pathlib import Path

import torch
import torch.distributed as dist
from torch.distributed.tensor import DTensor

from coopt.core.config.schema import Config
from coopt.lm import ranks
from coopt.lm.device import pick_device
from coopt.lm.policy import Policy, save_policy
from coopt.lm.training.base import ImportanceSums, StepStats
from coopt.lm.training.divide import shares
from coopt.lm.training.merge import StudentRow
from coopt.lm.training.objectives import Objective
from coopt.lm.training.sharded_checkpoint import ShardedCheckpoints
from coopt.lm.training.sharded_teacher import ShardedTeacher
from coopt.lm.training.sharding import shard, whole
from coopt.lm.training.teacher import Teacher
from coopt.lm.training.trainer import LocalTrainer


class ShardedTrainer(LocalTrainer):
    """``LocalTrainer`` whose weights are sharded over the joined ranks; the same loss, the same update.

    The policy that it is given is loaded whole, on the CPU, by every rank. It becomes the copy that generates; a copy
    of it is sharded, so what it may share with other policies stays whole.
    """

    def __init__(self, policy: Policy, config: Config, objective: Objective | None = None) -> None:
        # Two copies: what is sharded cannot generate, and what generates stays whole in the dtype of compute.
        trained = replace(policy, model=copy.deepcopy(policy.model), compute_dtype=torch.float32)
        policy.model.to(pick_device(config.run.device))
        self.replica = policy.in_compute_dtype()
        super().__init__(trained, config, objective)
        self.checkpoints = ShardedCheckpoints()

    def _place(self) -> tuple[torch.nn.Module, Teacher]:
        kind, rate, compute = self._teacher_kind, self.config.teacher.rate, self.replica.compute_dtype
        root = shard(self.policy, self.config.parallel, pick_device(self.config.run.device), compute)
        return root, ShardedTeacher(self.policy, kind, rate, root)

    def _own_batches(self, students: list[StudentRow]) -> list[list[StudentRow]]:
        """This rank's micro-batches, as many as the rank with the most has: a rank that has fewer computes a row
        of weight 0, because a block can only be gathered, and its gradients summed, by all ranks together."""
        batches = [self._micro_batches(s) for s in shares(students, _cost, ranks.world())]
        most = max(map(len, batches))
        own = batches[ranks.rank()]
        return own + [[_weightless(students)] for _ in range(most - len(own))]

    def _total(self, stats: StepStats) -> None:
        """One sum over the ranks, so a loss that is not finite on one of them stops all before the update."""
        # One call for all sums: each collective costs a round trip.
        weights = stats.importance
        total = torch.tensor([stats.loss, weights.tokens, weights.total, weights.capped], dtype=torch.float64)
        dist.all_reduce(total)
        stats.loss = total[0].item()
        stats.importance = ImportanceSums(int(total[1]), total[2].item(), int(total[3]))

    def _clip(self) -> torch.Tensor:
        norm = super()._clip()
        return norm.full_tensor() if isinstance(norm, DTensor) else norm

    @torch.no_grad()
    def serving(self) -> Policy:
        """This rank's whole copy, in the precision of compute, with the present weights."""
        theirs = self.replica.trainable()
        for name, parameter in self.policy.trainable().items():
            theirs[name].copy_(whole(parameter))
        return self.replica

    @torch.no_grad()
    def publish(self, directory: Path) -> None:
        """All ranks gather, rank 0 writes. Float32, whatever the precision of compute."""
        written: dict[str, torch.Tensor] = {}
        if ranks.leads():
            device = self.replica.device
            model = copy.deepcopy(self.replica.model.to("cpu")).to(torch.float32)  # not twice on the device
            self.replica.model.to(device)
            written = dict(model.named_parameters())
        for name, parameter in self.policy.model.named_parameters():
            full = whole(parameter)
            if written:
                written[name].copy_(full)
        if written:
            save_policy(replace(self.policy, model=model), directory)
        ranks.wait_for_all()

    def save(self, directory: Path, *, background: bool = False) -> None:
        self.checkpoints.save(self, directory, background=background)

    def load(self, directory: Path, *, optimizer: bool = True, teacher: bool = True) -> None:
        self.checkpoints.load(self, directory, optimizer=optimizer, teacher=teacher)

    def settle(self) -> None:
        self.checkpoints.settle()


def _cost(student: StudentRow) -> int:
    """Tokens that a row makes the models read."""
    teachers = sum(len(t.prompt) + len(student.response) for t in student.targets)
    return len(student.prompt) + len(student.response) + teachers


def _weightless(students: list[StudentRow]) -> StudentRow:
    """The cheapest row with no say in the loss, nor in what is told of importance weights."""
    cheapest = min(students, key=_cost)
    return cheapest._replace(targets=[cheapest.targets[0]._replace(weight=0.0, drawn=())])
