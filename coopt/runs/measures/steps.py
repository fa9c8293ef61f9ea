"""The numbers of a step's record (``coopt.methods.records``), for trackers and for tidy files."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

OF_TUTORS = ("outcomes", "told")
"""Fields that hold a mapping for each tutor."""


def numbers(record: Mapping[str, Any]) -> dict[str, float]:
    """Name -> value of all numbers of a record but its step, a nested one as ``tokens/rollout`` or
    ``outcomes/TUTOR/kept``; with the mean reward and the tokens a second. Texts are left out; of the tutors that stayed
    away only their number is told."""
    found = dict(_flat(record, ""))
    found.pop("step", None)
    found["away"] = float(len(record.get("away") or ()))
    if record.get("rollouts"):
        found["reward"] = found.get("correct", 0.0) / found["rollouts"]
    seconds = found.get("seconds/total")
    if seconds:
        tokens = sum(value for name, value in found.items() if name.startswith("tokens/"))
        found["tokens_per_second"] = tokens / seconds
    return found


def summed(record: Mapping[str, Any]) -> dict[str, float]:
    """The same in words that are column names, with the counts of all tutors added up: ``outcomes_kept``."""
    total: dict[str, float] = {}
    for name, value in numbers(record).items():
        parts = name.split("/")
        key = "_".join([parts[0], *parts[2:]] if parts[0] in OF_TUTORS else parts)
        total[key] = total.get(key, 0.0) + value
    return total


def _flat(tree: Mapping[str, Any], prefix: str) -> Iterator[tuple[str, float]]:
    for name, value in tree.items():
        if isinstance(value, Mapping):
            yield from _flat(value, f"{prefix}{name}/")
        elif isinstance(value, (bool, int, float)):
            yield f"{prefix}{name}", float(value)
