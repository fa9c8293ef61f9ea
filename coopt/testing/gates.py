"""What a gate has to keep."""

from __future__ import annotations

import numpy as np

from coopt.core.errors import PluginError
from coopt.graph.gates.base import Gate, View
from coopt.graph.gates.decided import decided


def check_gate(gate: Gate) -> None:
    """Assert that a gate keeps the rules: shapes, purity, no change of what it is given, an order of edges that does
    not matter where it reads scores, and answers for every corner (nobody solves anything, one edge, no edge)."""
    assert isinstance(gate, Gate), "a gate has name, reads_scores and decide(view)"
    assert isinstance(gate.name, str), "name is text"
    assert gate.name, "name is not empty"
    rng = np.random.default_rng(0)
    edges = [(int(a), int(b)) for a, b in rng.integers(0, 12, (60, 2)) if a != b]
    usual = View.of(rng.random((12, 3)), edges, seed=1)._replace(matched_rate=0.5)
    half, fix, broke = rng.random((3, len(edges), 3)) / 2
    fix[0] = np.nan  # an edge that was not probed
    half[1] = np.nan  # one with an end that is not scored
    usual = usual._replace(lead_half_ED=half, fix_ED=fix, break_ED=broke)
    corners = [usual, usual._replace(scores_ND=np.zeros((12, 3))), usual._replace(scores_ND=np.ones((12, 3)))]
    corners += [usual.taking(np.arange(k)) for k in (0, 1)]
    for view in corners:
        _check_answer(gate, view)
    if gate.reads_scores:
        order = rng.permutation(len(edges))
        same = (gate.decide(usual.taking(order)).open_ED == gate.decide(usual).open_ED[order]).all()
        assert same, "a decision must not depend on the order of the edges"


def _check_answer(gate: Gate, view: View) -> None:
    before = view.scores_ND.copy()
    try:
        found, again = decided(gate, view), decided(gate, view)
    except PluginError as error:
        raise AssertionError(str(error)) from error.__cause__
    assert (again.open_ED == found.open_ED).all(), "the same view must get the same decisions"
    assert (view.scores_ND == before).all(), "a gate must not change what it is given"
