"""The committee rule: a tutor's kept message is scored by the others, and handed on if the mean exceeds a bound.

The judges of a message are its author's reviewers (the graph's review edges; without any, every other node) among
the tutors that are open in the question's domain. A message without a readable score passes unjudged: one open
tutor is no committee.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from statistics import fmean
from typing import Any

from coopt.domains.base import Item
from coopt.methods.rollouts import Told
from coopt.methods.tutors.assign import OpenTutor
from coopt.methods.tutors.base import Request, read_score

MessageAt = tuple[int, int, int]
Said = tuple[Item, Sequence[Sequence[Told]]]
"""The messages on each of a prompt's texts [texts][messages]."""
VoteCounts = dict[str, Any]
"""``written``, ``accepted``, ``scored`` and the sum of mean ``scores``; ``judges``: by name ``readable``, the sum of
``scores``, and ``above`` the bound."""


def vote(
    said: Sequence[Said],
    open_tutors: Sequence[OpenTutor],
    judge_by: Callable[[str, Sequence[Request]], Sequence[str | None]],
    above: float,
) -> list[list[tuple[Told, ...]]]:
    """The messages on each prompt's texts [prompts][texts][messages] with their scores; what does not pass is marked
    ``voted_down``.

    ``judge_by``: what a tutor, by name, writes about messages.
    """
    reviewers = {t.name: t.reviewers for t in open_tutors}
    judgements: dict[MessageAt, list[tuple[str, str]]] = {}
    for judge in open_tutors:
        places = [
            (p, j, k)
            for p, (item, row) in enumerate(said)
            for j, messages in enumerate(row)
            for k, m in enumerate(messages)
            if m.text is not None
            and m.tutor != judge.name
            and judge.name in reviewers.get(m.tutor, ())
            and item.domain in judge.domains
        ]
        requests = [Request(said[p][0], said[p][1][j][k].text or "") for p, j, k in places]
        for place, raw in zip(places, judge_by(judge.name, requests), strict=True):
            if raw is not None:
                judgements.setdefault(place, []).append((judge.name, raw))
    return [
        [
            tuple(_judged(m, judgements.get((p, j, k), []), above) for k, m in enumerate(messages))
            for j, messages in enumerate(row)
        ]
        for p, (_, row) in enumerate(said)
    ]


def _judged(message: Told, judgements: Sequence[tuple[str, str]], above: float) -> Told:
    """The message with what was written about it, and with its mean score where one can be read."""
    # An unreadable score is none, not a low one.
    scores = [s for s in (read_score(raw) for _, raw in judgements) if s is not None]
    mean = fmean(scores) if scores else None
    return message._replace(judgements=tuple(judgements), score=mean, voted_down=mean is not None and mean <= above)


def author_counts(rationales: Sequence[Told], above: float) -> VoteCounts:
    """Of one author's rationales in a step. ``above``: the bound that an accepted mean exceeds."""
    means = [r.score for r in rationales if r.score is not None]
    given: dict[str, list[float]] = {}
    for judge, raw in (said for r in rationales for said in r.judgements):
        score = read_score(raw)
        given.setdefault(judge, []).extend([] if score is None else [score])
    return {
        "written": sum(r.feedback is not None and r.feedback.text is not None for r in rationales),
        "accepted": sum(r.accepted for r in rationales),
        "scored": len(means),
        "scores": sum(means),
        "judges": {
            judge: {"readable": len(own), "scores": sum(own), "above": sum(s > above for s in own)}
            for judge, own in given.items()
        },
    }
