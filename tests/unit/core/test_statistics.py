"""Bootstrap, verdicts, Pareto, break-rates: against scipy and by hand."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import stats

from coopt.core.rng import generator
from coopt.core.statistics.bootstrap import interval, interval_of_ratio, ratio_interval, resample_weights
from coopt.core.statistics.ranking import ranks
from coopt.core.statistics.samples import majority_at_k, pass_at_k
from coopt.core.statistics.significance import detectable, holm, p_value
from coopt.core.statistics.verdicts import change, corrected, verdict
from coopt.runs.measures.break_rates import Grids, rates, stack
from coopt.runs.measures.pareto import mutual, pareto_draws, pareto_improves

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


def test_p_agrees_with_a_t_test() -> None:
    values = generator("p").normal(0.02, 0.3, 400)
    draws = resample_weights(400, 20000, generator("p draws")) @ values
    assert p_value(float(values.mean()), draws) == pytest.approx(stats.ttest_1samp(values, 0).pvalue, rel=0.05)
    assert p_value(0.1, np.full(50, 0.1)) == 0.0
    assert p_value(0.0, np.zeros(50)) == 1.0


def test_holm_by_hand_and_in_order() -> None:
    assert holm([0.01, 0.04, 0.03, 0.005]) == pytest.approx([0.03, 0.06, 0.06, 0.02])
    assert holm([0.6, 0.9]) == [1.0, 1.0]
    assert holm([]) == []


def test_a_detectable_effect_is_detected_in_four_of_five_repeats() -> None:
    rng = generator("repeats")
    values = rng.normal(0, 1, 500)
    effect = detectable(resample_weights(500, 4000, generator("power")) @ values)
    error = values.std(ddof=1) / np.sqrt(500)
    found = np.abs(rng.normal(effect, error, 4000)) / error > stats.norm.isf(0.025)
    assert found.mean() == pytest.approx(0.8, abs=0.03)


def test_correction_takes_verdicts_away_and_gives_none() -> None:
    """Twenty cells, one of them at p = 0.03: shown alone, not shown among them."""
    draws = resample_weights(200, 2000, generator("family"))
    values = generator("cells").normal(0, 0.2, (20, 200))
    values -= values.mean(axis=1, keepdims=True)
    values[0] += 2.2 * values[0].std() / np.sqrt(200)
    alone = [change(v[None], draws) for v in values]
    assert [c.verdict for c in alone] == ["improves"] + ["no difference shown"] * 19
    assert {c.verdict for c in corrected(alone)} == {"no difference shown"}
    sure = change(np.full((1, 200), 0.1), draws)
    assert corrected([sure, *alone])[0].verdict == "improves"


def test_maj_and_pass_at_k() -> None:
    correct = [[1, 0, 0, 0], [1, 1, 0, 0], [0, 0, 0, 0], [1, 1, 1, 0]]
    answers = [["a", "b", "b", "c"], ["a", "a", "b", "b"], ["x", "", "", ""], ["a", "a", "a", ""]]
    assert majority_at_k(correct, answers).tolist() == [0.0, 0.5, 0.0, 1.0]
    assert pass_at_k(correct).tolist() == [1.0, 1.0, 0.0, 1.0]


def test_methods_not_shown_to_differ_share_a_rank() -> None:
    rng = generator("ranks")
    noise = rng.normal(0, 0.01, 4000)
    draws = {"a": 0.9 + noise, "b": 0.9 + 0.001 + rng.normal(0, 0.01, 4000), "c": 0.5 + noise}
    found = ranks({"a": 0.9, "b": 0.901, "c": 0.5}, draws, {name: {} for name in "abc"})
    assert [found[n].rank for n in "abc"] == [1, 1, 3]
    assert (found["a"].low, found["a"].high, found["c"].low, found["c"].high) == (1, 2, 3, 3)
    assert ranks({"only": 1.0}, {"only": np.ones(5)}, {"only": {0: 1.0}})["only"] == (1, 1, 1)


@pytest.mark.parametrize(
    ("other", "rank"),
    [
        ({0: 0.7, 1: 0.5}, 2),
        ({0: 0.9, 1: 0.3}, 1),
        ({0: 0.8, 1: 0.4}, 1),  # a tie in one seed
        ({5: 0.9}, 2),
        ({1: 0.5, 5: 0.9}, 2),
        ({1: 0.7, 5: 0.1}, 1),  # better in the one seed that both have
    ],
)
def test_a_seed_that_disagrees_makes_a_tie(other: dict[int, float], rank: int) -> None:
    """As in a verdict. Seeds that only one of two has say nothing about the two."""
    draws = {"a": np.full(100, 0.7), "b": np.full(100, 0.6)}
    assert ranks({"a": 0.7, "b": 0.6}, draws, {"a": {0: 0.8, 1: 0.6}, "b": other})["b"].rank == rank
