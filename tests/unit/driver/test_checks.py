"""What is refused before any work begins."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace

import pytest
import submitit
import torch

from coopt.core.config.load import load_config
from coopt.core.errors import ConfigError, DamagedError
from coopt.driver.checks import check_gpus
from coopt.driver.tasks.inputs import inputs
from coopt.driver.tasks.task import Train
from coopt.runs.run import Run


def test_jobs_without_a_gpu_are_refused_for_a_model_that_needs_one(tmp_path: Path) -> None:
    with (tmp_path / "model.safetensors").open("wb") as file:
        file.truncate(2 * 10**9)  # takes no room
    settings = [f"model.path={tmp_path}", "cluster.kind=slurm"]
    with pytest.raises(ConfigError, match=r"2\.0 GB without a GPU.*--profile gpu"):
        check_gpus(load_config(settings=settings))
    check_gpus(load_config(settings=[*settings, "cluster.gpus=1"]))
    check_gpus(load_config(settings=[*settings, "run.device=cpu"]))
    check_gpus(load_config(settings=["cluster.kind=slurm"]))
    split = ["cluster.kind=slurm", "engine.kind=vllm", "engine.tensor_parallel=2", "cluster.gpus={}"]
    with pytest.raises(ConfigError, match=r"cluster.gpus = 1, and engine.tensor_parallel = 2.*Set cluster.gpus=2"):
        check_gpus(load_config(settings=[s.format(1) for s in split]))
    check_gpus(load_config(settings=[s.format(2) for s in split]))
    check_gpus(load_config(settings=[*settings, 'cluster.options={gres = "gpu:1"}']))


@pytest.mark.parametrize("gpus", [0, 1])
def test_jobs_of_this_machine_do_not_all_take_its_first_gpu(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, gpus: int
) -> None:
    """Asked for none, they would see none."""
    executor, seen = submitit.LocalExecutor(tmp_path), list[str]()
    executor.update_parameters(gpus_per_node=gpus)

    def start(*_: object, cuda_devices: str, **__: object) -> SimpleNamespace:
        seen.append(cuda_devices)
        return SimpleNamespace(pid=len(seen), poll=lambda: 0)

    monkeypatch.setattr("submitit.local.local.start_controller", start)
    for _ in range(2):
        executor._submit_command("")
    assert seen == 2 * ["0" * gpus], "if jobs are dealt GPUs now, they need not be refused"
    settings = ["cluster.kind=local", f"cluster.gpus={gpus}"]
    check_gpus(load_config(settings=settings))
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 2)
    with pytest.raises(ConfigError, match=r"--cluster local: every job would see this machine's first GPUs"):
        check_gpus(load_config(settings=settings))
    check_gpus(load_config(settings=[*settings, "run.device=cpu"]))
    check_gpus(load_config(settings=["cluster.kind=none"]))


def test_weights_of_teachers_by_logits_wait_for_the_scores_that_choose_them(tmp_path: Path) -> None:
    """Not there yet, or lost: the scores come first, and who looks at the run is told so in a line."""
    run = Run(tmp_path, load_config(methods=["opd"]))
    with pytest.raises(DamagedError, match="is missing"):
        inputs(Train(0, "opd", 1, "s1", ()), run)
