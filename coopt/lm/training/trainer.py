"""The one-process trainer: student forward, teacher forward, objective, backward, AdamW, EMA."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, TypeVar

import torch

from coopt.core.config.schema import Config, OptimizerConfig
from coopt.core.errors import TrainingError
from coopt.core.rendezvous import seconds
from coopt.lm.policy import Policy, save_policy
from coopt.lm.training import checkpoint
from coopt.lm.training.base import StepStats, TrainRow
from coopt.lm.training.batch import PromptResponse, by_tokens
from coopt.lm.training.forward import hidden_states, layout_of, logits32
from coopt.lm.training.importance import importance_weights
from coopt.lm.training.losses import Divergence
from coopt.lm.training.merge import StudentRow, merge, target_side
from coopt.lm.training.objectives import Distil, Objective, Tokens, logprobs_of, of_kind
from coopt.lm.training.recompute import recompute_activations
from coopt.lm.training.teacher import Kind, Teacher
from coopt.lm.training.trees import Ids

T = TypeVar("T")
K = TypeVar("K")


class LocalTrainer:
    """Trainer on one device. The loss is the mean over all rollouts of the step of (1/|y|) sum_t objective_t;
    rollouts without a target count in the mean and are never run."""

    def __init__(self, policy: Policy, config: Config, objective: Objective | None = None) -> None:
        self.policy = policy
        self.device = policy.device
        """Where it computes. Shards that are offloaded say something else of themselves between two passes."""
        self.config = config
        self.layout = layout_of(policy, config.loss)
        self.objective = objective or Distil(Divergence(config.loss.alpha, config.loss.top_k, config.loss.tail))
        self.peers: Mapping[str, Policy] = {}
        """Frozen models, by name, that rows may have as their teacher."""
        self.decoder, self.teacher = self._place()
        if config.parallel.activation_checkpointing:
            recompute_activations(policy)
        self.optimizer = make_optimizer(policy, config.optimizer)
        self.step = 0

    def update(self, rows: Sequence[TrainRow], rollouts: int) -> StepStats:
        """Raises ``TrainingError`` before the update if loss or gradient is not finite."""
        return self.update_in_parts([rows], rollouts)

    def update_in_parts(self, parts: Sequence[Sequence[TrainRow]], rollouts: int) -> StepStats:
        """As ``update``; what a part's update did stays if a later part's loss is not finite."""
        merged = [merge(rows, rollouts) for rows in parts]
        if len(parts) > 1:
            merged = [self._with_old(students) for students in merged]
        stats = StepStats.over([self._update_once(s, len(rows)) for s, rows in zip(merged, parts, strict=True)])
        start = self._now()
        self.step += 1
        # Once a step, however many updates it has: the rate is per step (paper 3.1).
        if self.step % self.config.teacher.every == 0:
            self.teacher.update()
        stats.seconds["student"] += self._now() - start
        return stats

    def _update_once(self, students: list[StudentRow], rows: int) -> StepStats:
        stats = StepStats(lr=self.config.optimizer.lr * self._warmup(), active_rows=rows)
        stats.distinct_rows = sum(len(s.targets) for s in students)
        stats.trained_tokens = sum(len(s.response) for s in students)
        try:
            for batch in self._own_batches(students):
                self._accumulate(batch, stats)
            self._total(stats)
            # Before the update: a NaN in AdamW's moments could not be taken back.
            if not math.isfinite(stats.loss):
                raise TrainingError(
                    f"step {self.step + 1}: the loss is {stats.loss}. The weights were not changed."
                    " Lower optimizer.lr, or start again from the last checkpoint with another --seed."
                )
            self._apply(stats)
        finally:
            # Now and not before the next update: an engine needs their memory meanwhile. To None, not to 0: gradients
            # of a step without rows must not move AdamW's moments.
            self.optimizer.zero_grad(set_to_none=True)
        return stats

    def _with_old(self, students: list[StudentRow]) -> list[StudentRow]:
        """With the log-probs that the student gives its tokens now, before the step's first update."""
        found = self.logprobs([(s.prompt, s.response) for s in students])
        return [s._replace(old=tuple(old)) for s, old in zip(students, found, strict=True)]

    @torch.no_grad()
    def logprobs(self, sequences: Sequence[PromptResponse], peer: str = "") -> list[list[float]]:
        """Log-probability of every response token by the student, or by a peer."""
        found: dict[int, list[float]] = {}
        lengths = [len(p) + len(r) for p, r in sequences]
        lm = (self.peers[peer] if peer else self.policy).causal_lm
        for batch in self._dealt(
            list(by_tokens(range(len(sequences)), lengths, self._batch_tokens)), lambda batch: peer
        ):
            read = [sequences[k] for k in batch]
            hidden = self._peer_hidden(peer, read) if peer else self._hidden(read)
            ids = torch.tensor([t for k in batch for t in sequences[k][1]], device=hidden.device)
            parts = [logprobs_of(self._logits(lm, hidden[chunk]), ids[chunk]) for chunk in self._chunks(len(hidden))]
            values = torch.cat(parts).tolist()
            for k in batch:
                found[k], values = values[: len(sequences[k][1])], values[len(sequences[k][1]) :]
        found = self._gathered(found)
        return [found[k] for k in range(len(sequences))]

    @torch.no_grad()
    def measure(self, rows: Sequence[TrainRow], what: Callable[[Tokens], torch.Tensor]) -> list[list[float]]:
        """``what`` of every response token, through the same batches and teachers as the loss."""
        found: dict[tuple[object, ...], list[float]] = {}
        lm = self.policy.causal_lm
        for batch in self._dealt(self._micro_batches(merge(rows, 1)), lambda batch: (batch[0].teacher, batch[0].kind)):
            side = target_side(batch, self.device)
            teachers = self._teacher_hidden(batch)
            hidden_Sd = self._hidden([(s.prompt, s.response) for s in batch])
            teacher_logits = self._teacher_logits(batch[0].teacher, teachers)
            ids, _ = self._student_side(batch)
            values: list[float] = []
            for chunk in self._chunks(len(side.place)):
                places = side.place[chunk]
                logits_NV = self._logits(lm, hidden_Sd[places])
                values += what(
                    Tokens(logits_NV, teacher_logits(chunk), ids[places], None, side.advantage[chunk])
                ).tolist()
            for s in batch:
                for target in s.targets:
                    length = len(s.response)
                    read = s.prompt, s.response, s.teacher, s.kind, target.prompt
                    found[read], values = values[:length], values[length:]
        found = self._gathered(found)
        return [found[r.student_prompt, r.response, r.teacher, r.kind, r.teacher_prompt] for r in rows]

    def _place(self) -> tuple[torch.nn.Module, Teacher]:
        """Where the weights live: the module that gives hidden states, and the teacher."""
        return self.policy.causal_lm.get_decoder(), Teacher(self.policy, self._teacher_kind, self.config.teacher.rate)

    @property
    def _teacher_kind(self) -> Kind:
        """``live``, which keeps no copy, where no teacher is read."""
        return self.config.teacher.kind if self.objective.reads == "teacher" else "live"

    def serving(self) -> Policy:
        return self.policy

    def publish(self, directory: Path) -> None:
        save_policy(self.policy, directory)

    def save(self, directory: Path, *, background: bool = False) -> None:
        checkpoint.save_checkpoint(self, directory)

    def load(self, directory: Path, *, optimizer: bool = True, teacher: bool = True) -> None:
        checkpoint.load_checkpoint(self, directory, optimizer=optimizer, teacher=teacher)

    def settle(self) -> None:
        """Nothing is written in the background here."""

    def _total(self, stats: StepStats) -> None:
        """Add what other processes found of the step's loss and importance weights: there are none."""

    def _now(self) -> float:
        """Seconds; on a GPU after what was queued has been done, so that each part pays for itself."""
        if self.device.type == "cuda":
            torch.cuda.synchronize()
        return seconds()

    def _warmup(self) -> float:
        """Linear from 0 at the first step (as in SDPO's code), then 1."""
        warmup = self.config.optimizer.warmup
        return min(self.step / warmup, 1.0) if warmup else 1.0

    def _own_batches(self, students: list[StudentRow]) -> list[list[StudentRow]]:
        """The micro-batches that this process computes: all of them."""
        return self._micro_batches(students)

    def _dealt(self, batches: Sequence[T], alike: Callable[[T], object]) -> Sequence[T]:
        """The batches that this process reads without gradients: all of them."""
        return batches

    def _gathered(self, found: dict[K, list[float]]) -> dict[K, list[float]]:
        """With what other processes found in the batches that they read: there are none."""
        return found

    def _micro_batches(self, students: list[StudentRow]) -> list[list[StudentRow]]:
        """Each has one teacher and one kind; rows that are to share their prompt stay together."""
        batches: list[list[StudentRow]] = []
        for alike in dict.fromkeys((s.teacher, s.kind) for s in students):
            units: dict[object, list[StudentRow]] = {}
            for k, s in enumerate(students):
                if (s.teacher, s.kind) == alike:
                    # A unit is never divided: its rows are one tree.
                    units.setdefault(s.prompt if self.layout == "shared" else k, []).append(s)
            lengths = [sum(map(_read_tokens, unit)) for unit in units.values()]
            for batch in by_tokens(list(units.values()), lengths, self._batch_tokens):
                batches.append([s for unit in batch for s in unit])
        return batches

    def _accumulate(self, batch: list[StudentRow], stats: StepStats) -> None:
        """Forward and backward of a micro-batch; gradients add up in the parameters."""
        start = self._now()
        side = target_side(batch, self.device)
        teachers = self._teacher_hidden(batch)
        stats.seconds["teacher"] += self._now() - start
        start = self._now()
        lm = self.policy.causal_lm
        hidden_Sd = self._hidden([(s.prompt, s.response) for s in batch])
        # The chunks' backward passes stop at the hidden states and add up there; the model is gone through once, below.
        # So the float32 logits [tokens, V] of one chunk at a time are held, and not those of all tokens.
        leaf_Sd = hidden_Sd.detach().requires_grad_()
        teacher_logits = self._teacher_logits(batch[0].teacher, teachers)
        ids, old = self._student_side(batch)
        objective = of_kind(self.objective, batch[0].kind)
        means = self._row_means(batch, hidden_Sd.detach(), ids) if objective.reads == "sequence" else None
        for chunk in self._chunks(len(side.place)):
            places = side.place[chunk]
            with torch.no_grad():
                teacher_NV = teacher_logits(chunk)
            tokens = Tokens(
                self._logits(lm, leaf_Sd[places]),
                teacher_NV,
                ids[places],
                None if old is None else old[places],
                side.advantage[chunk],
                None if side.given is None else side.given[chunk],
                None if means is None else means[places],
            )
            terms = objective(tokens) * side.weight[chunk].to(tokens.student_NV.dtype)
            if side.drawn is not None:
                cap = self.config.engine.importance_cap
                terms = terms * importance_weights(tokens, side.drawn[chunk], cap, stats.importance)
            loss = terms.sum()
            loss.backward()
            stats.loss += loss.item()
        # Through the blocks, with what all chunks have left in the hidden states.
        self._backward(hidden_Sd, leaf_Sd.grad)
        stats.seconds["student"] += self._now() - start

    @torch.no_grad()
    def _row_means(self, batch: list[StudentRow], hidden_Sd: torch.Tensor, ids: torch.Tensor) -> torch.Tensor:
        """Of each token [S] the mean log-prob of its row's, under the student as it is now."""
        lm = self.policy.causal_lm
        own = torch.cat([logprobs_of(self._logits(lm, hidden_Sd[c]), ids[c]) for c in self._chunks(len(ids))])
        return torch.cat([row.mean().expand(len(row)) for row in own.split([len(s.response) for s in batch])])

    def _chunks(self, tokens: int) -> Sequence[torch.Tensor]:
        """Places of tokens whose float32 logits are held at once."""
        vocabulary = self.policy.causal_lm.config.get_text_config().vocab_size
        size = max(1, self.config.loss.chunk_logits // vocabulary)
        return list(torch.split(torch.arange(tokens, device=self.device), size))

    def _teacher_hidden(self, batch: list[StudentRow]) -> list[torch.Tensor]:
        """The teacher's hidden states [N, d] on the batch's targets; of a trust region also the student's own."""
        if of_kind(self.objective, batch[0].kind).reads != "teacher":
            return []
        sequences = [(t.prompt, s.response) for s in batch for t in s.targets]
        keys = [s.prompt for s in batch for _ in s.targets]
        if batch[0].teacher:
            return [self._peer_hidden(batch[0].teacher, sequences, keys)]
        # The student's own module with other weights: one copy of the architecture's activations at a time.
        with self.teacher.active():
            hidden = [self._hidden(sequences, keys)]
        if self.teacher.kind == "trust_region":
            with torch.no_grad():
                hidden.append(self._hidden(sequences, keys))
        return hidden

    @torch.no_grad()
    def _peer_hidden(self, name: str, sequences: list[PromptResponse], keys: list[Ids] | None = None) -> torch.Tensor:
        peer = self.peers[name]
        return hidden_states(peer, sequences, layout_of(peer, self.config.loss), keys=keys)

    def _teacher_logits(self, name: str, hidden: list[torch.Tensor]) -> Callable[[torch.Tensor], torch.Tensor | None]:
        """The teacher's logits at the places of a chunk."""
        if not hidden:
            return lambda chunk: None
        if name:
            peer = self.peers[name].causal_lm
            return lambda chunk: self._logits(peer, hidden[0][chunk])
        lm = self.policy.causal_lm
        # Of ranks, only where the head is gathered: after the student's forward.
        shadows = self.teacher.head(lm.get_output_embeddings())
        if self.teacher.kind != "trust_region":
            return lambda chunk: self._logits(lm, hidden[0][chunk], shadows)
        rate = self.config.teacher.rate
        # Trust region: (1 - rate) frozen + rate student, in logits (2601.20802).
        return lambda chunk: torch.lerp(
            self._logits(lm, hidden[0][chunk], shadows), self._logits(lm, hidden[1][chunk]), rate
        )

    def _logits(self, lm: Any, hidden: torch.Tensor, weights: dict[str, torch.Tensor] | None = None) -> torch.Tensor:
        return logits32(lm, hidden, weights, reduced=self.config.loss.head == "bfloat16")

    def _student_side(self, batch: list[StudentRow]) -> tuple[torch.Tensor, torch.Tensor | None]:
        """The students' tokens [S], and their log-probs at the start of the step; None while it is the first update."""
        device = self.device
        ids = torch.tensor([t for s in batch for t in s.response], device=device)
        if not all(s.old for s in batch):
            return ids, None
        return ids, torch.tensor([x for s in batch for x in s.old], dtype=torch.float64, device=device)

    @property
    def _batch_tokens(self) -> int:
        """What a micro-batch may hold."""
        return self.config.loss.batch_tokens

    def _backward(self, hidden_Sd: torch.Tensor, gradient_Sd: torch.Tensor | None) -> None:
        hidden_Sd.backward(gradient_Sd)

    def _hidden(self, sequences: list[PromptResponse], keys: list[Ids] | None = None) -> torch.Tensor:
        return hidden_states(self.policy, sequences, self.layout, keys=keys, decoder=self.decoder, device=self.device)

    def _apply(self, stats: StepStats) -> None:
        start = self._now()
        norm = self._clip()
        if not torch.isfinite(norm):
            raise TrainingError(f"step {self.step + 1}: the gradient is not finite. The weights were not changed.")
        for group in self.optimizer.param_groups:
            group["lr"] = stats.lr
        self.optimizer.step()
        stats.grad_norm = norm.item()
        stats.seconds["student"] += self._now() - start

    def _clip(self) -> torch.Tensor:
        """Clip the gradients; their norm before that."""
        return torch.nn.utils.clip_grad_norm_(self.policy.trainable().values(), self.config.optimizer.clip)


def _read_tokens(student: StudentRow) -> int:
    """Tokens of a row, with the longest prompt that it is read after."""
    return max(len(p) for p in (student.prompt, *(t.prompt for t in student.targets))) + len(student.response)


def make_optimizer(policy: Policy, config: OptimizerConfig) -> torch.optim.AdamW:
    """AdamW over the trained parameters; the learning rate is set at every step. On a GPU as one kernel: torch's
    default there would hold another copy of the weights for a moment. That kernel raises no version counter, by which
    an engine knows weights that it holds already: a step does it here."""
    parameters = list(policy.trainable().values())
    optimizer = torch.optim.AdamW(
        parameters,
        lr=config.lr,
        betas=config.betas,
        eps=config.eps,
        weight_decay=config.weight_decay,
        fused=True if all(p.is_cuda for p in parameters) else None,
    )
    optimizer.register_step_post_hook(lambda *_: torch.autograd.graph.increment_version(parameters))
    return optimizer
