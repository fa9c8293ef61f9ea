"""What is refused before any work begins."""

from __future__ import annotations

from pathlib import Path

import pytest

from coopt.core.config.load import load_config
from coopt.core.errors import ConfigError
from coopt.driver.checks import check_gpus


def test_jobs_without_a_gpu_are_refused_for_a_model_that_needs_one(tmp_path: Path) -> None:
    with (tmp_path / "model.safetensors").open("wb") as file:
        file.truncate(2 * 10**9)  # takes no room
    settings = [f"model.path={tmp_path}", "cluster.kind=slurm"]
    with pytest.raises(ConfigError, match=r"2\.0 GB without a GPU.*--profile gpu"):
        check_gpus(load_config(settings=settings))
    check_gpus(load_config(settings=[*settings, "cluster.gpus=1"]))
    check_gpus(load_config(settings=[*settings, "run.device=cpu"]))
    check_gpus(load_config(settings=["cluster.kind=slurm"]))
