"""Consensus distance and ranks."""

from __future__ import annotations

from itertools import combinations

import numpy as np
import pytest

from coopt.core.statistics.design import make_design
from coopt.methods.scoring import _short
from coopt.runs.measures.consensus import consensus_distance, disagreement
from coopt.runs.measures.starting_order import by_rank


def test_the_same_answers_agree_and_all_different_ones_do_not() -> None:
    assert disagreement([[["A", "A"]], [["A", "A"]], [["A", "A"]]]) == pytest.approx([0])
    assert disagreement([[["A"]], [["B"]], [["C"]]]) == pytest.approx([1])
    assert disagreement([[["A"]], [["A"]], [["C"]]]) == pytest.approx([2 / 3])


def test_students_that_ramble_alike_have_no_consensus() -> None:
    """Three answers that nobody can read, alike in more characters than are kept of one."""
    beginning = "so " * 60
    kept = [_short(f"{beginning}it is {end}") for end in ("tin", "iron", "zinc")]
    assert disagreement([[[text]] for text in kept]) == pytest.approx([1])


def test_it_is_the_mean_over_pairs_of_samples() -> None:
    rng = np.random.default_rng(0)
    students = [[[str(a) for a in rng.integers(0, 4, 8)] for _ in range(20)] for _ in range(5)]
    for q, value in enumerate(disagreement(students)):
        pairs = [(a, b) for i, j in combinations(range(5), 2) for a in students[i][q] for b in students[j][q]]
        assert value == pytest.approx(np.mean([a != b for a, b in pairs]))


def test_the_mean_over_domains_and_seeds_with_its_interval() -> None:
    same, different = [[["A"]] * 30, [["A"]] * 30], [[["A"]] * 30, [["B"]] * 30]
    found = consensus_distance([[same, different], [same, same]], make_design([[()] * 30] * 2))
    assert found is not None
    assert (found.value, *found.per_seed) == pytest.approx((0.25, 0.0, 0.5))
    assert found.of_questions.variance == 0, "all questions of a domain are alike"
    assert consensus_distance([[[None, [["A"]]]]], make_design([[()]])) is None


def test_ranks_are_per_seed_and_ties_keep_the_order() -> None:
    initial = np.array([[0.5, 0.9], [0.7, 0.9], [0.5, 0.1]])
    assert by_rank(initial).tolist() == [[1, 0], [0, 1], [2, 2]]
