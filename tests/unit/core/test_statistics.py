"""Designs, the crossed model, verdicts, ranks, Pareto, break-rates: against closed forms, scipy, and by hand."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import pytest
from numpy.typing import NDArray
from scipy import stats

from coopt.core.rng import generator
from coopt.core.statistics.bootstrap import interval, resample_weights, resampled_means
from coopt.core.statistics.crossed import Estimate, Part, apart, estimate, joint_draws, ratio
from coopt.core.statistics.design import Design, make_design
from coopt.core.statistics.pairs import shown_better
from coopt.core.statistics.proportions import proportion_interval
from coopt.core.statistics.ranking import pairs_of, ranked, ranks
from coopt.core.statistics.samples import majority_at_k, pass_at_k
from coopt.core.statistics.significance import holm
from coopt.core.statistics.verdicts import Change, change, change_apart, corrected, corrected_by_key, or_equivalent
from coopt.runs.measures.break_rates import Designs, Grids, Tally, rates, stack
from coopt.runs.measures.pareto import mutual, mutual_verdict, pareto_draws, pareto_improves, pareto_verdict
from coopt.runs.results import RateCell

NAN = float("nan")
Array = NDArray[np.float64]


def alone(questions: int) -> Design:
    return make_design([[()] * questions])


def normal(name: str, *shape: int, mean: float = 0.0, sd: float = 1.0) -> Array:
    return generator(name).normal(mean, sd, shape)


# -- designs ---------------------------------------------------------------------------------------------


def test_questions_on_their_own_are_students_t() -> None:
    values = normal("own", 30)
    design = alone(30)
    assert design.variance(values) == pytest.approx(values.var(ddof=1) / 30)
    assert design.df == pytest.approx(29)
    assert estimate(values[None], design).p_value() == pytest.approx(stats.ttest_1samp(values, 0).pvalue)
    assert estimate(values[None], design).interval() == pytest.approx(
        stats.t.interval(0.95, 29, values.mean(), stats.sem(values))
    )


@pytest.mark.parametrize("size", [2, 5, 10])
def test_equal_clusters_are_t_over_their_means(size: int) -> None:
    effects = np.repeat(normal("clusters", 60 // size, sd=3.0), size)  # like enough that they outweigh the rest
    values = effects + normal("rest", 60, sd=0.1)
    design = make_design([[(f"c{k // size}",) for k in range(60)]])
    means = values.reshape(-1, size).mean(axis=1)
    assert design.variance(values) == pytest.approx(means.var(ddof=1) / len(means))
    assert design.df == pytest.approx(len(means) - 1)


def test_domains_count_alike_whatever_their_size() -> None:
    design = make_design([[()] * 10, [()] * 40])
    values = np.concatenate([np.ones(10), np.zeros(40)]) + normal("domains", 50, sd=0.1)
    assert design.mean(values) == pytest.approx((values[:10].mean() + values[10:].mean()) / 2)
    assert design.variance(values) == pytest.approx((values[:10].var(ddof=1) / 10 + values[10:].var(ddof=1) / 40) / 4)


def test_overlapping_clusters_are_the_sum_over_pairs_that_share_one() -> None:
    rng = generator("overlap")
    owned = [tuple(f"f{x}" for x in rng.choice(12, 2, replace=False)) for _ in range(40)]
    facts = rng.normal(0, 1, 12)
    values = np.array([sum(facts[int(f[1:])] for f in own) for own in owned])
    rest = values - values.mean()
    pairs = np.array([[bool(set(a) & set(b)) for b in owned] for a in owned], dtype=float)
    centring = np.eye(40) - 1 / 40
    inner = centring @ pairs @ centring
    design = make_design([owned])
    assert design.variance(values) == pytest.approx(rest @ pairs @ rest / 40 / np.trace(inner))
    assert design.df == pytest.approx(np.trace(inner) ** 2 / (inner**2).sum())


def test_a_cluster_may_reach_over_domains() -> None:
    apart_, shared = (make_design([[(a,)] * 5, [(b,)] * 5]) for a, b in (("x", "y"), ("x", "x")))
    assert apart_.pairs_QQ.nnz == 50
    assert shared.pairs_QQ.nnz == 100


def test_a_mean_of_nothing_is_refused() -> None:
    with pytest.raises(ValueError, match="a question in every domain"):
        make_design([[()], []])
    with pytest.raises(ValueError, match="not all numbers"):
        estimate(np.array([[0.0, NAN]]), alone(2))


# -- seeds and questions ---------------------------------------------------------------------------------


def test_mean_squares_of_the_two_way_table() -> None:
    """V = (MS_seeds + MS_questions - MS_rest) / (seeds x questions), where it is not cut."""
    values = normal("seeds", 4, 1, sd=1.0) + normal("questions", 1, 50) + normal("rest", 4, 50)
    grand, by_seed, by_question = values.mean(), values.mean(1, keepdims=True), values.mean(0, keepdims=True)
    seeds = 50 * ((by_seed - grand) ** 2).sum() / 3
    questions = 4 * ((by_question - grand) ** 2).sum() / 49
    rest = ((values - by_seed - by_question + grand) ** 2).sum() / (3 * 49)
    found = estimate(values, alone(50))
    assert found.of_questions.variance + found.seeds[0].variance == pytest.approx((seeds + questions - rest) / 200)
    assert found.seeds[0] == (pytest.approx(seeds / 200), 3)


def test_seeds_that_differ_by_chance_alone_add_nothing() -> None:
    values = np.tile(normal("same", 60), (3, 1))
    found = estimate(values, alone(60))
    assert found.seeds == (Part(0.0, 2),)
    assert found.p_value() == pytest.approx(stats.ttest_1samp(values[0], 0).pvalue)


@pytest.mark.parametrize("seeds", [1, 2])
def test_one_or_two_seeds_say_nothing_of_others(seeds: int) -> None:
    values = normal("few", seeds, 30)
    found = estimate(values, alone(30))
    assert found.seeds == ()
    assert found.of_questions.variance == pytest.approx(values.mean(axis=0).var(ddof=1) / 30)


def test_a_p_value_is_the_alpha_whose_interval_ends_at_the_null() -> None:
    for scale in (0.3, 1.0, 5.0):
        found = estimate(normal("null", 3, 40, mean=scale, sd=2.0) + normal("s", 3, 1), alone(40))
        low, high = found.interval(found.p_value())
        assert min(abs(low), abs(high)) == pytest.approx(0, abs=1e-9)
    assert Estimate(0.0, (0.0,), 30, 30, Part(1.0, 29), ()).p_value() == 1.0
    assert Estimate(1.0, (1.0,), 30, 30, Part(1e-9, 29), ()).p_value() == 1e-12


def test_one_sided_p_values_are_halves() -> None:
    found = estimate(normal("sided", 1, 40, mean=0.4), alone(40))
    theirs = stats.ttest_1samp(normal("sided", 1, 40, mean=0.4)[0], 0.1, alternative="greater").pvalue
    assert found.p_above(0.1) == pytest.approx(theirs)
    assert found.p_below(0.1) == pytest.approx(1 - theirs)


def test_questions_that_all_moved_alike_are_not_certain() -> None:
    """A cluster that was not asked may not have: a width, and no p of zero."""
    found = change(np.full((1, 50), 0.1), alone(50))
    assert found.low < 0.1 < found.high
    assert 0 < found.p < 0.05
    assert found.verdict == "improves"
    assert change(np.ones((1, 5)), alone(5)).verdict == "too few questions"
    assert change(np.zeros((1, 50)), alone(50)).p == 1.0


def test_more_evidence_of_a_change_never_makes_an_interval_much_narrower() -> None:
    """From nothing moved to an eighth of one question, and on."""
    widths = []
    for moved in (0.0, 0.125, 0.25, 1.0):
        found = change(np.array([[moved] + [0.0] * 89]), alone(90))
        widths.append(found.high - found.low)
    assert widths == sorted(widths)
    shared = make_design([[(f"c{k // 9}",) for k in range(90)]])
    assert change(np.zeros((1, 90)), shared).high > 5 * change(np.zeros((1, 90)), alone(90)).high


@pytest.mark.parametrize("questions", [50, 90, 200])
def test_that_little_moved_is_not_shown_by_few_questions(questions: int) -> None:
    """A loss of one point borne by one question in a hundred is missed by many samples of questions."""
    assert said(change(np.zeros((1, questions)), alone(questions))) == "no difference shown"
    assert pareto_verdict([of(0.08, 0.02), change(np.zeros((1, questions)), alone(questions))]) == "not settled"
    assert said(change(np.zeros((1, 1000)), alone(1000))) == "equivalent"


def test_seeds_apart_are_welchs() -> None:
    """With as many questions as to leave their part out: the seeds' means alone."""
    first, second = normal("a", 4, 1) + np.zeros((4, 100)), normal("b", 6, 1, sd=3.0) + np.zeros((6, 100))
    found = apart(first, second, alone(100))
    spread = [first.mean(1).var(ddof=1) / 4, second.mean(1).var(ddof=1) / 6]
    assert [p.variance for p in found.seeds] == pytest.approx(spread)
    assert [p.df for p in found.seeds] == [3, 5]
    assert found.value == pytest.approx(first.mean() - second.mean())
    assert change_apart(first[:1] + 9, second, alone(100)).verdict == "no difference shown", "one seed tells nothing"


