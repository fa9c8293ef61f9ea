"""GRPO's advantages."""

from __future__ import annotations

import math

import pytest

from coopt.core.config.load import load_config
from coopt.methods.algorithms.grpo import GRPO, GRPOOptions

REWARDS = [1.0, 0.0, 0.0, 1.0, 0.0, 0.0, 0.0, 0.0]


def test_advantages_are_rewards_less_their_mean() -> None:
    assert GRPO().advantages(REWARDS) == [0.75 if r else -0.25 for r in REWARDS]


def test_the_classic_form_divides_by_the_sample_standard_deviation() -> None:
    """n - 1, as in verl and TRL; a group of equal rewards gives 0, not 0/0."""
    classic = GRPO(GRPOOptions(std=True))
    spread = math.sqrt((2 * 0.75**2 + 6 * 0.25**2) / 7) + 1e-4
    assert classic.advantages(REWARDS) == pytest.approx([(0.75 if r else -0.25) / spread for r in REWARDS])
    assert classic.advantages([1.0] * 8) == [0.0] * 8


def test_it_has_a_learning_rate_of_its_own_if_it_is_given_one() -> None:
    config = load_config(settings=["optimizer.lr=1e-5"])
    assert GRPO().configure(config).optimizer.lr == 1e-5
    own = GRPO(GRPOOptions(lr=1e-6)).configure(config)
    assert own.optimizer.lr == 1e-6
    assert own.optimizer.warmup == config.optimizer.warmup
