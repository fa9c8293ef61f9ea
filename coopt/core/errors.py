"""Errors that a user can mend. The command line prints them as one line and exits with their code.

CooptError
├── ConfigError      a setting, flag or preset
├── TopologyError    a graph file
├── DataError        benchmark rows
├── ModelError       a model directory
├── RunError         a run directory
│   ├── DamagedError a file of it that is not what was written
│   └── KilledError  a process of a task was killed: the same task may well be done at the next try
├── PluginError      a gate or method of somebody's own
├── EntryError       a leaderboard entry that cannot be believed
├── EngineError      a rollout engine that cannot serve what it should
└── TrainingError    training had to stop (non-finite loss)
"""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterable
from pathlib import Path

from coopt.core.text import one_line

# User and password of an address that somebody gave where none is taken; logs keep what is printed.
_CREDENTIALS = re.compile(r"(?<=://)[^\s/?#]{1,300}@")
_LONGEST = 4000  # characters of an error; the longest list of allowed names is shorter


class CooptError(ValueError):
    """What is wrong, where, and what to do next, in one line, whatever the names in it hold."""

    exit_code = 2

    def __str__(self) -> str:
        line = _CREDENTIALS.sub("***@", one_line(str(self.args[0]) if self.args else ""))
        return line if len(line) <= _LONGEST else f"{line[:_LONGEST]}... ({len(line):,} characters)"


class ConfigError(CooptError):
    """A setting that coopt does not have or cannot take."""


class TopologyError(CooptError):
    """A graph that cannot be trained."""


class DataError(CooptError):
    """Rows that cannot be read, or that are not what their mapping says."""


class ModelError(CooptError):
    """A directory that is not a causal language model with a chat template."""


class RunError(CooptError):
    """A run directory that cannot be used as asked."""


class DamagedError(RunError):
    """A file of a run that is not what was written into it. ``output``: what is to be made again, if that is known."""

    def __init__(self, message: str, output: Path | None = None) -> None:
        super().__init__(message, output)  # as it is pickled on its way from a worker
        self.output = output


class KilledError(RunError):
    """Somebody killed a process that a task needs. It is no fault of the task."""


class PluginError(CooptError):
    """A gate or a method, as a rule somebody's own, that does not return what it should."""


class EntryError(CooptError):
    """A leaderboard entry that does not have the schema, or whose numbers do not follow from its outcomes."""


class EngineError(CooptError):
    """A rollout engine that does not start, stops, or does not serve the policy's present weights."""

    exit_code = 1


class TrainingError(CooptError):
    """Training stopped before an update that would have broken the weights."""

    exit_code = 1


def unknown(what: str, given: str, allowed: Iterable[str], where: str = "") -> str:
    """The sentence for a name that does not exist: the nearest allowed name and all of them."""
    names = sorted(allowed)
    near = difflib.get_close_matches(given, names, n=1)
    hint = f" Did you mean '{near[0]}'?" if near else ""
    return f"{where}unknown {what} '{given}'.{hint} Allowed: {', '.join(names)}."
