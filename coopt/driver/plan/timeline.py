"""One step of every student on a number of GPUs, second by second, from assumed speeds.

Students that train at the same time get groups of ``parallel.ranks`` GPUs, the first ones first; the others wait until
a group is free. (A group does all steps of a student before it takes the next one: here each does one.)
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal, NamedTuple

from coopt.driver.plan.assumed import Assumed
from coopt.driver.plan.plan import Plan
from coopt.driver.tasks.task import Train

What = Literal["sync", "rollouts", "tail", "feedback", "update"]
WORKS = frozenset(("rollouts", "feedback", "update"))
"""In which a GPU computes; in the others it waits: for weights on their way, or for the longest response."""


class Span(NamedTuple):
    """What a group of GPUs does from ``start`` to ``end``, in seconds."""

    group: int
    start: float
    end: float
    what: What
    student: str


@dataclass(frozen=True)
class Timeline:
    """Spans of all groups. A step is over when every student has done it."""

    gpus: int
    ranks: int
    spans: tuple[Span, ...]

    @property
    def groups(self) -> int:
        return self.gpus // self.ranks

    @property
    def seconds(self) -> float:
        return max((s.end for s in self.spans), default=0.0)

    @property
    def idle(self) -> float:
        """Share of the GPUs' time in which they compute nothing."""
        busy = sum(s.end - s.start for s in self.spans if s.what in WORKS) * self.ranks
        return 1 - busy / (self.gpus * self.seconds) if self.spans else 1.0


def timeline(plan: Plan, gpus: int) -> Timeline:
    """The step of all students in the first round of the plan's last method with tutors (without one: the last method).
    No spans if there are fewer GPUs than one student takes, or nobody is trained."""
    ranks = plan.run.config.parallel.ranks
    free = [0.0] * (gpus // ranks)
    spans: list[Span] = []
    for tasks in _phases(plan) if free else ():
        free = [max(free)] * len(free)  # a phase begins when the one before it is over
        for task in tasks:
            group = free.index(min(free))
            for what, seconds in step_parts(plan, task):
                spans.append(Span(group, free[group], free[group] + seconds, what, task.tutee))
                free[group] += seconds
    return Timeline(gpus, ranks, tuple(spans))


def step_parts(plan: Plan, task: Train) -> list[tuple[What, float]]:
    """What a step of a tutee does, one after another, and the seconds of each. Parts that take no time are left out."""
    assumed, tokens = plan.assumed or Assumed(), plan.step_tokens(task)
    config = plan.run.config
    sync = assumed.sync if config.engine.kind == "vllm" else 0.0
    swaps = len({t.name for t in task.tutors}) if tokens.feedback and not config.one_base else 0
    rollouts = tokens.rollouts / plan.speed.generate
    longest = min(assumed.longest_response, config.sampling.max_response_tokens) / assumed.row
    parts: list[tuple[What, float]] = [
        ("sync", sync if rollouts else 0.0),
        ("rollouts", rollouts),
        ("tail", max(0.0, longest - rollouts) if rollouts else 0.0),
        ("sync", sync * swaps),
        ("feedback", tokens.feedback / plan.speed.generate),
        ("update", tokens.trained / plan.speed.train),
    ]
    return [(what, seconds) for what, seconds in parts if seconds]


def _phases(plan: Plan) -> list[Sequence[Train]]:
    """Lists of the students that train at the same time, of one round."""
    seed, found = plan.run.config.seed, dict[str, list[list[Train]]]()
    for tasks in plan.lists():
        trained = [t for t in tasks if isinstance(t, Train) and (t.seed, t.round) == (seed, 1)]
        if trained:
            found.setdefault(trained[0].method, []).append(trained)
    tutored = [phases for phases in found.values() if any(t.tutors for tasks in phases for t in tasks)]
    return list((tutored or list(found.values()) or [[]])[-1])
