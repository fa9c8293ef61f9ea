"""Weights & Biases: online, or offline under ``RUN/tracking/wandb`` (``WANDB_MODE=offline``, later ``wandb sync``)."""

from __future__ import annotations

import hashlib

import wandb

from coopt.driver.tracking.base import label, settings_of
from coopt.driver.tracking.events import Event
from coopt.driver.tracking.streams import Stream, Told


class Wandb:
    """Logs numbers alone: no output of the process, no code, no state of a repository, no figures of the machine."""

    def __init__(self, told: Told) -> None:
        self.told = told

    def open(self, stream: Stream, logged: int) -> _Logged:
        name = label(self.told, stream)
        self.told.folder.mkdir(parents=True, exist_ok=True)
        run = wandb.init(
            project=self.told.project,
            group=self.told.bench,
            name=name,
            id=hashlib.sha256(name.encode()).hexdigest()[:16],
            config=settings_of(self.told, stream),
            dir=str(self.told.folder),
            resume="allow",
            reinit="create_new",
            save_code=False,
            settings=wandb.Settings(
                silent=True,
                console="off",
                disable_git=True,
                disable_code=True,
                x_disable_meta=True,
                x_disable_stats=True,
                x_disable_machine_info=True,
                x_save_requirements=False,
            ),
        )
        run.define_metric("step")
        run.define_metric("*", step_metric="step")
        # A server says at which event it is; an offline run holds what it was given.
        return _Logged(run, logged if run.offline else run.step)


class _Logged:
    def __init__(self, run: wandb.Run, held: int) -> None:
        self._run = run
        self.held = held

    def log(self, number: int, event: Event) -> None:
        # wandb's own step only grows, and several events may be of one optimizer step.
        self._run.log({**event.values, "step": event.step}, step=number)

    def flush(self) -> None:
        """wandb's own process writes what it is given."""

    def close(self) -> None:
        self._run.finish()
