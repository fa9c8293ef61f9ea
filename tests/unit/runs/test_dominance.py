"""Which method leaves every student better off than another (paper Definition A.1), on outcomes with known truth."""

from __future__ import annotations

from itertools import product

import pytest

from coopt.core.rng import generator
from coopt.runs.measures.claims import claims_of
from coopt.runs.measures.pareto import dominance_cells
from coopt.testing.outcomes import Questions, Simulated

STUDENTS, DOMAINS = ("s1", "s2"), ("a", "b")
GAINS = {"weak": 0.02, "strong": 0.2}


def simulated(**changed: float) -> Simulated:
    """Two methods on the pair; ``s1_a=x``: what ``strong`` gains of that student in that domain instead."""
    gains = {(m, s, d): GAINS[m] for m, s, d in product(GAINS, STUDENTS, DOMAINS)}
    gains |= {("strong", *key.split("_")): value for key, value in changed.items()}  # type: ignore[misc]
    return Simulated(gains, generator("dominance"), seeds=3, tau=0.0, questions=Questions(400))


def verdicts(run: Simulated, method: str, baseline: str) -> dict[str, tuple[bool, str]]:
    cells = dominance_cells(run, method, baseline, claims_of(run, [(method, baseline)]))
    return {c.student: (c.point, c.verdict) for c in cells}


def test_what_truly_dominates_is_shown_and_the_reverse_is_refused() -> None:
    run = simulated()
    assert verdicts(run, "strong", "weak") == dict.fromkeys((*STUDENTS, "mutual"), (True, "yes"))
    assert verdicts(run, "weak", "strong") == dict.fromkeys((*STUDENTS, "mutual"), (False, "no"))


def test_a_gain_that_costs_a_domain_is_no_dominance() -> None:
    """s1's mean is shown to be better, and chemistry's loss forbids a yes."""
    found = verdicts(simulated(s1_b=-0.05), "strong", "weak")
    assert found["s1"] == (False, "not settled")
    assert found["s2"] == (True, "yes")
    assert found["mutual"] == (False, "not settled")


def test_dominance_claims_nothing_that_other_claims_pay_for() -> None:
    run = simulated()
    alone, beside = claims_of(run, []), claims_of(run, [("strong", "weak")])
    assert len(beside.apart) == 4
    key = ("weak", "s1", "a")
    extra = len(beside.comparisons) - 1  # one of them is a pair of the ranks already
    assert extra == 2
    assert beside.changes[key].p == pytest.approx(alone.changes[key].p, rel=0.3)
