"""The committee rule: a tutor's kept message is scored by the others, and handed on if the mean exceeds a bound.

The judges of a message are its author's reviewers (the graph's review edges; without any, every other node) among
the tutors that are open in the question's domain. A message without a readable score passes unjudged: one open
tutor is no committee.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from statistics import fmean

from coopt.feedback.assign import OpenTutor
from coopt.feedback.tutors import Request
from coopt.methods.base import Messages, RolloutGroup

Place = tuple[int, int, int]


def vote(
    messages: Messages,
    groups: Sequence[RolloutGroup],
    open_tutors: Sequence[OpenTutor],
    judge_by: Callable[[str, Sequence[Request]], Sequence[float | None]],
    above: float,
) -> Messages:
    """``messages`` with their scores; what does not pass is marked ``voted_down``.

    ``judge_by``: the scores that a tutor, by name, gives to messages.
    """
    reviewers = {t.name: t.reviewers for t in open_tutors}
    scores: dict[Place, list[float]] = {}
    for judge in open_tutors:
        places = [
            (p, j, k)
            for p, row in enumerate(messages)
            for j, said in enumerate(row)
            for k, m in enumerate(said)
            if m.text is not None
            and m.tutor != judge.name
            and judge.name in reviewers.get(m.tutor, ())
            and groups[p].item.domain in judge.domains
        ]
        requests = [Request(groups[p].item, messages[p][j][k].text or "") for p, j, k in places]
        for place, score in zip(places, judge_by(judge.name, requests), strict=True):
            if score is not None:
                scores.setdefault(place, []).append(score)
    means = {place: fmean(given) for place, given in scores.items()}
    return [
        [
            tuple(
                m._replace(score=means[p, j, k], voted_down=means[p, j, k] <= above) if (p, j, k) in means else m
                for k, m in enumerate(said)
            )
            for j, said in enumerate(row)
        ]
        for p, row in enumerate(messages)
    ]
