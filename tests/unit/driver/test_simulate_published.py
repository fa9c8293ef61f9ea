"""The published break-rates: what is published comes out as published, what is filled in as documented."""

from __future__ import annotations

import numpy as np
import pytest

from coopt.core.config.load import load_config
from coopt.driver.simulate.dynamics import World
from coopt.driver.simulate.feedback import Ends
from coopt.driver.simulate.items import ItemModel
from coopt.driver.simulate.published import (
    HARD,
    HARDEST,
    STRONGER,
    VERY_EASY,
    WHOLE,
    Published,
    by_difficulty,
    by_domain,
)
from coopt.driver.simulate.summary import simulate_all
from coopt.graph.files import load_topology
from coopt.graph.gates.base import View
from tests.unit.simulated_runs import constants

STATES = ("cognizant", "incognizant")


@pytest.mark.parametrize("state", STATES)
def test_published_difficulties_come_out(state: str) -> None:
    assert by_difficulty(state, np.array([0.0, 0.5])) == pytest.approx([VERY_EASY[state]] * 2)
    assert by_difficulty(state, np.array(7.0)) == pytest.approx(HARDEST[state])
    right = np.array([3.0, 2.0, 1.0])  # right rollouts of prompts with 5, 6, 7 wrong
    middle = float(by_difficulty(state, np.array(5.5)))
    assert (right @ [middle, middle, HARDEST[state]]) / right.sum() == pytest.approx(HARD[state])
    assert (np.diff(by_difficulty(state, np.arange(0.5, 7.5, 0.5))) > 0).all()


@pytest.mark.parametrize("state", STATES)
def test_published_domains_come_out(state: str) -> None:
    assert by_domain(state, stronger=True) * WHOLE[state] == pytest.approx(STRONGER[state])
    assert (by_domain(state, stronger=True) + by_domain(state, stronger=False)) / 2 == pytest.approx(1)


def test_rates_go_by_the_gates_state_and_the_tutors_standing() -> None:
    """Two edges, the second incognizant; each tutor is the stronger one in one domain."""
    settings, model = load_config(domains="phys,chem"), constants(contexts__kept=1.0)
    scores = np.array([[0.9, 0.85], [0.85, 0.9], [0.9, 0.3], [0.2, 0.9]])
    view = View.of(scores, [(0, 1), (2, 3)])
    ends = Ends(np.zeros((2, 2)), np.zeros((2, 2)), view)
    published = Published(ItemModel(model.items, 8), model.contexts, settings)
    rates = published.rates(ends, lambda x: x)
    for edge, state in enumerate(STATES):
        for d, stronger in enumerate((True, False)):
            for c in range(9):
                whole = by_difficulty(state, np.array(8.0 - c)) * by_domain(state, stronger)
                alone = model.contexts.break_own if c >= 2 else 0.0
                assert rates.breaks_PDC[edge, d, c] == pytest.approx(whole - alone)


def test_closed_edges_break_nothing() -> None:
    settings, model = load_config(domains="phys,chem"), constants()
    view = View.of(np.array([[0.9, 0.5], [0.5, 0.9]]), [(0, 1)])
    published = Published(ItemModel(model.items, 8), model.contexts, settings)
    rates = published.rates(Ends(np.zeros((1, 2)), np.zeros((1, 2)), view), np.zeros_like)
    assert (rates.breaks_PDC == 0).all()


def test_tables_name_the_published_rates() -> None:
    settings = load_config(domains="phys,chem", settings=["rounds.rounds=2"])
    world = World(load_topology("pair", settings.domains), settings, constants())
    world.feedback = Published(world.model, world.constants.contexts, settings)
    results = simulate_all(world, ["opcod", "always"], [0])
    assert results.feedback_rates.startswith("paper")
    broken = {line.method: line.broken for line in results.feedback}
    assert broken["always"] > 0
