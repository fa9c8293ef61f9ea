"""Resumable training state: weights, AdamW moments, teacher and step, as safetensors."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Protocol

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file, save_file

from coopt.core import seals, store
from coopt.core.errors import DamagedError, RunError
from coopt.core.fault_points import fault_point
from coopt.lm.policy import Policy
from coopt.lm.training.teacher import Teacher

_FILE = "state.safetensors"
STEP = "step.json"
MOMENTS = ("exp_avg", "exp_avg_sq", "step")  # AdamW counts its own steps: a step without rows is none


class Resumable(Protocol):
    """What a checkpoint is of: a trainer in one process, or one rank of a sharded one."""

    policy: Policy
    teacher: Teacher
    optimizer: torch.optim.AdamW
    step: int


class TornCheckpointError(RunError):
    """A checkpoint that was marked complete and is not what was written: the machine was killed, or a disk forgot."""


def torn(directory: Path) -> TornCheckpointError:
    return TornCheckpointError(
        f"{directory}: a file of this checkpoint is torn. Delete the folder that holds it, then run the same command"
        " again: it is made anew."
    )


def save_checkpoint(trainer: Resumable, directory: Path) -> None:
    """Write ``directory`` as a whole or not at all; it is complete when its marker is there."""
    with store.new_directory(directory) as temporary:
        tensors = {k: t.contiguous().cpu() for k, t in state_tensors(trainer).items()}
        save_file(tensors, temporary / _FILE)
        fault_point("checkpoint_write")
        store.write_json(temporary / STEP, {"step": trainer.step})


def load_checkpoint(trainer: Resumable, directory: Path, *, optimizer: bool = True, teacher: bool = True) -> None:
    """Restore what ``save_checkpoint`` wrote; the student's weights always. Raises ``TornCheckpointError``."""
    step = checked_step(directory)
    try:
        tensors = load_file(directory / _FILE)
    except (SafetensorError, FileNotFoundError):
        raise torn(directory) from None
    restore(trainer, tensors, step, optimizer=optimizer, teacher=teacher)


def checked_step(directory: Path) -> int:
    """The step of a checkpoint that is what was written, as far as a seal says. Raises ``TornCheckpointError``."""
    try:
        seals.check(directory)
        return int(store.read_json(directory / STEP)["step"])
    except (DamagedError, FileNotFoundError, ValueError, KeyError, TypeError):
        raise torn(directory) from None


def state_tensors(trainer: Resumable) -> dict[str, torch.Tensor]:
    """Everything that a resumed trainer needs beside its step, by ``kind/parameter``: whole tensors, or shards."""
    parameters = trainer.policy.trainable()
    tensors: dict[str, torch.Tensor] = {f"student/{n}": p.detach() for n, p in parameters.items()}
    tensors |= {f"teacher/{n}": t for n, t in trainer.teacher.state().items()}
    for name, parameter in parameters.items():
        for moment in MOMENTS:
            if moment in trainer.optimizer.state.get(parameter, {}):
                tensors[f"{moment}/{name}"] = trainer.optimizer.state[parameter][moment]
    return tensors


def restore(
    trainer: Resumable, tensors: Mapping[str, torch.Tensor], step: int, *, optimizer: bool, teacher: bool
) -> None:
    """Put ``state_tensors`` back. Without ``optimizer`` it and the count of steps begin anew; without ``teacher`` that
    begins as the student of now."""
    parameters = trainer.policy.trainable()
    with torch.no_grad():
        for name, parameter in parameters.items():
            parameter.copy_(tensors[f"student/{name}"])  # nothing where it was read in place
    if teacher:
        trainer.teacher.load({n: tensors[f"teacher/{n}"] for n in trainer.teacher.shadows})
    else:
        trainer.teacher.load({n: p.detach() for n, p in parameters.items()})
    if not optimizer:
        return
    trainer.step = step
    fused = trainer.optimizer.defaults["fused"]  # which counts where the weights are
    for name, parameter in parameters.items():
        if f"step/{name}" in tensors:
            trainer.optimizer.state[parameter] = {
                m: tensors[f"{m}/{name}"].to("cpu" if m == "step" and not fused else parameter.device) for m in MOMENTS
            }
