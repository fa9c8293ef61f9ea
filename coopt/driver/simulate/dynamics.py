"""The rounds of a simulated run: Algorithm 1 with arrays for students.

``simulate`` is the loop of ``coopt.driver.rounds`` in the same order: score, gate, phases. The graph, the gates and the
schedule are the package's own; only what happens inside a student is a model.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np

from coopt.core.arrays import Bools, Floats, Ints
from coopt.core.config.schema import Config
from coopt.core.rng import generator
from coopt.driver.simulate.constants import Constants
from coopt.driver.simulate.deciding import SDPO, Decider, Open, lead_halves
from coopt.driver.simulate.feedback import Calibrated, Ends, FeedbackModel
from coopt.driver.simulate.history import History
from coopt.driver.simulate.items import LIMIT, ItemModel
from coopt.driver.simulate.learning import Signals, change_of_competence, draw_signals, in_jumps
from coopt.driver.simulate.network import Network, Nodes, Wave
from coopt.driver.simulate.population import draw_competences, draw_luck, measure, place_hub
from coopt.graph.gates.base import View
from coopt.graph.topology import Topology

_STRETCH = 25  # steps between two looks at the students' competences; the constants are calibrated at this length


@dataclass
class World:
    """What all methods and seeds of a simulation share."""

    topology: Topology
    config: Config
    constants: Constants
    feedback: FeedbackModel | None = None
    """None: the constants' own rates."""
    model: ItemModel = field(init=False)
    nodes: Nodes = field(init=False)

    def __post_init__(self) -> None:
        self.model = ItemModel(self.constants.items, self.config.rounds.rollouts)
        self.nodes = Nodes.of(self.topology, self.config.domains)
        self._fixed: tuple[Topology, Network] | None = None
        if self.feedback is None:
            self.feedback = Calibrated(
                self.model,
                self.constants.contexts,
                exclude_self=self.config.rounds.exclude_self,
                only_without_own=self.config.feedback.only_without_own,
            )

    def network(self, topology: Topology, round_: int, seed: int) -> Network:
        """The edges and phases of a round; computed once where they do not change."""
        if topology.varies:
            return Network.of(topology.in_round(round_, seed), self.config.rounds.schedule)
        if self._fixed is None or self._fixed[0] is not topology:
            self._fixed = (topology, Network.of(topology, self.config.rounds.schedule))
        return self._fixed[1]


def simulate(
    world: World,
    method: str,
    seed: int,
    *,
    matched_rate: float | None = None,
    start_ND: Floats | None = None,
    lucky: bool = True,
) -> History:
    """One method on one seed. All methods of a seed start from the same students and questions.

    ``start_ND``: given competences instead of drawn ones. ``lucky`` False: validation questions are exactly typical.
    """
    return _Simulation(world, method, seed, matched_rate, start_ND, lucky).run()


