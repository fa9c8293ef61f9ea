"""avg@k: sample k answers to every question of a split and score them."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from typing import Any

from coopt.core.config.schema import SamplingConfig
from coopt.core.rendezvous import seconds
from coopt.core.rng import generator
from coopt.domains.base import Domain, Split
from coopt.domains.scoring import is_read_otherwise
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

    Returns ``{"domains": {name: {"items", "correct" [questions][k], "answers", "unparsed", "read_otherwise",
    "unfinished", "tokens", "sample"}}, "seconds"}``. ``read_otherwise``: answers that the other way of reading reads
    differently (``coopt.domains.scoring``); ``sample``: one response. ``key`` names the random numbers; they do not
    depend on the policy.
    """
    start = seconds()
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
        texts = [(i, [g.text for g in gs]) for i, gs in zip(items, groups, strict=True)]
        read = [[domain.read(text, i) for text in own] for i, own in texts]
        answer["domains"][name] = {
            "items": [i.id for i in items],
            "correct": [[int(r.correct) for r in row] for row in read],
            "answers": [[_short(r.answer) for r in row] for row in read],
            "unparsed": sum(not r.read for row in read for r in row),
            "read_otherwise": sum(
                is_read_otherwise(text, i, domain.answer, r, domain.extraction)
                for (i, own), row in zip(texts, read, strict=True)
                for text, r in zip(own, row, strict=True)
            ),
            "unfinished": sum(not g.finished for g in everything),
            "tokens": sum(len(g.tokens) for g in everything),
            "sample": everything[0].text[:_SAMPLE] if everything else "",
        }
    answer["seconds"] = seconds() - start
    return answer


_LONGEST = 100  # characters of an answer that are kept; a response without an answer can be long
_DIGEST = 12
_SAMPLE = 2000  # characters of the sample


def _short(answer: str) -> str:
    """An answer as it is kept, for comparing students with one another: a long one by its beginning and its digest."""
    text = " ".join(answer.split())
    if len(text) <= _LONGEST:
        return text
    digest = hashlib.sha256(text.encode()).hexdigest()[:_DIGEST]
    return f"{text[: _LONGEST - _DIGEST - 1]}…{digest}"
