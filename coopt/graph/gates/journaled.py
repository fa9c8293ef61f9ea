"""Gate decisions as the journal keeps them: with the noise of the scores that they read."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, Literal

import numpy as np

from coopt.core.arrays import Floats
from coopt.core.config.schema import GateConfig
from coopt.core.rng import generator
from coopt.core.statistics.bootstrap import interval
from coopt.core.statistics.crossed import joint_draws
from coopt.core.statistics.design import Design, make_design
from coopt.graph.gates.base import Decisions, View
from coopt.graph.gates.cognizance import gaps
from coopt.graph.gates.decided import decided
from coopt.graph.gates.evidence import Effects, Probed, Scored, lead_halves
from coopt.graph.gates.registry import make_gate, wants
from coopt.graph.topology import Edge, Topology

_DRAWS = 500  # enough for an interval; a decision is cheap but there may be many edges
GateRecord = dict[str, Any]


def decide_edges(
    gates: Mapping[Edge, GateConfig],
    topology: Topology,
    results: Scored,
    *,
    domains: tuple[str, ...],
    draws: int,
    seed: int,
    round_: int,
    matched_rate: float | None = None,
    purpose: str = "",
    designs: Mapping[str, Design] | None = None,
    probed: Callable[[], Probed] | None = None,
) -> dict[str, GateRecord]:
    """Decide on every edge by its own gate: edge -> record for the journal.

    A record has ``open``, the open ``domains``, ``reason``, ``gap`` (measured whatever the gate, None where an end is
    not scored or nothing can be told), ``number`` (what the gate itself compared, where it says so), ``threshold``,
    the gap's 95 % interval (scores drawn anew as other validation questions would give them, jointly for all nodes),
    and ``flip``, the share of draws that would decide otherwise. ``designs``: how each domain's questions hang
    together; without them each is one of its own. ``probed``: what the break-rate probe found, asked for if a gate
    reads it, and drawn anew with the scores.
    """
    outside = {str(e): _outside(domains) for e in gates if e.tutor not in topology.index}
    gates = {e: g for e, g in gates.items() if e.tutor in topology.index}
    edges = list(gates)
    if not edges:
        return outside
    deciding = Deciding(gates, topology, domains, seed, round_, matched_rate)
    scores = scores_of(results, topology, domains)
    if deciding.wants("reads_leads"):
        deciding.view = deciding.view._replace(lead_half_ED=lead_halves(results, edges, domains, designs or {}))
    effects = Effects(probed() if probed else {}, edges, domains) if deciding.wants("reads_probe") else None
    if effects:
        deciding.view = effects.seen_by(deciding.view)
    chosen, gap_E = deciding(scores), deciding.gaps(scores)
    thresholds, numbers = list(deciding.thresholds), list(deciding.numbers)
    scored_E = np.array([e.tutor in results and e.tutee in results for e in edges])
    drawn = drawn_scores(results, topology, domains, min(draws, _DRAWS), (seed, purpose), designs or {})
    resampled = _decided_anew(deciding, drawn, effects, generator(seed, purpose, "probe", "gate"))
    records: dict[str, GateRecord] = outside
    for k, edge in enumerate(edges):
        gap = float(gap_E[k]) if scored_E[k] and np.isfinite(gap_E[k]) else None
        others = [g[k] for _, g in resampled if np.isfinite(g[k])] if gap is not None else []
        low, high = _basic(gap, others) if gap is not None and others else (None, None)
        row = chosen.open_ED[k]
        records[str(edge)] = {
            "open": bool(row.any()),
            "domains": [d for d, is_open in zip(domains, row, strict=True) if is_open],
            "reason": chosen.reason_E[k],
            "gap": gap,
            "number": numbers[k],
            "threshold": thresholds[k],
            "gap_low": low,
            "gap_high": high,
            "flip": float(np.mean([(o[k] != row).any() for o, _ in resampled])),
        }
    return records


def _decided_anew(
    deciding: Deciding, drawn: Iterable[Floats], effects: Effects | None, rng: np.random.Generator
) -> list[tuple[Any, Floats]]:
    """What is open, and the gaps, on each draw of the scores; where a gate reads the probe, on another draw of that."""
    found = []
    for anew in drawn:
        if effects:
            deciding.view = effects.seen_by(deciding.view, rng)
        found.append(deciding.both(anew))
    return found


def _basic(gap: float, resampled: Sequence[float]) -> tuple[float, float]:
    """The basic interval: a gap is a maximum, which resampling makes larger once more, and this takes it off."""
    low, high = interval(np.asarray(resampled))
    return 2 * gap - high, 2 * gap - low


def _outside(domains: Sequence[str]) -> GateRecord:
    """The record of a tutor that is not a node (the oracle): open, and nothing was measured."""
    return {
        "open": True,
        "domains": list(domains),
        "reason": "always",
        "gap": None,
        "number": None,
        "threshold": None,
        "gap_low": None,
        "gap_high": None,
        "flip": 0.0,
    }


class Deciding:
    """The gates of a round as one function of the scores."""

    def __init__(
        self,
        gates: Mapping[Edge, GateConfig],
        topology: Topology,
        domains: tuple[str, ...],
        seed: int,
        round_: int,
        rate: float | None,
    ) -> None:
        edges = list(gates)
        number = topology.index
        ends = np.array([(number[e.tutor], number[e.tutee]) for e in edges], dtype=np.int64)
        students = np.array([n.role == "student" for n in topology.nodes.values()])
        contends = np.array(
            [
                [n.role == "critic" or d in topology.trained_on(n.id, domains) for d in domains]
                for n in topology.nodes.values()
            ]
        )
        self.view = View(np.zeros(contends.shape), contends, students, ends[:, 0], ends[:, 1], seed, round_, rate)
        kinds = [c.model_dump_json() for c in gates.values()]
        self.groups = [
            (config, make_gate(config), np.array([k == kind for k in kinds]))
            for kind, config in dict(zip(kinds, gates.values(), strict=True)).items()
        ]
        self.thresholds: list[float | None] = [None] * len(edges)
        self.numbers: list[float | None] = [None] * len(edges)

    def __call__(self, scores_ND: Floats) -> Decisions:
        view = self.view._replace(scores_ND=scores_ND)
        open_ED = np.zeros((len(view.tutor_E), scores_ND.shape[1]), dtype=bool)
        reason_E = [""] * len(open_ED)
        for _, gate, own_E in self.groups:
            found = decided(gate, view)
            open_ED[own_E] = found.open_ED[own_E]
            for k in np.flatnonzero(own_E).tolist():
                reason_E[k], self.thresholds[k] = found.reason_E[k], found.threshold
                self.numbers[k] = _finite(found.gap_E, k)
        return Decisions(open_ED, reason_E)

    def wants(self, what: Literal["reads_leads", "reads_probe"]) -> bool:
        return any(wants(gate, what) for _, gate, _ in self.groups)

    def gaps(self, scores_ND: Floats) -> Floats:
        """The gap of every edge in the scope of its gate."""
        view = self.view._replace(scores_ND=scores_ND)
        gap_E = np.full(len(view.tutor_E), np.nan)
        for config, _, own_E in self.groups:
            gap_E[own_E] = gaps(view, config.scope)[own_E]
        return gap_E

    def both(self, scores_ND: Floats) -> tuple[Any, Floats]:
        return self(scores_ND).open_ED, self.gaps(scores_ND)


def _finite(gap_E: Floats | None, k: int) -> float | None:
    """A gate's own number on edge k, where it has one."""
    return float(gap_E[k]) if gap_E is not None and np.isfinite(gap_E[k]) else None


def scores_of(results: Scored, topology: Topology, domains: Sequence[str]) -> Floats:
    """Validation accuracy [nodes, domains]; zeros where a node is not scored."""
    return np.array(
        [
            [np.mean(results[n]["domains"][d]["correct"]) if n in results else 0.0 for d in domains]
            for n in topology.nodes
        ]
    )


def drawn_scores(
    results: Scored,
    topology: Topology,
    domains: Sequence[str],
    draws: int,
    key: Sequence[object],
    designs: Mapping[str, Design],
) -> list[Floats]:
    """``draws`` score arrays [nodes, domains], as other questions would give them."""
    found = np.zeros((draws, len(topology.nodes), len(domains)))
    places = {n: k for n, k in topology.index.items() if n in results}
    for d, name in enumerate(domains):
        per_item = np.array([np.mean(results[n]["domains"][name]["correct"], axis=1) for n in places])
        if len(per_item):
            design = designs.get(name) or make_design([[()] * per_item.shape[1]])
            scores = joint_draws(per_item[:, None], design, draws, generator(*key, name, "gate"))
            found[:, list(places.values()), d] = np.clip(scores, 0, 1)
    return list(found)
