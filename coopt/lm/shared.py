"""Adapter mode: N students as LoRA adapters on one frozen base, of which a process holds one copy.

A student's directory holds, beside its merged weights, the adapter alone. Policies loaded here share the base's
tensors; only their adapters are their own.
"""

from __future__ import annotations

import copy
from dataclasses import replace
from functools import lru_cache
from pathlib import Path

import torch

from coopt.core.config.schema import Config
from coopt.lm.bases import base_directory
from coopt.lm.policy import ADAPTER, Policy, load_policy


def load_student(config: Config, directory: Path, device: str = "", *, trained: bool = False) -> Policy:
    """A student, critic or base of a run; on the run's one base where it is an adapter of it. ``device``: the run's.
    ``trained``: by whoever loads it; else it only writes and is read."""
    device, own = device or config.run.device, directory.resolve()
    own_weights = not (own / ADAPTER).is_dir() and own != base_directory(config.model.path)
    if not config.one_base or own_weights:
        return load_policy(directory, dtype=config.model.dtype, device=device, trained=trained)
    base = shared_base(base_directory(config.model.path), config.model.dtype, device)
    model = shared_copy(base.model)
    if (own / ADAPTER).is_dir():
        from peft import PeftModel

        model = PeftModel.from_pretrained(model, own / ADAPTER).eval()
    return replace(base, model=model)


@lru_cache(maxsize=1)
def shared_base(directory: Path, dtype: str, device: str) -> Policy:
    """The frozen base, once a process. Nobody may change its weights."""
    policy = load_policy(directory, dtype=dtype, device=device)
    policy.model.requires_grad_(False)
    return replace(policy, base=policy.model)


def shared_copy(model: torch.nn.Module) -> torch.nn.Module:
    """The same modules once more, around the same tensors: an adapter can be put on it without touching ``model``."""
    return copy.deepcopy(model, {id(p): p for p in model.parameters()})
