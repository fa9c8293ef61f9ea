"""The item model against Monte Carlo and closed forms."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.special import expit
from scipy.stats import binom, multivariate_normal, norm

from coopt.driver.simulate.constants import Items
from coopt.driver.simulate.fit_items import both_known
from coopt.driver.simulate.items import GRID_G, ItemModel, quadrature

DRAWS = 400_000
THETA, TUTOR = 0.7, 0.2


def items(steepness: float = 5.0, common: float = 0.3) -> Items:
    return Items(steepness=steepness, guess=0.05, slip=0.03, common=common)


@pytest.fixture(scope="module", params=[0.8, 5.0, 20.0])
def drawn(request: pytest.FixtureRequest) -> tuple[ItemModel, dict[str, np.ndarray]]:
    """A model, and its questions drawn one by one."""
    rng, model = np.random.default_rng(1), ItemModel(items(request.param), 8)
    tutee_b = rng.standard_normal(DRAWS)
    tutor_b = 0.3 * tutee_b + np.sqrt(1 - 0.3**2) * rng.standard_normal(DRAWS)
    known = expit(request.param * (THETA - tutee_b))
    right = 0.05 + (1 - 0.05 - 0.03) * known
    return model, {
        "known": known,
        "right": right,
        "count": rng.binomial(8, right),
        "tutor": expit(request.param * (TUTOR - tutor_b)),
    }


def test_quadrature_is_that_of_the_standard_normal() -> None:
    points, weights = quadrature()
    moments = [weights @ points**k for k in range(7)]
    assert moments == pytest.approx([1, 0, 1, 0, 3, 0, 15], abs=1e-9)


def test_accuracy_and_its_variances_agree_with_monte_carlo(drawn: tuple[ItemModel, dict[str, np.ndarray]]) -> None:
    model, x = drawn
    between, within = model.score_variances(np.array(THETA))
    assert model.accuracy(np.array(THETA)) == pytest.approx(x["known"].mean(), abs=3e-3)
    assert between == pytest.approx(x["known"].var(), abs=3e-3)
    assert within == pytest.approx((x["known"] * (1 - x["known"])).mean(), abs=3e-3)


def test_numbers_of_right_rollouts_agree_with_monte_carlo(drawn: tuple[ItemModel, dict[str, np.ndarray]]) -> None:
    model, x = drawn
    shares = model.correct_shares(np.array(THETA))
    assert shares.sum() == pytest.approx(1)
    assert shares == pytest.approx(np.bincount(x["count"], minlength=9) / DRAWS, abs=3e-3)


def test_what_a_tutor_knows_agrees_with_monte_carlo(drawn: tuple[ItemModel, dict[str, np.ndarray]]) -> None:
    model, x = drawn
    ends = np.array([TUTOR]), np.array([THETA])
    none, one = x["count"] == 0, x["count"] == 1
    assert model.known_without(*ends)[0] == pytest.approx(x["tutor"][none].mean(), abs=0.01)
    assert model.known_with_one(*ends)[0] == pytest.approx(x["tutor"][one].mean(), abs=0.02)
    by_right = (x["tutor"] * x["right"]).sum() / x["right"].sum()
    assert model.known_if_right(*ends)[0] == pytest.approx(by_right, abs=3e-3)


def test_a_steep_question_is_known_or_not() -> None:
    model = ItemModel(items(steepness=20.0), 8)
    theta = np.array([-1.0, 0.0, 1.5])
    assert model.accuracy(theta) == pytest.approx(norm.cdf(theta), abs=3e-3)
    half = model.correct_shares(np.array([0.0]))[0]
    bimodal = 0.5 * binom.pmf(np.arange(9), 8, 0.05) + 0.5 * binom.pmf(np.arange(9), 8, 0.97)
    assert half == pytest.approx(bimodal, abs=0.04)


def test_competence_is_the_inverse_of_accuracy() -> None:
    model = ItemModel(items(), 8)
    theta = np.linspace(-2.5, 2.5, 11)
    assert model.competence(model.accuracy(theta)) == pytest.approx(theta, abs=1e-6)
    assert model.competence(np.array([0.0, 1.0])).tolist() == [GRID_G[0], GRID_G[-1]]


def test_without_common_difficulty_a_tutor_knows_what_it_knows_anywhere() -> None:
    model = ItemModel(items(common=0.0), 8)
    tutor, tutee = np.array([0.8, 0.8]), np.array([-0.5, 1.5])
    assert model.known_without(tutor, tutee) == pytest.approx(model.accuracy(tutor), abs=1e-3)


def test_disagreement_of_two_and_of_many_agrees_with_brute_force() -> None:
    model, rng = ItemModel(items(common=0.4), 8), np.random.default_rng(2)
    theta = np.array([0.9, -0.3, 0.4, 1.5])
    shared = rng.standard_normal((DRAWS, 1))
    b = np.sqrt(0.4) * shared + np.sqrt(0.6) * rng.standard_normal((DRAWS, 4))
    p = expit(5.0 * (theta - b))
    pairs = [(i, j) for i in range(4) for j in range(4) if i != j]
    brute = np.mean([(p[:, i] * (1 - p[:, j]) + (1 - p[:, i]) * p[:, j]).mean() for i, j in pairs])
    assert model.disagreement(theta) == pytest.approx(brute, abs=2e-3)
    assert model.disagreement(theta[:1]) == 0.0


@pytest.mark.parametrize("common", [0.0, 0.3, 0.8])
def test_both_known_is_the_bivariate_normal(common: float) -> None:
    exact = multivariate_normal.cdf([0.4, -0.2], cov=[[1, common], [common, 1]])
    assert both_known(np.array(0.4), np.array(-0.2), common) == pytest.approx(exact, abs=1e-4)