def test_a_ratio_agrees_with_the_jackknife() -> None:
    above, below = normal("above", 1, 200, mean=2.0), normal("below", 1, 200, mean=5.0)
    found = ratio(above, below, alone(200))
    assert found is not None
    left_out = [np.delete(above, k).mean() / np.delete(below, k).mean() for k in range(200)]
    error = np.sqrt(199 / 200 * ((np.array(left_out) - np.mean(left_out)) ** 2).sum())
    assert (found.high - found.low) / 2 / stats.t.ppf(0.975, 199) == pytest.approx(error, rel=0.02)
    assert ratio(above, np.zeros((1, 200)), alone(200)) is None


@pytest.mark.parametrize("seeds", [1, 3, 5])
def test_joint_draws_have_the_models_interval(seeds: int) -> None:
    """Each mean's, whatever the others are, with the t of each part."""
    values = normal("joint", 3, seeds, 80) + normal("shift", 3, seeds, 1)
    drawn = joint_draws(values, alone(80), 40_000, generator("draws"))
    for k in range(3):
        found = estimate(values[k], alone(80))
        low, high = np.percentile(drawn[:, k], [2.5, 97.5])
        assert (low, high) == pytest.approx(found.interval(), abs=0.12 * found.half_width())
    if seeds == 1:
        same = joint_draws(np.stack([values[0], values[0]]), alone(80), 10, generator("same"))
        assert same[:, 0] == pytest.approx(same[:, 1])
    certain = joint_draws(np.ones((1, seeds, 80)), alone(80), 1000, generator("sure"))
    assert certain.std() > 0.003, "nothing is certain"


