"""A run's plan: with speeds measured here, or with assumed ones where that cannot be."""

from __future__ import annotations

import os

import psutil

from coopt.core.config.load import load_config
from coopt.core.config.schema import Config
from coopt.core.config.ways import FAMILY, way_of
from coopt.core.errors import CooptError
from coopt.domains.load import load_domains
from coopt.driver.plan import kept
from coopt.driver.plan.assumed import Assumed, assumed_questions, assumed_speed
from coopt.driver.plan.memory import Placement
from coopt.driver.plan.plan import Plan
from coopt.driver.plan.speed import REFERENCE, probe_speed
from coopt.driver.tasks.launch import worker_threads
from coopt.lm.bases import base_directory
from coopt.runs.run import Run

_TOO_LARGE = 2e9  # bytes of weights; the probe would train a larger model on one device


def make_plan(run: Run, workers: int, assumed: Assumed | None = None) -> Plan:
    """The run's plan. Speeds are measured, which takes seconds, unless ``assumed`` is given or they cannot be. A smoke
    run of the embedded world takes its own for granted, as does one whose base is yet to be made."""
    missing = not_here(run.config)
    why = missing or _too_large(run.config)
    if not why and assumed is None:
        if _is_quick(run.config):
            return Plan(run, REFERENCE, workers, source="as on two idle cores")
        return _measured(run, workers)
    if assumed is None and way_of(run.config) == "world":
        return Plan(run, REFERENCE, workers, source="as on two idle cores", why=tuple(why))
    assumed = assumed or Assumed()
    placed = Placement.of(run.config)
    questions = assumed_questions(run.config) if _no_rows(run.config) else None
    source = f"assumed, {placed.ranks} GPU{'s' * (placed.ranks > 1)}"
    return Plan(run, assumed_speed(assumed, placed.ranks), 1, questions, source, assumed, tuple(why))


def _measured(run: Run, workers: int) -> Plan:
    """With speeds measured now; those of the embedded world, whose prompts need not be tried, perhaps some days ago."""
    config, threads = run.config, worker_threads(run.config, workers)
    if way_of(config) == "world" and (before := kept.load(config, threads)):
        return Plan(run, before[0], workers, source=f"measured on {before[1]} with the base model")
    idle = psutil.getloadavg()[0] < (os.cpu_count() or 1) / 2  # a slow hour is not to be remembered for days
    speed = probe_speed(config, threads)
    if idle and way_of(config) == "world":
        kept.save(config, threads, speed)
    return Plan(run, speed, workers)


def _is_quick(config: Config) -> bool:
    """A smoke run of the embedded world with the texts' lengths as shipped: over before its speed would be known. The
    probe also looks whether prompts fit, which they do."""
    return config.smoke and way_of(config) == "world" and config.sampling == load_config(smoke=True).sampling


def not_here(config: Config) -> list[str]:
    """The models and rows of a run that this machine does not have, and what stands for them in a plan."""
    reasons = []
    try:
        if not _weights(config):
            reasons.append(f"the weights of {config.model.path} are not here: its sizes are those of its config.json")
    except CooptError:
        if config.model.path == FAMILY:
            reasons.append(f"{FAMILY} has not been made yet (coopt data make-base --family): sizes are scimini's")
        else:
            reasons.append(f"{config.model.path} is not on this machine: sizes are those published for Qwen3-8B")
    if _no_rows(config):
        reasons.append(
            f"{config.data.named} is not on this machine: question counts are those published for SciKnowEval"
        )
    return reasons


def _no_rows(config: Config) -> bool:
    if config.data.source == "scimini":
        return False
    try:
        load_domains(config)
    except CooptError:
        return True
    return False


def _too_large(config: Config) -> list[str]:
    if sum(_weights(config)) <= _TOO_LARGE:
        return []
    return [f"{config.model.path} has {sum(_weights(config)) / 1e9:.0f} GB of weights: no short probe can measure it"]


def _weights(config: Config) -> list[int]:
    """Bytes of the base's weight files. Raises ``ModelError`` if there is no such directory."""
    return [p.stat().st_size for p in base_directory(config.model.path).glob("*.safetensors")]
