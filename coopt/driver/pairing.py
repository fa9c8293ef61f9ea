"""A graph over given model directories, for commands that probe models and train nothing."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import networkx as nx


def graph_of_models(directories: Sequence[Path]) -> dict[str, Any]:
    """Every model tutors every other one, as networkx node-link data; the k-th is named ``mk``."""
    names = [f"m{k}" for k in range(1, len(directories) + 1)]
    graph = nx.complete_graph(names, nx.DiGraph)
    nx.set_node_attributes(graph, dict(zip(names, map(str, directories), strict=True)), "model")
    data: dict[str, Any] = nx.node_link_data(graph, edges="edges")
    return data


def pairing_name(directories: Sequence[Path]) -> str:
    """The name of the graph of these models."""
    return f"break-rate-{hashlib.sha256('|'.join(map(str, directories)).encode()).hexdigest()[:8]}"
