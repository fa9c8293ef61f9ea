"""The tables of ``coopt topo``: the shipped graphs, and one graph's numbers."""

from __future__ import annotations

from typing import Any

from coopt.core.config.schema import Config
from coopt.core.names import DOMAIN_NAMES
from coopt.core.tables.table import Table
from coopt.graph.cost import RoundCost
from coopt.graph.files import load_topology, topology_names
from coopt.graph.measures import GraphMeasures, Spread
from coopt.graph.mixing import DENSE_LIMIT
from coopt.graph.topology import Topology

_LEFT_OUT = f"left out (over {DENSE_LIMIT:,} students)"


def list_table() -> Table:
    """One row a shipped topology, at its default size."""
    rows = []
    for name in topology_names():
        topology = load_topology(name, DOMAIN_NAMES)
        nodes = _sum(len(topology.students), len(topology.critics), "critic")
        edges = _sum(len(topology.edges), len(topology.reviews), "review")
        rows.append([name, topology.description, nodes, edges, "yes" if topology.varies else "no"])
    notes = [
        "nodes: students at the default size, another with --nodes N for graphs that are generated",
        "varies: edges change every round; those counted here are of all rounds together",
    ]
    return Table("Topologies", ["name", "what it is", "nodes", "tutor edges", "varies"], rows, notes)


def _sum(count: int, more: int, what: str) -> str:
    return f"{count} + {more} {what}{'s' * (more > 1)}" if more else str(count)


def show_data(
    topology: Topology, measures: GraphMeasures, cost: RoundCost, config: Config, tokens_per_second: float
) -> dict[str, Any]:
    """Everything that ``topo show`` says, for programs. Numbers that do not exist are null."""
    m = measures
    return {
        "name": topology.name,
        "description": topology.description,
        "varies": topology.varies,
        "hub": topology.hub,
        "students": dict(topology.native),
        "critics": topology.critics,
        "edges": [str(e) for e in topology.edges],
        "reviews": [f"{a} -> {b}" for a, b in topology.review_pairs],
        "edges_a_round": m.edges_a_round,
        "tutors_of_a_student": m.tutors._asdict(),
        "tutees_of_a_node": m.tutees._asdict(),
        "connected": m.connected,
        "diameter": m.diameter,
        "period": m.period,
        "spectral_gap": m.gap.per_round,
        "spectral_gap_of_a_period": m.gap.per_period,
        "gamma": m.gamma,
        "effective_neighbours": m.effective_neighbours,
        "cost": {
            "preset": config.preset,
            "rounds": config.rounds.rounds,
            "round": cost._asdict() | {"tokens": cost.tokens},
            "tokens_per_second": tokens_per_second,
            "device_hours": cost.device_hours(tokens_per_second),
        },
    }


def show_table(data: dict[str, Any]) -> Table:
    """``show_data`` for people."""
    cost, tokens = data["cost"], data["cost"]["round"]
    native = ", ".join(f"{s} ({d})" for s, d in list(data["students"].items())[:12])
    more = f", … {len(data['students'])} in all" * (len(data["students"]) > 12)
    rows = [
        ["students", native + more],
        ["critics", ", ".join(data["critics"]) or "none"],
        ["tutor edges", _edges(data)],
        ["review edges", str(len(data["reviews"]) or "none")],
        ["tutors of a student", str(Spread(**data["tutors_of_a_student"]))],
        ["tutees of a node", str(Spread(**data["tutees_of_a_node"]))],
        ["diameter", _diameter(data)],
        ["spectral gap", _gap(data)],
        [f"effective neighbours (gamma {data['gamma']:g})", _number(data["effective_neighbours"])],
        [f"one round, preset {cost['preset']}", f"at most {tokens['tokens']:,} tokens, {_hours(cost['device_hours'])}"],
        [f"its {cost['rounds']} rounds", _hours(cost["rounds"] * cost["device_hours"])],
    ]
    notes = [
        "gap 1 - |lambda_2|: 1 if a round averages exactly, 0 if students never agree; of students, every gate open",
        f"a round: {tokens['rollouts']:,} tokens of rollouts, {tokens['critiques']:,} of critiques,"
        f" {tokens['scores']:,} of validation answers, each at the preset's token limit",
        f"assumed: {cost['tokens_per_second']:,.0f} tokens/s generated and trained on by one device"
        " (--tokens-per-second); coopt bench --dry-run measures",
    ]
    if data["hub"]:
        notes.insert(0, f"hub: the {data['hub']} student takes the first node's edges")
    if data["varies"]:
        notes.insert(0, "tutors, tutees and diameter: of all rounds together")
    return Table(f"{data['name']}: {data['description']}", ["measure", "value"], rows, notes)


def _edges(data: dict[str, Any]) -> str:
    if not data["varies"]:
        return str(len(data["edges"]) or "none")
    rounds = "drawn anew every round" if data["period"] is None else f"repeating after {data['period']} rounds"
    return f"{data['edges_a_round']} per round, {rounds}; {len(data['edges'])} in all"


def _diameter(data: dict[str, Any]) -> str:
    if not data["connected"]:
        return "not connected (some student never hears of some other)"
    return _LEFT_OUT if data["diameter"] is None else str(data["diameter"])


def _gap(data: dict[str, Any]) -> str:
    gap = data["spectral_gap"]
    if gap is None:
        return "left out (no convergence)" if data["period"] == 1 else _LEFT_OUT
    if data["period"] is None:
        return f"{_number(gap)} per round, in expectation over the draws"
    if data["period"] > 1:
        return f"{_number(gap)} per round (mean), {_number(data['spectral_gap_of_a_period'])} per period"
    return _number(gap)


def _number(value: float | None) -> str:
    return _LEFT_OUT if value is None else f"{value:.3g}"


def _hours(hours: float) -> str:
    return f"{hours:,.0f} device-hours" if hours >= 100 else f"{hours:.2g} device-hours"
