"""The mean of models' weights."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import torch

from coopt.lm.alike import check_same_shapes
from coopt.lm.policy import load_policy, save_policy


@torch.no_grad()
def average_weights(models: Mapping[str, Path], target: Path) -> None:
    """Write the model whose every parameter is the mean of those of ``models`` (node -> directory), as a Hugging Face
    directory with the tokenizer and chat template of the first. Means are taken in float32; two models are held at a
    time. Raises ``ConfigError`` if their shapes differ."""
    check_same_shapes(models, "weights are averaged one by one, so")
    first, *others = models.values()
    mean = load_policy(first, device="cpu")
    parameters = dict(mean.model.named_parameters())
    for directory in others:
        other = load_policy(directory, device="cpu")
        for name, parameter in other.model.named_parameters():
            parameters[name].add_(parameter)
    for parameter in parameters.values():
        parameter.div_(len(models))
    save_policy(mean, target)
