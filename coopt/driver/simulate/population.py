"""The initial students (competences, drawn or given) and their measured scores."""

from __future__ import annotations

import numpy as np

from coopt.core.arrays import Floats
from coopt.core.rng import generator
from coopt.driver.simulate.constants import Start
from coopt.driver.simulate.items import LIMIT, ItemModel
from coopt.driver.simulate.network import NOBODY, Nodes
from coopt.graph.topology import Topology


def draw_competences(nodes: Nodes, start: Start, seed: int) -> Floats:
    """Competences [N, D]: normal around the native or the foreign mean. A critic is strong in every domain, or what
    the student was that it is a snapshot of."""
    shape = nodes.trains_ND.shape
    strong_ND = nodes.native_ND | ~nodes.students_N[:, None]
    mean_ND = np.where(strong_ND, start.native, start.foreign)
    spread_ND = np.where(strong_ND, start.native_sd, start.foreign_sd)
    drawn_ND = mean_ND + spread_ND * generator(seed, "start").standard_normal(shape)
    copies = nodes.snapshot_N != NOBODY
    drawn_ND[copies] = drawn_ND[nodes.snapshot_N[copies]]
    return np.clip(drawn_ND, -LIMIT, LIMIT)


def draw_luck(nodes: Nodes, seed: int) -> Floats:
    """How well the validation questions, which stay the same all run, suit each student [N, D], standard normal."""
    return generator(seed, "questions").standard_normal(nodes.trains_ND.shape)


def measure(
    model: ItemModel, theta_ND: Floats, luck_ND: Floats, questions: int, samples: int, rng: np.random.Generator
) -> Floats:
    """Validation scores [N, D] in [0, 1] as a gate reads them: multiples of 1 / (questions x samples).

    Two noises: which questions were chosen (fixed, ``luck_ND``) and how they were answered this time (new).
    """
    between_ND, within_ND = model.score_variances(theta_ND)
    noise_ND = luck_ND * np.sqrt(between_ND / questions)
    noise_ND = noise_ND + rng.standard_normal(theta_ND.shape) * np.sqrt(within_ND / (questions * samples))
    answers = questions * samples
    scores_ND: Floats = np.clip(np.rint((model.accuracy(theta_ND) + noise_ND) * answers) / answers, 0.0, 1.0)
    return scores_ND


def place_hub(topology: Topology, scores_ND: Floats, nodes: Nodes, seed: int) -> Topology:
    """Put the student that the topology's ``hub`` names into the hub's place, as ``coopt.graph.hub`` does."""
    if not topology.hub:
        return topology
    students = np.flatnonzero(nodes.students_N)
    means = scores_ND[students].mean(axis=1)
    if topology.hub == "random":
        chosen = int(generator(seed, "hub").integers(len(students)))
    else:
        chosen = int(means.argmax() if topology.hub == "strongest" else means.argmin())
    return topology.placed(nodes.names[students[chosen]])
