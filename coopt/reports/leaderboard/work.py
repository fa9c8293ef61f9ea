"""The work that an entry says was done, set against its settings: steps by rounds, students and seeds, and what their
tokens may come to."""

from __future__ import annotations

import math
from collections import Counter
from pathlib import Path

from coopt.core.config.schema import Config
from coopt.core.errors import CooptError, EntryError
from coopt.graph.topology import Topology
from coopt.methods.base import Trained
from coopt.reports.leaderboard.entry import Entry, plain
from coopt.reports.leaderboard.stated import StatedRun, knows_method


def most_steps(entry: Entry, config: Config) -> int:
    """Of all students and seeds, if nobody collapses. ``config``: as the method has it."""
    return config.total_steps * len(entry.students) * len(entry.seeds)


def check_work(path: Path, entry: Entry, config: Config, topology: Topology) -> None:
    """Raises ``EntryError``. Of a method that is not installed here only the run's own bound is known."""
    twice = [word for word, n in Counter(c.feedback for c in entry.costs).items() if n > 1]
    if twice:
        raise EntryError(f"{path}: costs: feedback {twice[0]} appears twice.")
    steps = sum(c.steps for c in entry.costs)
    if not knows_method(entry):
        if steps > most_steps(entry, config):
            raise _other_steps(path, steps, f"at most {most_steps(entry, config)}")
        return
    run = StatedRun(config, topology)
    try:
        method, own = run.method(entry.method), run.settings_of(entry.method)
        tutors = Counter(edge.tutee for edge in run.tutoring(entry.method, topology)[1])
    except CooptError as error:
        raise EntryError(f"{path}: config: {plain(str(error))}") from None
    if not isinstance(method, Trained):
        if steps:
            raise _other_steps(path, steps, "none: this method only averages")
        return
    _check_steps(path, steps, most_steps(entry, own), own.rounds.steps, len(entry.students) * len(entry.seeds))
    responses = method.most_responses(own, max(tutors.values(), default=0))
    a_step = own.rounds.prompts * math.ceil(responses) * own.sampling.max_response_tokens
    for k, cost in enumerate(entry.costs):
        if cost.feedback == "on" and not tutors:
            raise EntryError(f"{path}: costs.{k}: feedback on, but by config {entry.method} has no tutors.")
        most = cost.steps * a_step
        if cost.tokens.rollout > most:
            raise EntryError(
                f"{path}: costs.{k}.tokens.rollout: {cost.tokens.rollout:,}, but by config {cost.steps} steps have at"
                f" most {most:,}."
            )


def _check_steps(path: Path, steps: int, most: int, phase: int, everyone: int) -> None:
    """All of them, less whole rounds of students that collapsed: which nobody can in the first. ``phase``: steps of a
    round; ``everyone``: students of all seeds."""
    least = phase * everyone
    if not least <= steps <= most or (most - steps) % phase:
        fewer = f", or fewer by whole rounds of {phase} (collapsed students), down to {least}" if most > least else ""
        raise _other_steps(path, steps, f"{most}{fewer}")


def _other_steps(path: Path, steps: int, expected: str) -> EntryError:
    return EntryError(f"{path}: costs: {steps} steps; by config, students and seeds there are {expected}.")
