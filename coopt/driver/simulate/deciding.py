"""Which edges are open in a round, and which share of a tutee's feedback each open tutor writes."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from scipy.stats import norm

from coopt.core.arrays import Bools, Floats, Ints
from coopt.core.config.schema import Config, GateConfig
from coopt.core.errors import ConfigError, unknown
from coopt.core.statistics.crossed import ALPHA
from coopt.driver.simulate.network import Network
from coopt.graph.gates.base import Gate, View
from coopt.graph.gates.cognizance import gaps
from coopt.graph.gates.decided import decided
from coopt.graph.gates.registry import GATES, make_gate, wants

ASSIGN = ("spread", "best", "sample")
"""The rules of ``feedback.assign`` that the model has."""
SDPO, OPCOD = "sdpo", "opcod"


def method_names() -> list[str]:
    """sdpo (no tutors), opcod (the configured gate), and every gate by its name that needs no answers to read."""
    return [SDPO, OPCOD, *(name for name in GATES if not _reads_probe(name))]


def _reads_probe(kind: str) -> bool:
    return wants(make_gate(GateConfig(kind=kind)), "reads_probe")


def check_config(config: Config) -> None:
    """Refuse methods and settings that the simulator does not have. Raises ``ConfigError``."""
    methods, gate = config.methods, config.gate.kind
    if config.feedback.assign not in ASSIGN:
        raise ConfigError(
            f"feedback.assign = '{config.feedback.assign}' is not modelled. Simulated: {', '.join(ASSIGN)}."
        )
    if config.adversary:
        raise ConfigError("adversary: hostile tutors are not modelled. Leave the setting out.")
    for method in methods:
        if method not in method_names():
            hint = " Controls are for real runs (coopt bench)." if method in ("honest", "shuffled", "oracle") else ""
            raise ConfigError(unknown("method", method, method_names(), "--methods: ") + hint)
    if not methods or len(set(methods)) < len(methods):
        raise ConfigError("--methods takes each method once, for example sdpo,opcod.")
    reads_rate = "random" in methods or (OPCOD in methods and gate == "random")
    if reads_rate and config.gate.rate is None and OPCOD not in methods[: _place(methods, "random")]:
        raise ConfigError(
            "gate random opens edges at the rate of opcod's gate in the same seed. Name that first (--methods"
            " sdpo,opcod,random), or give a rate (--set gate.rate=0.5)."
        )


def _place(methods: Sequence[str], name: str) -> int:
    return list(methods).index(name) if name in methods else 0


class Open(NamedTuple):
    """``open_ED``: by edge and domain. ``share_ED``: of the tutee's rollouts in a domain, those that this tutor reads;
    they sum to 1 over the open edges into a tutee."""

    open_ED: Bools
    share_ED: Floats


class Decider:
    """The gates of a method. ``opcod``: an edge's own gate, else always for a critic's, else the run's. Another
    method: the gate of its name on every student's edge."""

    def __init__(self, method: str, config: Config) -> None:
        self.config = config.gate
        self.assign = config.feedback.assign
        self.ablation = method != OPCOD
        self.kind = method if self.ablation else config.gate.kind

    def decide(self, network: Network, view: View) -> Open:
        """Decide on every edge from the measured scores in ``view``."""
        open_ED = decided(self._gate(self.kind), view).open_ED
        own_E = np.asarray(network.gate_E)
        for kind in sorted(set(network.gate_E) - {""}):
            asks_E = own_E == kind
            if self.ablation:
                asks_E = asks_E & ~view.students_N[view.tutor_E]
            open_ED = np.where(asks_E[:, None], decided(self._gate(kind), view).open_ED, open_ED)
        return Open(open_ED, self._shares(open_ED, view))

    def _gate(self, kind: str) -> Gate:
        return make_gate(self.config.model_copy(update={"kind": kind}))

    def _shares(self, open_ED: Bools, view: View) -> Floats:
        if self.assign == "spread":
            weight_ED = open_ED.astype(float)
        else:
            gap_E = np.nan_to_num(gaps(view, self.config.scope), nan=np.inf)
            best = self.assign == "best"
            weight_ED = _best(open_ED, gap_E, view.tutee_E) if best else open_ED * np.exp(-gap_E)[:, None]
        nodes = len(view.scores_ND)
        sums = [np.bincount(view.tutee_E, column, nodes) for column in weight_ED.T]
        total_ED = np.stack(sums, axis=1)[view.tutee_E]
        return np.asarray(np.divide(weight_ED, total_ED, out=np.zeros_like(weight_ED), where=total_ED > 0))


def lead_halves(scores_ND: Floats, tutor_E: Ints, tutee_E: Ints, questions: int) -> Floats:
    """Half the 95 % interval of s_tutor - s_tutee [edges, domains] over so many validation questions, as of two
    independent shares: a simulation has no answers to pair."""
    variance_ND = scores_ND * (1 - scores_ND) / questions
    found: Floats = norm.isf(ALPHA / 2) * np.sqrt(variance_ND[tutor_E] + variance_ND[tutee_E])
    return found


def _best(open_ED: Bools, gap_E: Floats, tutee_E: Ints) -> Floats:
    """1 for the open edge into a tutee with the smallest gap (the first of equals), in each domain; else 0."""
    order_E = np.lexsort((gap_E, tutee_E))
    best_ED = np.zeros(open_ED.shape)
    for d in range(open_ED.shape[1]):
        candidates = order_E[open_ED[order_E, d]]
        _, first = np.unique(tutee_E[candidates], return_index=True)
        best_ED[candidates[first], d] = 1.0
    return best_ED
