"""Resumable training state: weights, AdamW moments, teacher and step, as safetensors."""

from __future__ import annotations

from pathlib import Path

import torch
from safetensors.torch import load_file, save_file

from coopt.running import store
from coopt.running.faults import fault_point
from coopt.training.trainer import LocalTrainer

_FILE = "state.safetensors"
_MOMENTS = ("exp_avg", "exp_avg_sq", "step")  # AdamW counts its own steps: a step without rows is none


def save_checkpoint(trainer: LocalTrainer, directory: Path) -> None:
    """Write ``directory`` as a whole or not at all; it is complete when its marker is there."""
    parameters = trainer.policy.trainable()
    tensors = {f"student/{n}": p.detach() for n, p in parameters.items()}
    tensors |= {f"teacher/{n}": t for n, t in trainer.teacher.state().items()}
    for name, parameter in parameters.items():
        for moment in _MOMENTS:
            if moment in trainer.optimizer.state.get(parameter, {}):
                tensors[f"{moment}/{name}"] = trainer.optimizer.state[parameter][moment]
    with store.new_directory(directory) as temporary:
        save_file({k: t.contiguous().cpu() for k, t in tensors.items()}, temporary / _FILE)
        fault_point("checkpoint_write")
        store.write_json(temporary / "step.json", {"step": trainer.step})


def load_checkpoint(trainer: LocalTrainer, directory: Path, *, optimizer: bool = True) -> None:
    """Restore what ``save_checkpoint`` wrote; without ``optimizer`` only the student's weights."""
    tensors = load_file(directory / _FILE)
    parameters = trainer.policy.trainable()
    with torch.no_grad():
        for name, parameter in parameters.items():
            parameter.copy_(tensors[f"student/{name}"])
    if not optimizer:
        trainer.teacher.load({n: p.detach() for n, p in parameters.items()})
        return
    trainer.step = int(store.read_json(directory / "step.json")["step"])
    trainer.teacher.load({n: tensors[f"teacher/{n}"] for n in trainer.teacher.shadows})
    for name, parameter in parameters.items():
        if f"step/{name}" in tensors:
            trainer.optimizer.state[parameter] = {
                m: tensors[f"{m}/{name}"].to("cpu" if m == "step" else parameter.device) for m in _MOMENTS
            }
