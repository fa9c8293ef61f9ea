"""What the pictures of single rollouts share: which are shown, how strong a token's colour is, and safe text."""

from __future__ import annotations

import math
from collections.abc import Sequence
from itertools import groupby
from typing import NamedTuple

import numpy as np

from coopt.core.text import visible
from coopt.reports.advantages.traces import Trace

_WRONG_SHARE = 0.75  # of what is shown: where a rollout goes wrong there is something to see
_END, _NOTHING = "∎", "▫"


class Panel(NamedTuple):
    """One place in the batches of a run: the same prompt, rollout for rollout, as each arm has it."""

    traces: list[Trace]

    @property
    def first(self) -> Trace:
        return self.traces[0]


def choose(traces: Sequence[Trace], limit: int) -> list[Panel]:
    """At most ``limit`` places, each of another question: first those that most arms have, with one text and early;
    most of them wrong."""
    order = {method: k for k, method in enumerate(dict.fromkeys(t.method for t in traces))}
    ordered = sorted(traces, key=lambda t: (*map(str, t.place), order[t.method]))
    places = [Panel(list(own)) for _, own in groupby(ordered, key=lambda t: t.place)]
    places.sort(key=lambda q: (-len(q.traces), len({t.tokens for t in q.traces}), q.first.step))
    found: dict[str, list[Panel]] = {"wrong": [], "correct": []}
    seen: set[str] = set()
    for q in places:
        if q.first.item.id not in seen:
            seen.add(q.first.item.id)
            found[q.first.group].append(q)
    wrong = max(round(_WRONG_SHARE * limit), limit - len(found["correct"]))
    shown = found["wrong"][:wrong]
    return [*shown, *found["correct"][: limit - len(shown)]]


def full_colour(questions: Sequence[Panel]) -> float:
    """The |A| that gets the strongest colour: what one token in a hundred of the pictures reaches, at least 1 nat."""
    sizes = [abs(t.values) for q in questions for t in q.traces]
    return max(1.0, float(np.percentile(np.concatenate(sizes), 99))) if sizes else 1.0


def strength(advantage: float, full: float) -> float:
    """Of a token's colour, 0 to 1: logarithmic, so that a tenth of a nat and ten nats can both be told from nothing."""
    return min(1.0, math.log1p(abs(advantage)) / math.log1p(full))


def at_strength(share: float, full: float) -> float:
    """The advantage whose colour has this strength; negative for negative ones."""
    return math.copysign(math.expm1(abs(share) * math.log1p(full)), share)


def shown_tokens(trace: Trace) -> list[str]:
    """Tokens as they are shown: line ends visible, and a sign for what adds nothing to the text."""
    texts = [visible(t).replace("\n", "↵\n") or _NOTHING for t in trace.tokens]
    if trace.tokens and not trace.tokens[-1]:
        texts[-1] = _END
    return texts
