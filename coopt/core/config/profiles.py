"""Cluster profiles: TOML files with the settings of ``cluster`` that a site needs (``slurm/*.toml``, or your own)."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from coopt.core.config.toml import read_toml
from coopt.core.errors import ConfigError, unknown
from coopt.core.resources import resource_dir


def profile_names() -> list[str]:
    """Names of the shipped profiles."""
    return sorted(p.stem for p in resource_dir("slurm").glob("*.toml"))


def load_profile(name: str) -> dict[str, Any]:
    """The settings of a shipped profile, or of a TOML file. Raises ``ConfigError``; values are checked with the rest
    of the configuration."""
    path = Path(name)
    if path.suffix != ".toml":
        if name not in profile_names():
            raise ConfigError(unknown("profile", name, profile_names(), "--profile: ") + " Or give a .toml file.")
        path = resource_dir("slurm") / f"{name}.toml"
    return read_toml(path, f"--profile {name}", f"Shipped: {', '.join(profile_names())}.")
