"""Gates against the best subset of edges, by how many validation questions they read."""

from __future__ import annotations

import numpy as np
import pytest

from coopt.core.config.schema import GateConfig
from coopt.core.rng import generator
from coopt.graph.build import build_topology
from coopt.graph.gates.evidence import Effect
from coopt.graph.gates.regret import KINDS, Regret, regrets
from coopt.graph.topology import Edge

DOMAINS = ("physics", "chemistry")
EDGES = [Edge("a", "b"), Edge("b", "a")]
PAIR = build_topology(
    "t",
    {"nodes": [{"id": "a"}, {"id": "b"}], "edges": [{"tutor": e.tutor, "tutee": e.tutee} for e in EDGES]},
    DOMAINS,
    "test",
)
QUESTIONS = 200


def scored(*shares: float) -> dict[str, object]:
    """Answers of a student, by domain."""
    rng = generator("regret", *shares)
    right = {d: [[int(x)] for x in rng.random(QUESTIONS) < share] for d, share in zip(DOMAINS, shares, strict=True)}
    return {"domains": {d: {"correct": own} for d, own in right.items()}}


def found(benefits: list[list[float]], error: float = 0.05) -> dict[tuple[str, int], Regret]:
    """``benefits``: of a -> b and of b -> a, by domain; fix and break are such that they come out so."""
    probed = {
        (str(e), d): (Effect(2 * value, error), Effect(0.0, error))
        for e, row in zip(EDGES, benefits, strict=True)
        for d, value in zip(DOMAINS, row, strict=True)
    }
    results = {"a": scored(0.9, 0.5), "b": scored(0.5, 0.9)}
    cells = regrets(
        GateConfig(), PAIR, results, np.array(benefits), EDGES, domains=DOMAINS, seed=0, designs={}, probed=probed
    )
    return {(c.kind, c.questions): c for c in cells}


def test_always_and_never_lose_what_they_open_and_what_they_shut() -> None:
    cells = found([[0.2, -0.1], [-0.1, 0.2]])
    assert {k for k, _ in cells} == set(KINDS)
    for n in (25, 50, 100, QUESTIONS):
        assert cells["always", n].worth == pytest.approx(0.05)
        assert cells["always", n].regret == pytest.approx(0.05)
        assert cells["never", n].regret == pytest.approx(0.1)
        assert cells["always", n].flip == cells["never", n].flip == 0
    assert max(n for _, n in cells) == QUESTIONS, "no more than there are"


def test_who_reads_domains_wins_where_help_lies_with_the_stronger_tutor() -> None:
    cells = found([[0.2, -0.1], [-0.1, 0.2]])
    for kind in ("per_domain", "domain_selective", "confident"):
        assert cells[kind, QUESTIONS].regret == pytest.approx(0, abs=0.01)
    assert cells["cognizance", QUESTIONS].worth == pytest.approx(0, abs=0.01), "it shuts both edges"


def test_more_questions_cost_less_regret_and_fewer_flips() -> None:
    cells = found([[0.05, -0.05], [-0.05, 0.05]], error=0.05)
    regret = [cells["benefit", n].regret for n in (25, 50, 100, QUESTIONS)]
    flips = [cells["benefit", n].flip for n in (25, 50, 100, QUESTIONS)]
    assert regret == sorted(regret, reverse=True)
    assert flips == sorted(flips, reverse=True)
    assert regret[0] > regret[-1]


def test_an_edge_that_was_not_probed_is_worth_nothing() -> None:
    cells = found([[np.nan, np.nan], [0.2, 0.2]])
    assert cells["always", QUESTIONS].worth == pytest.approx(0.1)
    assert cells["always", QUESTIONS].regret == 0
