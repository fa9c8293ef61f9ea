"""The command line as a subprocess, as a user runs it."""

from __future__ import annotations

import fcntl
import hashlib
import json
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from coopt.core import store
from coopt.core.config.load import load_config
from coopt.core.config.schema import Config
from tests.zygote import zygote

Coopt = Callable[..., subprocess.CompletedProcess[str]]
ROOT = Path(__file__).resolve().parents[2]
LESS = ("world.specialist_steps=4", "data.validation=4", "data.test=4")
"""Of the smoke settings what takes longest and shows nothing about the pieces' fit."""
SMOKE = ("bench", "--smoke", *(word for setting in LESS for word in ("--set", setting)))
STATES = ("--set", "gate.kind=always", "--set", "rounds.keep_states=true")
"""How the shared run is made, all of whose files can be damaged."""
# Fields of results.json that depend on the clock or the machine, not on the run.
TIMED = ("costs", "run")


def run_coopt(
    *arguments: str,
    at: Path,
    timeout: float = 400,
    specialists: Path | None = None,
    fresh: bool = False,
    **environment: str,
) -> subprocess.CompletedProcess[str]:
    """``coopt ARGS`` in the folder ``at``, in a process group of its own. ``specialists``: what smoke runs make of them
    is kept there for the next; it changes no result. ``fresh``: by a Python that starts now (see tests/zygote.py)."""
    if specialists and arguments[:1] == ("bench",) and "--smoke" in arguments:
        arguments = (*arguments, "--set", f"model.specialists='{specialists}'")
    if not fresh and zygote().can(os.environ | environment):
        return zygote().run(arguments, at, os.environ | environment, timeout)
    return subprocess.run(
        [sys.executable, "-m", "coopt", *arguments],
        cwd=at,
        env=os.environ | environment,
        capture_output=True,
        text=True,
        timeout=timeout,
        start_new_session=True,
        check=False,
    )


def of_all_processes(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder that the processes of pytest-xdist share."""
    base = tmp_path_factory.getbasetemp()
    return base.parent if "PYTEST_XDIST_WORKER" in os.environ else base


@pytest.fixture
def coopt(tmp_path: Path, tmp_path_factory: pytest.TempPathFactory) -> Coopt:
    """Run ``coopt ARGS`` in an empty folder."""
    return partial(run_coopt, at=tmp_path, specialists=of_all_processes(tmp_path_factory) / "specialists")


def tables(directory: Path, without: Sequence[str] = TIMED) -> dict[str, Any]:
    """A run's results without what the clock decides."""
    results = json.loads((directory / "results.json").read_text())
    return {k: v for k, v in results.items() if k not in without}


def weights(run: Path) -> dict[str, str]:
    """Weights and states by their hashes; of the answers what they are."""
    found = {p: hashlib.sha256(p.read_bytes()).hexdigest() for p in run.rglob("seeds/**/*.safetensors")}
    found |= {p: json.dumps(store.read_json(p)["domains"]) for p in run.rglob("scores/**/*.json")}
    found |= {p: hashlib.sha256(p.read_bytes()).hexdigest() for p in run.rglob("*.rollouts.jsonl")}
    return {p.relative_to(run).as_posix(): value for p, value in found.items()}


@pytest.fixture(scope="session")
def smoke_run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """One finished smoke run, two workers, by a fresh Python. The processes of pytest-xdist share it."""
    folder = of_all_processes(tmp_path_factory) / "smoke"
    folder.mkdir(exist_ok=True)
    with (folder / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not (folder / "stdout").is_file():
            words = (*SMOKE, "--out", "run", "--workers", "2", "--all", *STATES)
            done = run_coopt(*words, at=folder, fresh=True)
            assert done.returncode == 0, done.stderr
            (folder / "stdout").write_text(done.stdout)
    return folder / "run"


def smoke_config(methods: Sequence[str], settings: Sequence[str]) -> Config:
    """Of ``bench --smoke`` as here."""
    return load_config(smoke=True, methods=tuple(methods), settings=[*LESS, *settings])


def begin(run: Path, smoke_run: Path, config: Config) -> None:
    """A run whose specialists, taken from the smoke run, are all that is done."""
    store.write_json(run / "config.json", config.model_dump(mode="json"))
    shutil.copy(smoke_run / "provenance.json", run)
    shutil.copytree(smoke_run / "seeds/0/init", run / "seeds/0/init")


@pytest.fixture(scope="session")
def slurm(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """A cluster of its own, started and ended here. Not under pytest's folder, which munge refuses: it is private. Each
    process of pytest-xdist has one, on ports of its own; one at a time installs what is missing."""
    folder = tempfile.mkdtemp(prefix="coopt-slurm-test-")
    port = 28817 + 10 * int(os.environ.get("PYTEST_XDIST_WORKER", "gw0").removeprefix("gw"))
    place = {"COOPT_SLURM_ROOT": folder, "COOPT_SLURM_PORT": str(port)}
    script = ROOT / "slurm/dev-cluster"
    with pytest.MonkeyPatch.context() as patch:
        for key, value in place.items():
            patch.setenv(key, value)
        with (of_all_processes(tmp_path_factory) / "slurm.lock").open("w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            done = subprocess.run([script, "start"], stdout=subprocess.PIPE, text=True, timeout=600, check=True)
        patch.setenv("SLURM_CONF", done.stdout.strip().rpartition("=")[2])
        patch.setenv("PYTHONPATH", os.pathsep.join([str(ROOT), os.environ.get("PYTHONPATH", "")]))
        yield
        subprocess.run([script, "stop"], timeout=120, check=True)
    shutil.rmtree(folder)
