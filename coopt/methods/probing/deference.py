"""Deference: does a self-teacher believe feedback over its own right answer?

Nothing is generated: the answers that keep to s and that follow f are set against one another by the probability that
the model gives them after the self-teacher's prompt (as letters: among all options).
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import NamedTuple

from coopt.core.config.schema import LossConfig
from coopt.domains.base import Domain
from coopt.domains.reprompt import reprompt
from coopt.lm.likelihood import log_likelihoods
from coopt.lm.policy import Policy
from coopt.methods.probing.cases import Contradiction

CONTEXTS: Mapping[str, str] = {
    "s_f": "s, then f",
    "f_s": "f, then s",
    "f": "f alone",
    "s": "s alone",
    "none": "neither",
}
"""What stands before the model. With s alone and with neither, following f is what would have been said anyway."""


class Preference(NamedTuple):
    """Of one question: the probabilities of both answers among those that were compared."""

    question: str
    keeps: float
    follows: float

    @property
    def defers(self) -> bool:
        return self.follows > self.keeps


def preferences(
    policy: Policy, domain: Domain, cases: Sequence[Contradiction], context: str, loss: LossConfig
) -> list[Preference | None]:
    """One for each case; None where its prompt does not fit the model. ``context``: a key of ``CONTEXTS``."""
    rows: list[tuple[tuple[int, ...], tuple[int, ...]]] = []
    counts: list[int] = []
    for case in cases:
        prompt = tuple(policy.prompt_ids(domain.wording, _prompt(domain, case, context)))
        responses = [policy.response_ids(text) for text in (case.right, case.wrong, *case.others)]
        fits = len(prompt) + max(map(len, responses)) <= policy.context_length
        rows += [(prompt, response) for response in responses if fits]
        counts.append(len(responses) if fits else 0)
    found = iter(log_likelihoods(policy, rows, loss))
    return [
        _preference(case, [next(found) for _ in range(count)]) if count else None
        for case, count in zip(cases, counts, strict=True)
    ]


def _prompt(domain: Domain, case: Contradiction, context: str) -> str:
    s = case.s if "s" in context.split("_") else None
    f = case.feedback if "f" in context.split("_") else None
    return reprompt(domain.wording, case.item.prompt, s, f, order="f_s" if context == "f_s" else "s_f")


def _preference(case: Contradiction, likelihoods: Sequence[float]) -> Preference:
    top = max(likelihoods)
    shares = [math.exp(x - top) for x in likelihoods]
    return Preference(case.item.id, shares[0] / sum(shares), shares[1] / sum(shares))