# -- proportions -----------------------------------------------------------------------------------------


def test_a_share_in_the_middle_keeps_its_interval_and_at_the_bounds_its_width() -> None:
    half = np.array([[0.0, 1.0] * 200])
    assert proportion_interval(estimate(half, alone(400))) == pytest.approx((0.451, 0.549), abs=0.001)
    low, high = proportion_interval(estimate(np.ones((1, 30)), alone(30)))
    assert (low, high) == (pytest.approx(stats.beta.ppf(0.025, 30.5, 0.5)), 1.0)
    assert proportion_interval(estimate(np.zeros((1, 30)), alone(30))) == pytest.approx((0.0, 1 - low))
    clustered = make_design([[(f"c{k // 10}",) for k in range(30)]])
    assert proportion_interval(estimate(np.ones((1, 30)), clustered))[0] < low, "three clusters are three answers"


@pytest.mark.parametrize("clusters", [100, 400])
def test_one_answer_of_thousands_changes_an_interval_little(clusters: int) -> None:
    design = make_design([[(f"c{k % clusters}",) for k in range(400)]])
    all_right, one_wrong = np.ones((3, 400)), np.ones((3, 400))
    one_wrong[0, 0] = 7 / 8
    bounds = [proportion_interval(estimate(v, design)) for v in (all_right, one_wrong)]
    assert bounds[0] == pytest.approx(bounds[1], abs=0.01)
    assert max(high for _, high in bounds) <= 1.0


# -- verdicts --------------------------------------------------------------------------------------------


def of(value: float, half: float, *per_seed: float, questions: int = 400) -> Change:
    """A change with this half-width."""
    found = Estimate(value, per_seed or (value,), questions, 10**9, Part((half / 1.96) ** 2, 1e9), ())
    return corrected([Change(value, value - half, value + half, found.per_seed, "worse", found.p_value(), 0.0, found)])[
        0
    ]


def test_a_verdict_needs_significance_and_every_seed() -> None:
    assert of(0.05, 0.04).verdict == "improves"
    assert of(0.05, 0.04, -0.01, 0.12).verdict == "no difference shown"
    assert of(0.05, 0.06).verdict == "no difference shown"
    assert of(-0.05, 0.04).verdict == "worse"


