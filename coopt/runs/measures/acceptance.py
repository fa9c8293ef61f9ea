"""What a committee's judges made of its rationales (method ``fair``): counted step by step, then added up."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from coopt.methods.tutors.base import read_score
from coopt.methods.base import Told
from coopt.runs.measures.results import AuthorCell, CommitteeCell, JudgeCell

Counts = dict[str, Any]
"""``written``, ``accepted``, ``scored`` and the sum of mean ``scores``; ``judges``: by name ``readable``, the sum of
``scores``, and ``above`` the bound."""


def is_accepted(rationale: Told) -> bool:
    """Judged, and not voted down."""
    return rationale.score is not None and not rationale.voted_down


def author_counts(rationales: Sequence[Told], above: float) -> Counts:
    """Of one author's rationales in a step. ``above``: the bound that an accepted mean exceeds."""
    means = [r.score for r in rationales if r.score is not None]
    given: dict[str, list[float]] = {}
    for judge, raw in (said for r in rationales for said in r.judgements):
        score = read_score(raw)
        given.setdefault(judge, []).extend([] if score is None else [score])
    return {
        "written": sum(r.feedback is not None and r.feedback.text is not None for r in rationales),
        "accepted": sum(map(is_accepted, rationales)),
        "scored": len(means),
        "scores": sum(means),
        "judges": {
            judge: {"readable": len(own), "scores": sum(own), "above": sum(s > above for s in own)}
            for judge, own in given.items()
        },
    }


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


def _author(name: str, counts: Sequence[Counts]) -> AuthorCell:
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
