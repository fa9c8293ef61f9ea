"""A run's plan: with speeds measured here, or with assumed ones where that cannot be."""

from __future__ import annotations

from coopt.core.config.load import load_config
from coopt.core.config.schema import Config
from coopt.core.config.ways import way_of
from coopt.core.errors import CooptError
from coopt.domains.load import load_domains
from coopt.driver.plan.assumed import Assumed, assumed_questions, assumed_speed
from coopt.driver.plan.memory import Placement
from coopt.driver.plan.plan import Plan
from coopt.driver.plan.speed import REFERENCE, probe_speed
from coopt.lm.bases import base_directory
from coopt.runs.run import Run

_TOO_LARGE = 2e9  # bytes of weights; the probe would train a larger model on one device


def make_plan(run: Run, workers: int, assumed: Assumed | None = None) -> Plan:
    """The run's plan. Speeds are measured, which takes seconds, unless ``assumed`` is given or they cannot be. A smoke
    run of the embedded world takes its own for granted."""
    missing = not_here(run.config)
    why = missing or _too_large(run.config)
    if not why and assumed is None:
        if _is_quick(run.config):
            return Plan(run, REFERENCE, workers, source="those of two idle cores")
        return Plan(run, probe_speed(run.config), workers)
    assumed = assumed or Assumed()
    placed = Placement.of(run.config)
    questions = assumed_questions(run.config) if _no_rows(run.config) else None
    source = f"assumed, {placed.ranks} GPU{'s' * (placed.ranks > 1)}"
    return Plan(run, assumed_speed(assumed, placed.ranks), 1, questions, source, assumed, tuple(why))


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
        reasons.append(f"{config.model.path} is not here: its sizes are taken to be Qwen3-8B's")
    if _no_rows(config):
        reasons.append(f"{config.data.named} is not here: question counts are taken to be SciKnowEval's")
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