def test_holm_by_hand_and_in_order() -> None:
    assert holm([0.01, 0.04, 0.03, 0.005]) == pytest.approx([0.03, 0.06, 0.06, 0.02])
    assert holm([0.6, 0.9]) == [1.0, 1.0]
    assert holm([]) == []


def test_correction_takes_verdicts_away_and_gives_none() -> None:
    """Twenty cells, one of them at p = 0.03: shown alone, not shown among them."""
    cells = [of(2.2, 1.96), *(of(0.1, 1.96) for _ in range(19))]
    assert {c.verdict for c in corrected(cells)} == {"no difference shown"}
    assert corrected([of(9.0, 1.96), *cells])[0].verdict == "improves"


def said(found: Change, margin: float = 0.01) -> str:
    return or_equivalent({0: found}, margin)[0].verdict


def test_equivalence_is_shown_and_not_concluded_from_nothing() -> None:
    """Two one-sided tests: the 90 % interval lies inside the margin."""
    near, noisy, off = of(0.001, 0.005), of(0.001, 0.05), of(0.008, 0.005)
    assert [said(c) for c in (near, noisy, off)] == ["equivalent", "no difference shown", "improves"]
    width = 0.01 * 1.96 / 1.645
    assert said(of(0.0, 0.99 * width)) == "equivalent"
    assert said(of(0.0, 1.01 * width)) == "no difference shown"
    assert said(of(0.0, 0.01, questions=10)) == "too few questions"


@pytest.mark.parametrize("family", [1, 8])
def test_a_detectable_effect_is_detected_in_four_of_five_repeats(family: int) -> None:
    cells = corrected([of(0.0, 1.96)] * family)
    found = np.abs(normal("repeats", 20_000, mean=cells[0].detectable)) > stats.norm.isf(0.025 / family)
    assert found.mean() == pytest.approx(0.8, abs=0.01)


def test_pareto_is_the_papers_definition() -> None:
    assert pareto_improves([0.0, 0.1])
    assert not pareto_improves([0.0, 0.0])
    assert not pareto_improves([-0.1, 0.5])
    draws = pareto_draws(np.array([[0.1, 0.0, -0.1, 0.2], [0.0, 0.0, 0.3, 0.1]]))
    assert draws.tolist() == [True, False, False, True]
    assert mutual({"a": draws, "b": np.array([True, True, True, False])}) == 0.25


def test_a_pareto_verdict_needs_a_gain_and_no_loss_of_a_point() -> None:
    gain, kept, open_, lost = of(0.08, 0.02), of(0.0, 0.01), of(-0.02, 0.03), of(-0.05, 0.02)
    assert pareto_verdict([gain, kept]) == "yes"
    assert pareto_verdict([gain, open_]) == "not settled", "a loss that is not shown is no proof that there is none"
    assert pareto_verdict([gain, lost]) == "no"
    assert pareto_verdict([kept, kept]) == "not settled"
    assert pareto_verdict([gain, of(0.08, 0.02, questions=10)]) == "not settled"
    assert mutual_verdict(["yes", "yes"]) == "yes"
    assert mutual_verdict(["yes", "not settled"]) == "not settled"
    assert mutual_verdict(["not settled", "no"]) == "no"


def test_rounding_is_no_loss() -> None:
    assert pareto_improves([-1e-17, 0.1])
    assert pareto_draws(np.array([[-1e-17], [0.1]])).tolist() == [True]


# -- ranks -----------------------------------------------------------------------------------------------


def test_a_rank_is_by_value_and_places_by_what_is_shown() -> None:
    values = {"a": 0.9, "b": 0.901, "c": 0.5, "d": 0.5}
    found = ranks(values, {(x, y): of(values[x] - values[y], 0.02) for x, y in pairs_of(list(values))})
    assert {n: tuple(found[n]) for n in values} == {"a": (2, 1, 2), "b": (1, 1, 2), "c": (3, 3, 4), "d": (3, 3, 4)}
    assert ranks({"only": 0.3}, {})["only"] == (1, 1, 1)


