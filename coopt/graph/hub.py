"""Who stands in the hub of a star: decided per seed, when the students' initial scores are known."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from coopt.core.rng import generator
from coopt.core.statistics.accuracy import accuracy
from coopt.graph.topology import Topology


def choose_hub(topology: Topology, results: Mapping[str, Any], seed: int) -> str:
    """The strongest or weakest student by mean accuracy over the domains, or one at random."""
    students = topology.students
    if topology.hub == "random":
        return students[int(generator(seed, "hub").integers(len(students)))]
    means = {s: sum(accuracy(results[s]).values()) for s in students}
    return (max if topology.hub == "strongest" else min)(students, key=lambda s: means[s])
