"""Bootstrap, verdicts, Pareto, break-rates: against scipy and by hand."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import stats

from coopt.metrics.bootstrap import interval, interval_of_ratio, ratio_interval, resample_weights
from coopt.metrics.break_rates import Grids, rates, stack
from coopt.metrics.pareto import mutual, pareto_draws, pareto_improves
from coopt.metrics.verdicts import change, verdict
from coopt.rng import generator

NAN = float("nan")


def test_interval_of_a_mean_agrees_with_scipy() -> None:
    values = generator("values").random(300) ** 2
    ours = interval(resample_weights(300, 20000, generator("a")) @ values)
    theirs = stats.bootstrap((values,), np.mean, n_resamples=20000, method="percentile", rng=1).confidence_interval
    assert ours == pytest.approx((theirs.low, theirs.high), abs=1e-3)


def test_ratio_interval_resamples_questions_not_answers() -> None:
    """All-or-nothing questions: the interval is that of 50 questions, not of 400 answers."""
    changed = np.array([8.0] * 10 + [0.0] * 40)
    asked = np.full(50, 8.0)
    found = ratio_interval(changed, asked, 20000, generator("b"))
    assert found is not None
    binomial = stats.binomtest(10, 50).proportion_ci(method="wilson")
    assert found == pytest.approx((binomial.low, binomial.high), abs=0.04)
    assert ratio_interval(np.zeros(0), np.zeros(0), 100, generator("c")) is None


def test_a_ratio_leaves_out_draws_without_a_denominator() -> None:
    above, below = np.array([1.0, 0.0, 2.0, -1.0]), np.array([2.0, 0.0, 4.0, -1.0])
    assert interval_of_ratio(above, below) == (0.5, 0.5)
    assert interval_of_ratio(above, np.zeros(4)) is None


def test_a_verdict_needs_the_interval_and_every_seed() -> None:
    assert verdict(0.01, 0.1, [0.02, 0.08]) == "improves"
    assert verdict(0.01, 0.1, [-0.01, 0.12]) == "no difference shown"
    assert verdict(-0.01, 0.1, [0.02, 0.08]) == "no difference shown"
    assert verdict(-0.1, -0.01, [-0.02]) == "worse"


def test_change_is_paired() -> None:
    """A constant gain of 0.1 on every question has no width, however noisy the scores are."""
    found = change(np.full((2, 50), 0.1), resample_weights(50, 500, generator("d")))
    assert (found.value, found.low, found.high) == pytest.approx((0.1, 0.1, 0.1))
    assert found.verdict == "improves"


def test_pareto_is_the_papers_definition() -> None:
    assert pareto_improves([0.0, 0.1])
    assert not pareto_improves([0.0, 0.0])
    assert not pareto_improves([-0.1, 0.5])
    draws = pareto_draws(np.array([[0.1, 0.0, -0.1, 0.2], [0.0, 0.0, 0.3, 0.1]]))
    assert draws.tolist() == [True, False, False, True]
    assert mutual({"a": draws, "b": np.array([True, True, True, False])}) == 0.25


def test_break_and_fix_rates_by_hand() -> None:
    before = np.array([[1, 1, 1, 1, 1, 1, 1, 0], [0, 0, 0, 0, 0, 0, 0, 1]], dtype=float)
    after = np.array([[1, 0, 1, 1, 1, NAN, 1, 1], [0, 0, 1, 0, 0, 0, 0, 0]])
    control = np.array([[1, 1, 1, 1, 1, NAN, 1, 0], [0, 0, 0, 0, 0, 0, 0, 1]])
    grids = Grids(np.array(["q1", "q2"]), before, after, control)
    everything = rates(grids, "all", 1, 200)
    assert everything["break"].n == 7
    assert everything["break"].rate == pytest.approx(2 / 7)
    assert everything["break_control"].rate == 0
    assert everything["fix"].rate == pytest.approx(2 / 8)
    easy, hardest = rates(grids, "very easy (0-1)", 1, 200), rates(grids, "hardest (7)", 1, 200)
    assert easy["break"].rate == pytest.approx(1 / 6)
    assert hardest["break"] == (1, 1.0, 1.0, 1.0)
    assert rates(grids, "all", 8, 200)["break"] == (7, None, None, None)


def test_control_is_matched_to_the_same_answers() -> None:
    domain = {
        "items": ["q"],
        "before": [[1, 1]],
        "again": [[0, 1]],
        "s": [[1, None]],
        "edges": {"a -> b": {"f": [[None, 1]], "sf": [[0, None]]}},
    }
    found = Grids.of(domain, "a -> b", "f")
    assert np.isnan(found.control).tolist() == [[True, False]]


def test_the_same_question_in_two_seeds_is_one_cluster() -> None:
    """Laying every line down twice must not make the interval narrower."""
    rng = generator("twice")
    before, after = np.ones((40, 8)), (rng.random((40, 1)) < 0.7) * np.ones((40, 8))
    once = Grids(np.array([f"q{k}" for k in range(40)]), before, after, after)
    single, double = (rates(g, "all", 1, 4000)["break"] for g in (once, stack([once, once])))
    assert single.low is not None
    assert double.low is not None
    assert single.high is not None
    assert double.high is not None
    assert double.high - double.low == pytest.approx(single.high - single.low, rel=0.05)
