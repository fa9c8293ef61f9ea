"""A trainer whose passes through the base are made together with those of other students.

Loss, clipping, learning rate, moments and step count stay each student's own: only the hidden states are computed
together, and the gradients that go back through them.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import torch
from torch.nn import functional as F

from coopt.core.config.schema import Config
from coopt.core.rendezvous import Rendezvous
from coopt.lm.grouped import Grouped, together_as_alone
from coopt.lm.policy import Policy
from coopt.lm.training.batch import Layout, ModelInput, PromptResponse, model_input, response_hidden
from coopt.lm.training.objectives import Objective
from coopt.lm.training.trainer import LocalTrainer
from coopt.lm.training.trees import Ids

READ, BACK = "read", "back"


class Read(NamedTuple):
    """Rows that a student is to read."""

    policy: Policy
    inputs: ModelInput
    layout: Layout
    gradients: bool


class Back(NamedTuple):
    """Hidden states that were read with others', and the gradient of a student's loss by them."""

    hidden_Sd: torch.Tensor
    gradient_Sd: torch.Tensor | None


class LockstepTrainer(LocalTrainer):
    """As ``LocalTrainer``, of a thread that meets others."""

    def __init__(
        self, policy: Policy, config: Config, objective: Objective | None = None, *, together: Rendezvous
    ) -> None:
        self.together = together
        super().__init__(policy, config, objective)

    @property
    def _batch_tokens(self) -> int:
        """Micro-batches of all students are alive at once: together they hold what one student's would."""
        return max(64, super()._batch_tokens // self.together.parties)

    def _hidden(self, sequences: list[PromptResponse], keys: list[Ids] | None = None) -> torch.Tensor:
        inputs = model_input(sequences, self.layout, self.policy.pad_id, self.device, keys)
        read = Read(self.policy, inputs, self.layout, torch.is_grad_enabled())
        apart = self.policy.base or self.policy.model, self.layout, read.gradients
        hidden: torch.Tensor = self.together.call(READ, read, apart=apart)
        return hidden

    def _backward(self, hidden_Sd: torch.Tensor, gradient_Sd: torch.Tensor | None) -> None:
        self.together.call(BACK, Back(hidden_Sd, gradient_Sd))


def read_together(calls: Sequence[Read]) -> list[torch.Tensor]:
    """The hidden states of each call [its response tokens, d]. The calls have base, layout and gradients in common."""
    model = together_as_alone([c.policy for c in calls])
    with torch.set_grad_enabled(calls[0].gradients), calls[0].policy.autocast():
        if model is None:
            return [response_hidden(c.policy.causal_lm.get_decoder(), c.inputs) for c in calls]
        return _read(model, calls)


def _read(model: Grouped, calls: Sequence[Read]) -> list[torch.Tensor]:
    inputs, units = joined([c.inputs for c in calls], calls[0].layout, calls[0].policy.pad_id)
    with model.serving([c.policy for c in calls], units):
        hidden = response_hidden(model.model.get_decoder(), inputs)
    return list(hidden.split([len(c.inputs.rows) for c in calls]))


def joined(parts: Sequence[ModelInput], layout: Layout, pad: int) -> tuple[ModelInput, list[int]]:
    """Several inputs as one, and how many units of it each has: lines, or tokens of the one packed line."""
    widths = [p.kwargs["input_ids"].shape[1] for p in parts]
    if layout == "packed":  # positions start again where the next student's rows begin, as they do between rows
        kwargs = {name: torch.cat([p.kwargs[name] for p in parts], dim=1) for name in parts[0].kwargs}
        columns = [p.columns + sum(widths[:n]) for n, p in enumerate(parts)]
        return ModelInput(kwargs, torch.cat([p.rows for p in parts]), torch.cat(columns)), widths
    lines = [p.kwargs["input_ids"].shape[0] for p in parts]
    kwargs = {name: torch.cat([_wider(p.kwargs[name], max(widths), pad * (name == "input_ids")) for p in parts])
              for name in parts[0].kwargs}  # fmt: skip
    rows = [p.rows + sum(lines[:n]) for n, p in enumerate(parts)]
    return ModelInput(kwargs, torch.cat(rows), torch.cat([p.columns for p in parts])), lines


def _wider(values: torch.Tensor, width: int, fill: int) -> torch.Tensor:
    """Padded on the right to ``width``. In a mask of who attends to whom padding attends to itself alone."""
    more = width - values.shape[-1]
    if not more:
        return values
    if values.dim() == 2:
        return F.pad(values, (0, more), value=fill)
    wide = F.pad(values, (0, more, 0, more), value=False)
    own = torch.arange(width - more, width, device=values.device)
    wide[..., own, own] = True
    return wide


def go_back_together(calls: Sequence[Back]) -> list[None]:
    """One backward pass for all."""
    torch.autograd.backward([c.hidden_Sd for c in calls], [c.gradient_Sd for c in calls])
    return [None for _ in calls]
