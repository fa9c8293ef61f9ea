"""What a cell should take, from its plan. Speeds are probed once for cells that run alike."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from typing import NamedTuple

from coopt.core.config.schema import Config
from coopt.driver.plan.choose import make_plan, not_here
from coopt.driver.plan.plan import Plan
from coopt.driver.plan.speed import Speed
from coopt.driver.sweep.cells import Cell
from coopt.runs.run import Run

_DECIDE = {"model", "sampling", "loss", "optimizer", "data", "domains"}  # settings on which a plan's speeds depend


class TimeEstimate(NamedTuple):
    """Expected wall time of a cell."""

    seconds: float
    """All of it."""
    left: float
    """What is not done yet."""
    assumed: bool
    """From assumed speeds: its models or rows are not here."""
    why: tuple[str, ...] = ()
    """What is missing here."""


class Estimator:
    """Makes estimates. ``workers``: how many a bench has; ``speed`` None: measured."""

    def __init__(self, workers: Callable[[Config], int], speed: Speed | None = None) -> None:
        self.workers = workers
        self.speed = speed
        self._plans: dict[str, Plan] = {}

    def __call__(self, cell: Cell) -> TimeEstimate:
        run, workers = Run(cell.directory, cell.config), self.workers(cell.config)
        key = self._key(cell.config, workers)
        if key not in self._plans:
            self._plans[key] = self._plan(run, workers)
        plan = replace(self._plans[key], run=run)
        return TimeEstimate(plan.wall_seconds(), plan.left_seconds(), plan.assumed is not None, plan.why)

    def _key(self, config: Config, workers: int) -> str:
        """The same for runs with the same speeds."""
        sections = config.model_dump(mode="json", include=_DECIDE)
        return json.dumps([sections, config.rounds.rollouts, workers], sort_keys=True)

    def _plan(self, run: Run, workers: int) -> Plan:
        if self.speed is not None and not not_here(run.config):
            return Plan(run, self.speed, workers)
        return make_plan(run, workers)
