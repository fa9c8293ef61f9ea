"""The gradients of an update, which lets go of them at its end."""

from __future__ import annotations

from typing import Any

import torch

from coopt.lm.training.base import Trainer


def keep_gradients(trainer: Trainer) -> dict[str, torch.Tensor]:
    """From now on an update changes no weights, but puts its gradients in here, by parameter."""
    kept: dict[str, torch.Tensor] = {}

    def keep(*closure: Any) -> None:
        kept.update((n, p.grad.clone()) for n, p in trainer.policy.trainable().items() if p.grad is not None)

    trainer.optimizer.step = keep  # type: ignore[attr-defined]
    return kept
