"""What a gate has to keep."""

from __future__ import annotations

import numpy as np

from coopt.graph.gates.base import Gate, View


def check_gate(gate: Gate) -> None:
    """Assert that a gate keeps the rules: shapes, purity, no change of what it is given, an order of edges that does
    not matter where it reads scores, and answers for every corner (nobody solves anything, one edge, no edge)."""
    assert isinstance(gate, Gate), "a gate has name, reads_scores and decide(view)"
    assert isinstance(gate.name, str), "name is text"
    assert gate.name, "name is not empty"
    rng = np.random.default_rng(0)
    edges = [(int(a), int(b)) for a, b in rng.integers(0, 12, (60, 2)) if a != b]
    usual = View.of(rng.random((12, 3)), edges, seed=1)._replace(matched_rate=0.5)
    corners = [usual, usual._replace(scores_ND=np.zeros((12, 3))), usual._replace(scores_ND=np.ones((12, 3)))]
    corners += [usual._replace(tutor_E=usual.tutor_E[:k], tutee_E=usual.tutee_E[:k]) for k in (0, 1)]
    for view in corners:
        _check_answer(gate, view)
    if gate.reads_scores:
        order = rng.permutation(len(edges))
        shuffled = usual._replace(tutor_E=usual.tutor_E[order], tutee_E=usual.tutee_E[order])
        same = (gate.decide(shuffled).open_ED == gate.decide(usual).open_ED[order]).all()
        assert same, "a decision must not depend on the order of the edges"


def _check_answer(gate: Gate, view: View) -> None:
    before = view.scores_ND.copy()
    found, again = gate.decide(view), gate.decide(view)
    shape = len(view.tutor_E), view.scores_ND.shape[1]
    assert found.open_ED.shape == shape, f"open_ED has shape {found.open_ED.shape}, not [edges, domains] = {shape}"
    assert found.open_ED.dtype == bool, "open_ED holds booleans"
    assert len(found.reason_E) == shape[0], "one reason an edge"
    assert all(isinstance(r, str) and r for r in found.reason_E), "a reason is text and not empty"
    assert found.gap_E is None or found.gap_E.shape == (shape[0],), "one gap an edge"
    assert (again.open_ED == found.open_ED).all(), "the same view must get the same decisions"
    assert (view.scores_ND == before).all(), "a gate must not change what it is given"
