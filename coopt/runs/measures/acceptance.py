"""What a committee's judges made of its rationales (method ``fair``): added up over steps."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from coopt.methods.tutors.committee import VoteCounts
from coopt.runs.results import AuthorCell, CommitteeCell, JudgeCell


def committee_cells(steps: Iterable[Mapping[str, Any]]) -> list[CommitteeCell]:
    """One cell a method with a committee, over its seeds, students and rounds. ``steps``: their records."""
    found = [s for s in steps if "committee" in s]
    return [
        _cell(method, [s["committee"] for s in found if s["method"] == method])
        for method in dict.fromkeys(s["method"] for s in found)
    ]


def _cell(method: str, steps: Sequence[Mapping[str, Any]]) -> CommitteeCell:
    authors = dict.fromkeys(name for s in steps for name in s["rationales"])
    return CommitteeCell(
        method=method,
        mistakes=sum(s["mistakes"] for s in steps),
        training_items=sum(s["training_items"] for s in steps),
        authors=[_author(name, [s["rationales"][name] for s in steps if name in s["rationales"]]) for name in authors],
    )


def _author(name: str, counts: Sequence[VoteCounts]) -> AuthorCell:
    total: Counter[str] = Counter()
    for own in counts:
        total.update({k: v for k, v in own.items() if k != "judges"})
    judges: dict[str, Counter[str]] = {}
    for judge, given in (pair for own in counts for pair in own["judges"].items()):
        judges.setdefault(judge, Counter()).update(given)
    return AuthorCell(
        author=name,
        written=total["written"],
        accepted=total["accepted"],
        mean_score=total["scores"] / total["scored"] if total["scored"] else None,
        judges=[
            JudgeCell(
                judge=judge,
                readable=given["readable"],
                mean_score=given["scores"] / given["readable"] if given["readable"] else None,
                above=given["above"],
            )
            for judge, given in sorted(judges.items())
        ],
    )
