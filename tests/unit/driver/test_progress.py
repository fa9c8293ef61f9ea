"""The bar: it fits 80 columns, and its time left is honest."""

from __future__ import annotations

import io

import pytest
from rich.console import Console

from coopt.core.meter import Reading
from coopt.driver.tasks.progress import Display, TimeLeft
from coopt.driver.tasks.task import Train


def test_at_the_start_it_is_the_plans_and_then_what_was_measured() -> None:
    left = TimeLeft(total=100.0, pace=0.5)
    assert left.of(0.0, 0.0) == pytest.approx(50.0)
    # Twice as slow as planned: after half of the plan mostly believed.
    assert 75.0 > left.of(50.0, 50.0) > 45.0
    assert left.of(100.0, 100.0) == 0.0


def test_what_was_there_before_says_nothing_of_the_speed() -> None:
    """A resumed run said "0:00:01" for a minute."""
    left = TimeLeft(total=100.0, pace=0.5)
    left.before = 80.0
    assert left.of(80.0, 0.1) == pytest.approx(10.0, rel=0.05)
    assert left.of(90.0, 10.0) == pytest.approx(10 * 15 / 20)


def test_the_bar_fits_eighty_columns() -> None:
    out = io.StringIO()
    console = Console(file=out, width=80, force_terminal=True, color_system=None)
    task = Train(12345, "domain_selective", 14, "student12", ())
    with Display(console, 36_000.0, lambda t: 100.0) as display:
        display.newest = "val 84.9"
        display.update({task: Reading(0.5, 10_000_000, 3.0), Train(0, "sdpo", 1, "s2", ()): Reading()})
    shown = [line for line in out.getvalue().replace("\r", "\n").splitlines() if "left" in line]
    assert shown
    assert "val 84.9" in shown[-1]
    assert "tok/s" in shown[-1]
    assert "+1" in shown[-1]
    assert shown[-1].rstrip()[-1].isdigit(), "the time left is not cut off"
