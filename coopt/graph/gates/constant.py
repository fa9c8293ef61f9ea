"""Gates that read no scores: always speak, never speak, speak at random."""

from __future__ import annotations

import numpy as np

from coopt.core.errors import ConfigError
from coopt.core.rng import generator
from coopt.graph.gates.base import Decisions, View


class AlwaysGate:
    """Every tutor speaks in every round."""

    name = "always"
    reads_scores = False

    def decide(self, view: View) -> Decisions:
        return _constant(view, True, "always")


class NeverGate:
    """No tutor speaks: self-distillation alone."""

    name = "never"
    reads_scores = False

    def decide(self, view: View) -> Decisions:
        return _constant(view, False, "never")


class RandomGate:
    """Each edge open by a coin: at ``rate``, or (None) at the rate at which the cognizance gate opened in the same
    seed. The control that says whether it matters which edges are open, or only how many."""

    name = "random"
    reads_scores = False

    def __init__(self, rate: float | None = None) -> None:
        self.rate = rate

    def decide(self, view: View) -> Decisions:
        rate = self.rate if self.rate is not None else view.matched_rate
        if rate is None:
            raise ConfigError(
                "gate random needs gate.rate, or method opcod with the cognizance gate before it in the same run"
                " (--method sdpo,opcod,random), whose open share it then matches."
            )
        open_E = generator(view.seed, view.round, "random gate").random(len(view.tutor_E)) < rate
        open_ED = np.repeat(open_E[:, None], view.scores_ND.shape[1], axis=1)
        return Decisions(open_ED, [f"drawn_at_{rate:.2f}"] * len(open_E))


def _constant(view: View, is_open: bool, reason: str) -> Decisions:
    shape = len(view.tutor_E), view.scores_ND.shape[1]
    return Decisions(np.full(shape, is_open), [reason] * shape[0])
