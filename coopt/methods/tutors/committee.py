"""The committee rule: a tutor's kept message is scored by the others, and handed on if the mean exceeds a bound.

The judges of a message are its author's reviewers (the graph's review edges; without any, every other node) among
the tutors that are open in the question's domain. A message without a readable score passes unjudged: one open
tutor is no committee.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from statistics import fmean

from coopt.methods.base import Messages, RolloutGroup, Told
from coopt.methods.tutors.assign import OpenTutor
from coopt.methods.tutors.base import Request, read_score

Place = tuple[int, int, int]


def vote(
    messages: Messages,
    groups: Sequence[RolloutGroup],
    open_tutors: Sequence[OpenTutor],
    judge_by: Callable[[str, Sequence[Request]], Sequence[str | None]],
    above: float,
) -> Messages:
    """``messages`` with their scores; what does not pass is marked ``voted_down``.

    ``judge_by``: what a tutor, by name, writes about messages.
    """
    reviewers = {t.name: t.reviewers for t in open_tutors}
    judgements: dict[Place, list[tuple[str, str]]] = {}
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
        for place, raw in zip(places, judge_by(judge.name, requests), strict=True):
            if raw is not None:
                judgements.setdefault(place, []).append((judge.name, raw))
    return [
        [
            tuple(_judged(m, judgements.get((p, j, k), []), above) for k, m in enumerate(said))
            for j, said in enumerate(row)
        ]
        for p, row in enumerate(messages)
    ]


def _judged(message: Told, judgements: Sequence[tuple[str, str]], above: float) -> Told:
    """The message with what was written about it, and with its mean score where one can be read."""
    scores = [s for s in (read_score(raw) for _, raw in judgements) if s is not None]
    mean = fmean(scores) if scores else None
    return message._replace(judgements=tuple(judgements), score=mean, voted_down=mean is not None and mean <= above)
