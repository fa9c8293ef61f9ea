"""Kinds of edges compared on the same tutees: a ratio that is one of whom they tutor must vanish."""

from __future__ import annotations

import numpy as np
import pytest

from coopt.core.statistics.design import make_design
from coopt.core.statistics.rate_ratio import Events, rate_ratio
from coopt.runs.measures.break_rates import Designs, Grids, Tally
from coopt.runs.measures.matched import EdgeTally, matched_cells
from coopt.runs.results import MatchedCell

QUESTIONS, SAMPLES = 40, 8


def edge(tutee: str, *, broken: int, opened: bool, own: bool | None = None, domain: str = "d") -> EdgeTally:
    """An edge that breaks ``broken`` of every question's right answers, which are all of them."""
    after = np.ones((QUESTIONS, SAMPLES))
    after[:, :broken] = 0
    items = np.array([f"{domain}{k}" for k in range(QUESTIONS)])
    before, control = np.ones((2, QUESTIONS, SAMPLES))
    grids = Grids(items, np.zeros(QUESTIONS, int), before, after, control)
    return EdgeTally(Tally.of(grids), 0, tutee, domain, "paper", opened, own)


def cell(edges: list[EdgeTally], compared: str, matched: str, domain: str = "all") -> MatchedCell:
    found = [
        c
        for c in matched_cells(edges, 1, Designs({}))
        if (c.compared, c.matched, c.domain) == (compared, matched, domain)
    ]
    assert len(found) == 1
    return found[0]


# A fragile tutee has mostly closed tutors; with each tutee open and closed tutors do the same.
COMPOSITION = [
    *(edge("fragile", broken=4, opened=False) for _ in range(3)),
    edge("fragile", broken=4, opened=True),
    *(edge("sturdy", broken=1, opened=True) for _ in range(3)),
    edge("sturdy", broken=1, opened=False),
]


def test_composition_is_no_ratio_once_tutees_are_matched() -> None:
    whole = cell(COMPOSITION, "closed / open", "none")
    assert whole.ratio == pytest.approx(13 / 7)
    same = cell(COMPOSITION, "closed / open", "tutee and domain")
    assert same.ratio == pytest.approx(1.0)
    assert same.strata == 2
    assert same.first.rate == pytest.approx(same.second.rate)


def test_a_real_difference_stays_and_has_an_interval_around_it() -> None:
    edges = [edge("a", broken=2, opened=False), edge("a", broken=1, opened=True)]
    found = cell(edges, "closed / open", "tutee and domain")
    assert found.ratio == pytest.approx(2.0)
    assert found.low is not None
    assert found.high is not None
    assert found.low <= 2.0 <= found.high


def test_tutees_with_one_kind_alone_count_only_where_nothing_is_matched() -> None:
    edges = [edge("a", broken=2, opened=False), edge("b", broken=1, opened=True)]
    kinds = {(c.compared, c.matched) for c in matched_cells(edges, 1, Designs({}))}
    assert kinds == {("closed / open", "none")}, "a pair has one tutor a tutee: nothing is matched by domain"


def test_a_tutors_other_domain_is_set_against_its_native_one_on_the_same_tutee() -> None:
    edges = [
        edge("a", broken=3, opened=True, own=False, domain="d"),
        edge("a", broken=1, opened=True, own=True, domain="e"),
        edge("a", broken=8, opened=True, own=None, domain="e"),  # a critic has no native domain
    ]
    found = cell(edges, "other / native", "tutee")
    assert found.ratio == pytest.approx(3.0)
    assert found.first.answers == found.second.answers == QUESTIONS * SAMPLES


def test_too_few_answers_and_no_broken_one_have_no_ratio() -> None:
    edges = [edge("a", broken=2, opened=False), edge("a", broken=0, opened=True)]
    found = cell(edges, "closed / open", "tutee and domain")
    assert (found.ratio, found.first.rate, found.second.rate) == (None, 0.25, 0.0)
    few = [c for c in matched_cells(edges, 10_000, Designs({})) if c.matched != "none"]
    assert [(c.ratio, c.first.rate) for c in few] == [(None, None)]


def test_the_interval_of_a_ratio_is_as_wide_as_chance_makes_it() -> None:
    """Coverage over simulated probes, a question one answer."""
    rng = np.random.default_rng(3)
    design, hits, simulated = make_design([[()] * 800]), 0, 400
    for _ in range(simulated):
        first, second = (rng.random((1, 800)) < rate for rate in (0.12, 0.06))
        ones = np.ones((1, 800))
        found = rate_ratio(Events(first * 1.0, ones), Events(second * 1.0, ones), design)
        assert found is not None
        assert found.low is not None
        assert found.high is not None
        hits += found.low <= 2 <= found.high
    assert 0.92 <= hits / simulated <= 0.98


@pytest.mark.parametrize(("spread", "clusters", "has"), [(1, 40, False), (4, 40, False), (5, 40, True), (8, 4, False)])
def test_events_on_a_few_questions_have_no_interval(spread: int, clusters: int, has: bool) -> None:
    """Of both sides on one question its width would be 0. Questions of one cluster count once."""
    design = make_design([[(str(k % clusters),) for k in range(40)]])
    counts = np.zeros((2, 1, 40))
    counts[0, 0, :spread], counts[1, 0, :spread] = 4, 8
    found = rate_ratio(*(Events(own, np.full((1, 40), 8.0)) for own in counts), design)
    assert found is not None
    assert found.value == pytest.approx(0.5)
    assert (found.low is not None, found.high is not None) == (has, has)
