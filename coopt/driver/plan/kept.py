"""Speeds that were measured on this machine before, in the user's cache: a plan then need not measure them again."""

from __future__ import annotations

import hashlib
import json
import platform
import time
from contextlib import suppress
from importlib.metadata import version
from math import isfinite
from pathlib import Path

import psutil

from coopt import __version__
from coopt.core import store
from coopt.core.config.schema import Config
from coopt.core.errors import DamagedError
from coopt.core.resources import cache_dir
from coopt.driver.plan.speed import Speed

_WEEK = 7 * 24 * 3600.0  # seconds
_DECIDE = {"model", "world", "sampling", "loss", "optimizer", "domains"}


def load(config: Config, threads: int) -> tuple[Speed, str] | None:
    """The speeds, and the day on which they were measured; None: not there, old, or damaged."""
    try:
        tree = store.read_json(_path(config, threads))
        when, speed = float(tree["when"]), Speed(*(float(tree["speed"][name]) for name in Speed._fields))
    except (OSError, DamagedError, ValueError, KeyError, TypeError):
        return None
    sound = 0 <= time.time() - when < _WEEK and all(isfinite(x) and x > 0 for x in speed)
    return (speed, time.strftime("%Y-%m-%d", time.localtime(when))) if sound else None


def save(config: Config, threads: int, speed: Speed) -> None:
    """Where it can be written; there is one for each machine and setting."""
    with suppress(OSError):
        store.write_json(_path(config, threads), {"when": time.time(), "speed": speed._asdict()})


def _path(config: Config, threads: int) -> Path:
    here = (__version__, version("torch"), platform.node(), platform.processor(), psutil.cpu_count(), threads)
    settings = config.model_dump(mode="json", include=_DECIDE), config.rounds.rollouts, config.run.device
    key = hashlib.sha256(json.dumps([here, settings], sort_keys=True).encode()).hexdigest()[:32]
    return cache_dir("speeds") / f"{key}.json"
