"""How much of what students wrote could be read as an answer: of their final test answers, and of training rollouts."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from coopt.runs.results import ReadingCell


def score_reading(who: str, student: str, domain: str, found: Sequence[Mapping[str, Any]]) -> ReadingCell | None:
    """Of results of ``score_policy`` on one domain, seed by seed; None of an older run, which did not count."""
    if not all("unparsed" in r for r in found):
        return None
    answers = sum(len(row) for r in found for row in r["correct"])
    counted = all("read_otherwise" in r for r in found)
    return ReadingCell(
        who=who,
        student=student,
        domain=domain,
        answers=answers,
        unparsed=sum(r["unparsed"] for r in found) / answers,
        unfinished=sum(r["unfinished"] for r in found) / answers,
        read_otherwise=sum(r["read_otherwise"] for r in found) / answers if counted else None,
        tokens=sum(r["tokens"] for r in found) / answers,
    )


def rollout_readings(steps: Iterable[Mapping[str, Any]]) -> list[ReadingCell]:
    """One cell a method, student and round, of the records of its steps; none of an older run's."""
    groups: dict[tuple[str, str, int], list[Mapping[str, Any]]] = {}
    for step in steps:
        if step.get("rollouts") and "unparsed" in step:
            groups.setdefault((step["method"], step["tutee"], step["round"]), []).append(step)
    return [
        ReadingCell(
            who=method,
            student=student,
            round=round_,
            answers=(count := sum(s["rollouts"] for s in own)),
            unparsed=sum(s["unparsed"] for s in own) / count,
            unfinished=sum(s["unfinished"] for s in own) / count,
            tokens=sum(s["tokens"]["rollout"] for s in own) / count,
        )
        for (method, student, round_), own in groups.items()
    ]
