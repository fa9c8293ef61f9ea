"""The trainer over several ranks: PyTorch FSDP2 shards weights, gradients, moments and teacher.

Every rank holds its shard of every parameter and trains on its share of the step's rows; blocks are gathered when
they compute. Everything that decides (rows, shares, numbers of micro-batches, whether to stop) is computed alike on
every rank, so that all of them make the same collective calls in the same order.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from itertools import groupby
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
from coopt.lm.training.trainer import K, LocalTrainer, T


class ShardedTrainer(LocalTrainer):
    """``LocalTrainer`` whose weights are sharded over the joined ranks; the same loss, the same update.

    The policy that it is given is loaded whole, on the CPU, by every rank. It is what is sharded, in place: afterwards
    no rank has it whole. ``replica`` is the copy that generates.
    """

    def __init__(self, policy: Policy, config: Config, objective: Objective | None = None) -> None:
        # Two copies: what is sharded cannot generate; what generates stays whole, in the dtype of compute. The latter
        # is made where it will be: a node's memory has to hold one float32 model a rank and no more.
        self.replica = policy.copied(pick_device(config.run.device), policy.compute_dtype)
        super().__init__(replace(policy, compute_dtype=torch.float32), config, objective)
        self.device = self.replica.device
        self.checkpoints = ShardedCheckpoints()

    def _place(self) -> tuple[torch.nn.Module, Teacher]:
        kind, rate, compute = self._teacher_kind, self.config.teacher.rate, self.replica.compute_dtype
        self.root = shard(self.policy, self.config.parallel, pick_device(self.config.run.device), compute)
        return self.root, ShardedTeacher(self.policy, kind, rate, self.root)

    def _own_batches(self, students: list[StudentRow]) -> list[list[StudentRow]]:
        """This rank's micro-batches, of each kind as many as the rank with the most has: a rank that has fewer computes
        a row of weight 0, because a block can only be gathered, and its gradients summed, by all ranks together. What
        is read for a batch (teacher, means) hangs on its kind."""
        own: list[list[StudentRow]] = []
        for kind in dict.fromkeys(s.kind for s in students):
            alike = [s for s in students if s.kind == kind]
            batches = [self._micro_batches(s) for s in shares(alike, _cost, ranks.world())]
            mine = batches[ranks.rank()]
            own += mine + [[_weightless(alike)] for _ in range(max(map(len, batches)) - len(mine))]
        return own

    def _dealt(self, batches: Sequence[T], alike: Callable[[T], object]) -> Sequence[T]:
        """Every n-th batch of those that read the same (``alike``), as many on each rank: one is read again where they
        do not come out even. Batches are those of one process, so that what is found is too."""
        own: list[T] = []
        for _, group in groupby(batches, alike):
            same = list(group)
            own += [*same, *same[:1] * (-len(same) % ranks.world())][ranks.rank() :: ranks.world()]
        return own

    def _gathered(self, found: dict[K, list[float]]) -> dict[K, list[float]]:
        # What the last pass has gathered is forgotten: nobody goes back through it, the memory may be an engine's now,
        # and gathered parameters are others than those that AdamW and a checkpoint know.
        self.root.reshard()
        return {read: values for theirs in ranks.gather(found) for read, values in theirs.items()}

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
            whole_policy = self.replica.copied(torch.device("cpu"), torch.float32)
            written = dict(whole_policy.model.named_parameters())
        for name, parameter in self.policy.model.named_parameters():
            full = whole(parameter)
            if written:
                written[name].copy_(full)
        if written:
            save_policy(whole_policy, directory)
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
