"""What is said of an entry that is run again: how long it took, what it was made with, and what counts as the same."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from coopt.core.statistics.crossed import ALPHA
from coopt.core.tables.cells import duration
from coopt.reports.leaderboard.entry import Entry, plain
from coopt.runs.provenance import code_state, environment

EQUAL = 1e-6
"""Two shares are equal if they differ by no more: another machine adds up in another order."""
RULES = (
    f"The same means equal (within {100 * EQUAL:g} percentage points of the entry) or within interval (in the entry's"
    f" 95 % interval, and no difference shown over the same questions: p >= {ALPHA:g}, Holm over all measures)."
    " Anything else is different. On other hardware a near-tie may turn."
)
_SHORT = 12
"""Characters of a commit."""


def took(entry: Entry) -> str:
    """The training time that an entry records."""
    steps = sum(c.steps for c in entry.costs)
    if not steps:
        return "The entry records no training steps: its method only averages."
    seconds = sum(c.steps * c.seconds_per_step for c in entry.costs)
    return (
        f"The entry records {duration(seconds)} of training steps on one worker ({steps:,} steps of {entry.method});"
        " specialists, scoring and any methods it builds on come on top."
    )


def made_with(entry: Entry) -> list[str]:
    """Commit and version of coopt, and torch: the entry's, those that are here, and what differs."""
    before = list(dict.fromkeys(_parts(p.model_dump()) for p in entry.provenance))
    now = _parts(environment() | code_state())
    differs = [what for k, what in enumerate(_WHAT) if any(b[k] != now[k] for b in before)]
    told = f"Not the same: {', '.join(differs)}." if differs else "The same."
    return [
        f"Made with: {'; or '.join(', '.join(b) for b in before)}.",
        f"Here: {', '.join(now)}. {told}",
    ]


_WHAT = ("coopt", "torch", "GPUs")


def _parts(record: Mapping[str, Any]) -> tuple[str, str, str]:
    packages = record.get("packages") or {}
    commit, changed = record.get("commit"), record.get("dirty")
    at = f" at commit {plain(str(commit))[:_SHORT]}" if commit else ", no commit known"
    gpus: Sequence[str] = record.get("gpus") or []
    return (
        f"coopt {_version(packages, 'coopt')}{at}{' with uncommitted changes' if changed else ''}",
        f"torch {_version(packages, 'torch')}",
        plain(", ".join(dict.fromkeys(gpus)))[:80] or "no GPU",
    )


def _version(packages: Mapping[str, str | None], name: str) -> str:
    return plain(packages.get(name) or "of unknown version")[:40]


def foretold(entry: Entry) -> list[str]:
    """Before it is run again."""
    return [took(entry), *made_with(entry), RULES]