class _Simulation:
    def __init__(
        self, world: World, method: str, seed: int, matched_rate: float | None, start_ND: Floats | None, lucky: bool
    ) -> None:
        self.world, self.method, self.seed, self.matched_rate = world, method, seed, matched_rate
        self.config, self.nodes, self.model = world.config, world.nodes, world.model
        self.decider = Decider("never" if method == SDPO else method, world.config)
        drawn = draw_competences(self.nodes, world.constants.start, seed) if start_ND is None else start_ND
        self.theta_ND = np.array(drawn, dtype=float)
        luck_ND = draw_luck(self.nodes, seed)
        self.luck_ND = luck_ND if lucky else np.zeros_like(luck_ND)

    def run(self) -> History:
        rounds = self.config.rounds.rounds
        start_ND = scores_ND = self._validate(0)
        topology = place_hub(self.world.topology, scores_ND, self.nodes, self.seed)
        history = History.empty(self.method, self.seed, self.nodes, self.config.domains, rounds)
        history.scored(0, scores_ND, self.theta_ND, self.model)
        collapsed_N = np.zeros(len(self.theta_ND), dtype=bool)
        for r in range(1, rounds + 1):
            network = self.world.network(topology, r, self.seed)
            network = network.without_edges() if self.method == SDPO else network
            view = self._view(network, scores_ND, r)
            opened = self.decider.decide(network, view)
            collapsed_N |= self._fallen(start_ND, scores_ND)
            history.decided(r, network, opened, collapsed_N)
            snapshot_ND = self.theta_ND.copy()
            for p, phase in enumerate(network.phases):
                tutors_ND = snapshot_ND if self.config.rounds.schedule == "simultaneous" else self.theta_ND
                self._train(network, phase, p, opened, view, tutors_ND, collapsed_N, r, history)
            scores_ND = self._validate(r)
            history.scored(r, scores_ND, self.theta_ND, self.model)
        return history

    def _validate(self, round_: int) -> Floats:
        """Scores as measured after ``round_``. Critics are scored once: their answers are the same in every round."""
        data, samples = self.config.data.validation, self.config.sampling.eval_samples
        rng = generator(self.seed, round_, "validation")
        return measure(self.model, self.theta_ND, self.luck_ND, data, samples, rng)

    def _view(self, network: Network, scores_ND: Floats, round_: int) -> View:
        nodes = self.nodes
        return View(
            scores_ND=scores_ND,
            contends_ND=nodes.contends_ND,
            students_N=nodes.students_N,
            tutor_E=network.tutor_E,
            tutee_E=network.tutee_E,
            seed=self.seed,
            round=round_,
            matched_rate=self.matched_rate,
            lead_half_ED=lead_halves(scores_ND, network.tutor_E, network.tutee_E, self.config.data.validation),
        )

    def _fallen(self, start_ND: Floats, scores_ND: Floats) -> Bools:
        """Students too far under their start to be trained on."""
        drop_N = (start_ND - scores_ND).mean(axis=1)
        return np.asarray((drop_N > self.config.rounds.collapse_drop) & self.nodes.students_N)

    def _train(
        self,
        network: Network,
        phase: Wave,
        place: int,
        opened: Open,
        view: View,
        tutors_ND: Floats,
        collapsed_N: Bools,
        round_: int,
        history: History,
    ) -> None:
        """Train the students of a phase for K steps, tutored by ``tutors_ND``."""
        node_P, share_ED = phase.node_P, opened.share_ED[phase.edge_E]
        tutor_E, tutee_E = network.tutor_E[phase.edge_E], network.tutee_E[phase.edge_E]
        seen = view._replace(tutor_E=tutor_E, tutee_E=tutee_E)

        def average(values_ED: Floats) -> Floats:
            return np.asarray(phase.sum_PE @ (share_ED * values_ED))

        for stretch, steps in enumerate(_stretches(self.config.rounds.steps)):
            rng = generator(self.seed, round_, place, stretch, "train")
            ends = Ends(tutors_ND[tutor_E], self.theta_ND[tutee_E], seen)
            assert self.world.feedback is not None
            rates = self.world.feedback.rates(ends, average)
            prompts_PDC = self._roll_out(node_P, steps, rng)
            signals = draw_signals(
                prompts_PDC, rates, self.world.constants.contexts, rng, exclude_self=self.config.rounds.exclude_self
            )
            self._learn(node_P, signals, steps, collapsed_N, rng)
            history.trained(round_, signals, average(np.ones(share_ED.shape)))

    def _roll_out(self, node_P: Ints, steps: int, rng: np.random.Generator) -> Ints:
        """Prompts of a stretch by their number of right rollouts [P, D, n + 1]."""
        shares_PDC = self.model.correct_shares(self.theta_ND[node_P])
        wanted_PD = np.rint(self.nodes.share_ND[node_P] * steps * self.config.rounds.prompts).astype(np.int64)
        return rng.multinomial(wanted_PD, shares_PDC / shares_PDC.sum(axis=2, keepdims=True))

    def _learn(self, node_P: Ints, signals: Signals, steps: int, collapsed_N: Bools, rng: np.random.Generator) -> None:
        learning = self.world.constants.learning
        change_PD = change_of_competence(
            signals.own_PD,
            signals.feedback_PD,
            steps,
            self.nodes.share_ND[node_P],
            self.nodes.native_ND[node_P],
            learning,
        )
        moved_PD = in_jumps(change_PD, learning.lump, rng) * ~collapsed_N[node_P, None]
        self.theta_ND[node_P] = np.clip(self.theta_ND[node_P] + moved_PD, -LIMIT, LIMIT)


def _stretches(steps: int) -> Sequence[int]:
    whole, rest = divmod(steps, _STRETCH)
    return [_STRETCH] * whole + ([rest] if rest else [])
