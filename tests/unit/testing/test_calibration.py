"""The short form of ``make calibrate``: coverage and false claims, by simulation through the tables' own functions."""

from __future__ import annotations

import numpy as np
import pytest

from coopt.core.names import INIT
from coopt.testing import calibration
from coopt.testing.calibration import Case, Figure, all_cases, figure_table, measure
from coopt.testing.outcomes import Questions, Simulated, ability

SHORT = [case for case in all_cases() if case.in_tests]


@pytest.mark.slow
@pytest.mark.parametrize("case", SHORT, ids=[f"{c.what}: {c.where}" for c in SHORT])
def test_intervals_cover_and_claims_hold(case: Case) -> None:
    found = measure(case, 250)
    assert found.holds, f"{found.percent:.1f} % ± {found.error:.1f}, should be {case.bounds}"


def test_the_short_form_has_what_matters() -> None:
    changes = {c.where for c in SHORT if c.what == "change"}
    assert changes == {f"n {n}, {s} seeds, tau {t}" for n in (90, 400) for s in (3, 5) for t in (0, 3)}
    assert {c.what for c in SHORT} > {"nothing happens: any claim", "+8 native, -2 foreign: mutual Pareto yes"}


def test_the_simulated_truth_is_what_it_is_said_to_be() -> None:
    rng = np.random.default_rng(0)
    gains = {("m", "s", "d"): 0.05}
    many = [Simulated(gains, rng, seeds=2, tau=0.0, questions=Questions(3000, facts)) for facts in (0, 2) for _ in "ab"]
    start, end = (np.mean([run.per_question(who, "s", "d") for run in many]) for who in (INIT, "m"))
    assert start == pytest.approx(0.7, abs=0.02)
    assert end - start == pytest.approx(0.05, abs=0.01)
    assert (np.diff(ability(np.array([0.1, 0.5, 0.9]))) > 0).all()


def test_a_figure_outside_its_bounds_fails_the_command(monkeypatch: pytest.MonkeyPatch) -> None:
    case = Case("always", "here", (0.0, 5.0), _happens, (True,))
    assert not measure(case, 50).holds
    assert measure(case._replace(given=(False,)), 50).holds
    assert Figure(case, 50, 6.0, 2.0).holds, "within its own noise"
    assert figure_table([measure(case, 50)]).rows[0][-1] == "outside"
    monkeypatch.setattr(calibration, "all_cases", lambda: [case])
    monkeypatch.setattr("sys.argv", ["calibration", "--short"])
    assert calibration.main() == 1


def _happens(rng: np.random.Generator, does: bool) -> bool:
    return does