def test_a_seed_that_disagrees_leaves_both_places_open() -> None:
    assert ranks({"a": 0.1, "b": 0.0}, {("a", "b"): of(0.1, 0.01, 0.2, -0.05)})["b"] == (2, 1, 2)
    assert ranks({"a": 0.0, "b": 0.1}, {("a", "b"): of(-0.1, 0.01, -0.2, -0.05)})["a"] == (2, 2, 2)


def _entries(case: int) -> tuple[list[Array], list[list[int]], Design]:
    """Changes of some entries: effects large and small, seeds the same and others, clusters or none, ties."""
    rng = generator("entries", case)
    questions, facts = [(12, 0), (30, 0), (90, 20), (90, 0)][case % 4]
    clusters = [[(f"f{rng.integers(facts)}",) if facts else () for _ in range(n)] for n in (questions, questions + 5)]
    groups = [[0], [7], [0, 1], [0, 1, 2], [3, 4, 5], [0, 1, 2, 3, 4]]
    chosen = [groups[k] for k in rng.choice(6, 2 + case % 2, replace=False)]
    seeds = [chosen[rng.integers(len(chosen))] for _ in range(2 + int(rng.integers(9)))]
    difficulty = rng.normal(0, 0.3, 2 * questions + 5)
    values = [
        rng.choice([0.0, 0.02, 0.1, 0.4])
        + rng.choice([0.0, 0.05]) * rng.normal(size=(len(own), 1))
        + difficulty * rng.choice([0.1, 1.0])
        + rng.choice([0.02, 0.2]) * rng.normal(size=(len(own), len(difficulty)))
        for own in seeds
    ]
    if case % 3 == 0:
        values.append(values[0])
        seeds.append(seeds[0])
    return values, seeds, make_design(clusters)


@pytest.mark.parametrize("case", range(40))
def test_all_pairs_at_once_say_what_each_says_and_no_rank_leaves_its_places(case: int) -> None:
    values, seeds, design = _entries(case)
    names = [str(k) for k in range(len(values))]
    differences = {}
    for a, b in pairs_of(names):
        one, other = values[int(a)], values[int(b)]
        together = seeds[int(a)] == seeds[int(b)]
        differences[a, b] = change(one - other, design) if together else change_apart(one, other, design)
    one_by_one = ranks({n: float(design.mean(v).mean()) for n, v in zip(names, values, strict=True)},
                       corrected_by_key(differences))  # fmt: skip
    at_once = ranked(np.array([design.mean(v).mean() for v in values]), shown_better(values, seeds, design))
    assert at_once == list(one_by_one.values())
    assert all(1 <= r.first <= r.rank <= r.last <= len(names) for r in at_once)


