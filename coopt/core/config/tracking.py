"""Where a run's curves are shown besides its own folder. It does not define a run."""

from __future__ import annotations

from typing import Any, Literal

from pydantic import Field, field_validator

from coopt.core.config.section import Section

Tracker = Literal["tensorboard", "trackio", "wandb"]


class TrackingConfig(Section):
    """Experiment trackers (docs/tracking.md). The driver feeds them; they change no result."""

    to: tuple[Tracker, ...] = ()
    """none, or a comma list of tensorboard, trackio and wandb; each needs its extra (pip install 'coopt[trackio]')."""
    project: str = Field("coopt", pattern=r"^[A-Za-z0-9][A-Za-z0-9_-]{0,63}$")
    """The trackio or wandb project that holds the bench's tracked runs."""

    @field_validator("to", mode="before")
    @classmethod
    def _listed(cls, given: Any) -> Any:
        words = given.split(",") if isinstance(given, str) else given
        if not isinstance(words, (list, tuple)):
            return given
        plain = [w.strip() if isinstance(w, str) else w for w in words]
        return tuple(dict.fromkeys(w for w in plain if w not in ("", "none")))
