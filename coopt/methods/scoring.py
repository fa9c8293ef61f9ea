"""avg@k: sample k answers to every question of a split and score them."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from typing import Any

from coopt.core.config.schema import SamplingConfig
from coopt.core.rng import generator
from coopt.domains.base import Domain, Split
from coopt.domains.scoring import extract, is_answered
from coopt.lm.engines.base import Draws, Engine, Sampling
from coopt.lm.policy import Policy


def score_policy(
    policy: Policy,
    engine: Engine,
    domains: Mapping[str, Domain],
    split: Split,
    sampling: SamplingConfig,
    key: Sequence[object],
) -> dict[str, Any]:
    """Score a policy on a split of every domain.

    Returns ``{"domains": {name: {"items", "correct" [questions][k], "answers", "unparsed", "unfinished", "tokens"}},
    "seconds"}``. ``key`` names the random numbers; they do not depend on the policy.
    """
    start = time.perf_counter()
    engine.sync(policy)
    how = Sampling(sampling.eval_temperature, sampling.max_response_tokens, sampling.eval_top_p)
    answer: dict[str, Any] = {"version": 1, "split": split, "domains": {}}
    for name, domain in domains.items():
        items = domain.items(split)
        prompts = [policy.prompt_ids(domain.wording, i.prompt) for i in items]
        # One generator a domain: another domain in the run changes no answer.
        draws = Draws(generator(*key, split, name))
        groups = engine.generate(prompts, sampling.eval_samples, how, draws)
        everything = [g for group in groups for g in group]
        answer["domains"][name] = {
            "items": [i.id for i in items],
            "correct": [[int(domain.score(g.text, i)) for g in gs] for i, gs in zip(items, groups, strict=True)],
            "answers": [[_answer(g.text) for g in gs] for gs in groups],
            "unparsed": sum(
                not is_answered(g.text, i, domain.answer) for i, gs in zip(items, groups, strict=True) for g in gs
            ),
            "unfinished": sum(not g.finished for g in everything),
            "tokens": sum(len(g.tokens) for g in everything),
        }
    answer["seconds"] = time.perf_counter() - start
    return answer


_LONGEST = 100  # characters of an answer that are kept; a response without an answer can be long


def _answer(response: str) -> str:
    """What a response answers, for comparing students with one another."""
    return " ".join(extract(response).split())[:_LONGEST]