def test_some_of_the_generated_entries_are_shown_to_differ() -> None:
    """Else the cases above would say nothing."""
    shown = [shown_better(*_entries(case)) for case in range(40)]
    assert sum(s.any() for s in shown) >= 15
    assert sum(s.sum() < len(s) * (len(s) - 1) // 2 for s in shown) >= 15


# -- break-rates -----------------------------------------------------------------------------------------


def rated(
    *grids: Grids, difficulty: str = "all", minimum: int = 1, clusters: Mapping[str, Sequence[str]] | None = None
) -> dict[str, RateCell]:
    return rates(stack([Tally.of(g) for g in grids]), difficulty, minimum, Designs(clusters or {}))


def test_break_and_fix_rates_by_hand() -> None:
    before = np.array([[1, 1, 1, 1, 1, 1, 1, 0], [0, 0, 0, 0, 0, 0, 0, 1]], dtype=float)
    after = np.array([[1, 0, 1, 1, 1, NAN, 1, 1], [0, 0, 1, 0, 0, 0, 0, 0]])
    control = np.array([[1, 1, 1, 1, 1, NAN, 1, 0], [0, 0, 0, 0, 0, 0, 0, 1]])
    grids = Grids(np.array(["q1", "q2"]), np.array([0, 0]), before, after, control)
    everything = rated(grids)
    assert everything["break"] == RateCell(answers=7, questions=2, rate=2 / 7), "two questions have no interval"
    assert everything["break_control"].rate == 0
    assert everything["break_more"].rate == pytest.approx(2 / 7)
    assert everything["fix"].rate == pytest.approx(2 / 8)
    easy, hardest = rated(grids, difficulty="very easy (0-1)"), rated(grids, difficulty="hardest (7)")
    assert easy["break"].rate == pytest.approx(1 / 6)
    assert hardest["break"] == RateCell(answers=1, questions=1, rate=1.0)
    assert rated(grids, minimum=8)["break"] == RateCell(answers=7, questions=2)


def test_control_is_matched_to_the_same_answers() -> None:
    domain = {
        "items": ["q"],
        "before": [[1, 1]],
        "again": [[0, 1]],
        "s": [[1, None]],
        "edges": {"a -> b": {"f": [[None, 1]], "sf": [[0, None]]}},
    }
    found = Grids.of(domain, "a -> b", "f", 0)
    assert np.isnan(found.control).tolist() == [[True, False]]


def probed(questions: int = 60) -> Grids:
    """All-or-nothing questions of one seed."""
    after = (generator("probe").random((questions, 1)) < 0.7) * np.ones((questions, 8))
    items = np.array([f"q{k}" for k in range(questions)])
    return Grids(items, np.zeros(questions, int), np.ones((questions, 8)), after, np.ones((questions, 8)))


def test_the_unit_is_the_question_and_not_the_answer() -> None:
    found = rated(probed())["break"]
    assert found.rate is not None
    binomial = stats.binomtest(round(found.rate * 60), 60).proportion_ci(method="wilson")
    assert (found.low, found.high) == pytest.approx((binomial.low, binomial.high), abs=0.015)


def test_a_question_twice_is_one_question() -> None:
    """Laying every line down twice must not make the interval narrower; in another seed it is crossed."""
    once = probed()
    again = once._replace(seeds=once.seeds + 1)
    single, double, seeds = (rated(*g)["break"] for g in ((once,), (once, once), (once, again)))
    assert (double.low, double.high) == pytest.approx((single.low, single.high))
    assert (seeds.low, seeds.high) == pytest.approx((single.low, single.high))
    shared = rated(once, clusters={q: (str(k // 10),) for k, q in enumerate(once.items)})["break"]
    assert shared.questions == 60
    assert shared.low is not None


def test_a_rate_of_nothing_keeps_a_width_and_a_difference_may_be_negative() -> None:
    grids = probed()
    never = grids._replace(after=grids.before)
    found = rated(never)
    assert found["break"].low == 0.0
    assert found["break"].high == pytest.approx(stats.beta.isf(0.025, 0.5, 60.5))
    worse = rated(grids._replace(after=grids.control, control=grids.after))["break_more"]
    assert worse.rate is not None
    assert worse.rate < 0
    assert worse.high is not None
    assert worse.high < 0
    nothing = rated(never._replace(control=grids.before))["break_more"]
    assert nothing.low is not None
    assert nothing.low < 0, "a difference may always be the other way"


# -- samples, bootstrap ----------------------------------------------------------------------------------


def test_maj_and_pass_at_k() -> None:
    correct = [[1, 0, 0, 0], [1, 1, 0, 0], [0, 0, 0, 0], [1, 1, 1, 0]]
    answers = [["a", "b", "b", "c"], ["a", "a", "b", "b"], ["x", "", "", ""], ["a", "a", "a", ""]]
    assert majority_at_k(correct, answers).tolist() == [0.0, 0.5, 0.0, 1.0]
    assert pass_at_k(correct).tolist() == [1.0, 1.0, 0.0, 1.0]


def test_interval_of_a_mean_agrees_with_scipy() -> None:
    values = generator("values").random(300) ** 2
    ours = interval(resample_weights(300, 20000, generator("a")) @ values)
    theirs = stats.bootstrap((values,), np.mean, n_resamples=20000, method="percentile", rng=1).confidence_interval
    assert ours == pytest.approx((theirs.low, theirs.high), abs=1e-3)


def test_resampled_means_are_those_of_all_weights_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    values = generator("values").random(70)
    monkeypatch.setattr("coopt.core.statistics.bootstrap._HELD", 1000)  # 14 draws at a time
    parts = resampled_means(values, 100, generator("a"))
    assert parts == pytest.approx(resample_weights(70, 100, generator("a")) @ values, abs=1e-12)


def test_the_limit_of_many_values_is_that_of_their_resamples(monkeypatch: pytest.MonkeyPatch) -> None:
    values = generator("values").random(2000) ** 2
    drawn = interval(resampled_means(values, 8000, generator("a")))
    monkeypatch.setattr("coopt.core.statistics.bootstrap._MOST_RESAMPLED", 1000)
    limit = interval(resampled_means(values, 8000, generator("b")))
    assert limit == pytest.approx(drawn, abs=0.03 * (drawn[1] - drawn[0]))
