"""What is kept of a simulated run: enough for every table and picture, and no more than arrays over rounds."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from coopt.core.arrays import Bools, Floats, Ints
from coopt.driver.simulate.deciding import Open
from coopt.driver.simulate.items import ItemModel
from coopt.driver.simulate.learning import Signals
from coopt.driver.simulate.network import Network, Nodes

Small = NDArray[np.float32]


@dataclass
class History:
    """R rounds of N nodes on D domains; round 0 is the start. Critics stand in the arrays, not in any table."""

    method: str
    seed: int
    nodes: Nodes
    domains: tuple[str, ...]
    measured_RND: Small
    """Validation scores as the gates read them."""
    accuracy_RND: Small
    """The score that infinitely many questions would give."""
    disagreement_RD: Floats
    """Probability that two random students differ in whether a question is answered right."""
    edges_R: Ints
    open_R: Ints
    """Edges that are open in at least one domain."""
    tutored_R: Floats
    """Share of students with at least one open tutor."""
    told_R: NDArray[np.float64]
    """Per round: right rollouts that got feedback, those that it broke, wrong rollouts that it mended [R, 3]."""
    collapsed_N: Ints
    """The round from which a student is not trained on; 0: it is trained to the end."""

    @classmethod
    def empty(cls, method: str, seed: int, nodes: Nodes, domains: tuple[str, ...], rounds: int) -> History:
        shape = rounds + 1, *nodes.trains_ND.shape
        return cls(
            method=method,
            seed=seed,
            nodes=nodes,
            domains=domains,
            measured_RND=np.zeros(shape, dtype=np.float32),
            accuracy_RND=np.zeros(shape, dtype=np.float32),
            disagreement_RD=np.zeros((rounds + 1, shape[2])),
            edges_R=np.zeros(rounds + 1, dtype=np.int64),
            open_R=np.zeros(rounds + 1, dtype=np.int64),
            tutored_R=np.zeros(rounds + 1),
            told_R=np.zeros((rounds + 1, 3)),
            collapsed_N=np.zeros(shape[1], dtype=np.int64),
        )

    def scored(self, round_: int, scores_ND: Floats, theta_ND: Floats, model: ItemModel) -> None:
        """Keep what was measured after ``round_``."""
        self.measured_RND[round_] = scores_ND
        self.accuracy_RND[round_] = model.accuracy(theta_ND)
        students = theta_ND[self.nodes.students_N]
        self.disagreement_RD[round_] = [model.disagreement(column) for column in students.T]

    def decided(self, round_: int, network: Network, opened: Open, collapsed_N: Bools) -> None:
        """Keep the gates' decisions of a round in numbers."""
        open_E = np.asarray(opened.open_ED.any(axis=1))
        self.edges_R[round_], self.open_R[round_] = len(open_E), int(open_E.sum())
        tutored = np.unique(network.tutee_E[open_E])
        self.tutored_R[round_] = len(tutored) / max(1, int(self.nodes.students_N.sum()))
        self.collapsed_N[collapsed_N & (self.collapsed_N == 0)] = round_

    def trained(self, round_: int, signals: Signals, tutored_PD: Floats) -> None:
        """Add what feedback did in a stretch of training."""
        right = float((signals.right_PD * tutored_PD).sum())
        self.told_R[round_] += (right, float(signals.broken_PD.sum()), float(signals.mended_PD.sum()))

    @property
    def open_share(self) -> float:
        """Open share of all decisions of the run: what gate ``random`` matches."""
        return float(self.open_R.sum() / max(1, self.edges_R.sum()))
