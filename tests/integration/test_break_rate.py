"""``coopt break-rate``: Appendix E on given model directories."""

from __future__ import annotations

import json

from coopt.lm.bases import SCIMINI_BASE
from tests.integration.conftest import Coopt


def test_two_models_are_probed_both_ways_and_nothing_is_trained(coopt: Coopt) -> None:
    """A model that critiques itself: both edges are there, each with its controls, and the graph's file beside."""
    models = (str(SCIMINI_BASE), "scimini")
    small = ("--questions", "6", "--out", "probe", "--set", "break_rate.minimum=1", "--set", "data.validation=6")
    done = coopt("break-rate", *models, *small, "--set", "sampling.eval_samples=1", "--json")
    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout)
    assert found["methods"] == []
    cells = {(c["edge"], c["context"]): c["rates"] for c in found["break_rates"] if c["gate"] == "any"}
    assert {edge for edge, _ in cells} == {"m1 -> m2", "m2 -> m1"}
    rates = cells["m1 -> m2", "f"]
    assert all(rates[k]["answers"] > 0 for k in ("break", "break_control", "break_more", "fix", "fix_control"))
    again = coopt("break-rate", *models, *small, "--set", "sampling.eval_samples=1")
    assert again.returncode == 0, again.stderr
    assert "Break- and fix-rates" in again.stdout
    assert "m2: scimini" in again.stdout


def test_one_model_is_refused_in_a_line(coopt: Coopt) -> None:
    done = coopt("break-rate", "scimini")
    assert (done.returncode, done.stderr.count("\n")) == (2, 1)
    assert "two model directories" in done.stderr
