"""The paper's published break-rates in place of the calibrated ones (``--rates paper``).

Published (OPCoD, Table 2 and Appendix E): 2.77 % of right answers broken by cognizant tutors, 6.53 % by incognizant
ones; by difficulty, the number of wrong answers of eight before feedback, for 0-1, 5-7 and 7; and in the tutor's
stronger domain alone. Everything else stays as calibrated: the paper has no fix-rates, and its learning is not known.
Three things are filled in here, each by the simplest rule:

- 5 to 6 wrong: what is left of the published 5-7 after 7, if these prompts are equally many (weights 3, 2, 1 by right
  rollouts);
- 2 to 4 wrong: straight on the logit scale between 0-1 and 5-6;
- the tutor's weaker domain: what is left of the whole if both domains have equally many right rollouts.

A rate with feedback is published without its control, so what s alone breaks (``break_own``, calibrated) is taken off
where there is an s.
"""

from __future__ import annotations

import numpy as np
from scipy.special import expit, logit

from coopt.core.arrays import Floats
from coopt.core.config.schema import Config
from coopt.driver.simulate.constants import Contexts
from coopt.driver.simulate.feedback import Calibrated, Ends, Rates, TutorMean
from coopt.driver.simulate.items import ItemModel
from coopt.graph.gates.cognizance import CognizanceGate

WHOLE = {"cognizant": 0.0277, "incognizant": 0.0653}
STRONGER = {"cognizant": 0.0356, "incognizant": 0.0512}
VERY_EASY = {"cognizant": 0.0113, "incognizant": 0.0475}  # 0-1 wrong of 8
HARD = {"cognizant": 0.0542, "incognizant": 0.1373}  # 5-7
HARDEST = {"cognizant": 0.1379, "incognizant": 0.2188}  # 7


def by_difficulty(state: str, wrong: Floats) -> Floats:
    """Break-rate of a tutor in this state on prompts with ``wrong`` wrong answers of eight (any shape)."""
    middle = (6 * HARD[state] - HARDEST[state]) / 5
    points = [0.5, 5.5, 7.0]
    rates = logit(np.array([VERY_EASY[state], middle, HARDEST[state]]))
    return np.asarray(expit(np.interp(wrong, points, rates)))


def by_domain(state: str, stronger: bool) -> float:
    """Break-rate where the tutor is the stronger (or the weaker) of the edge, over that of the whole."""
    rate = STRONGER[state] if stronger else 2 * WHOLE[state] - STRONGER[state]
    return rate / WHOLE[state]


class Published:
    """Break-rates of the paper, by the gate's state of the edge, the tutor's standing in the domain, and difficulty."""

    name = "paper (published break-rates; fix-rates calibrated)"

    def __init__(self, model: ItemModel, contexts: Contexts, config: Config) -> None:
        self.contexts, self.rollouts = contexts, model.rollouts
        self.exclude_self = config.rounds.exclude_self
        self.only_without_own = config.feedback.only_without_own
        self.calibrated = Calibrated(
            model, contexts, exclude_self=self.exclude_self, only_without_own=self.only_without_own
        )
        self.gate = CognizanceGate(config.gate.tau, config.gate.scope)

    def rates(self, ends: Ends, average: TutorMean) -> Rates:
        mends_PDC = self.calibrated.rates(ends, average).mends_PDC
        view = ends.view
        cognizant_ED = self.gate.decide(view).open_ED
        stronger_ED = view.scores_ND[view.tutor_E] >= view.scores_ND[view.tutee_E]
        breaks_PDC = np.zeros_like(mends_PDC)
        told_PD = average(np.ones(cognizant_ED.shape))
        for state, in_state_ED in (("cognizant", cognizant_ED), ("incognizant", ~cognizant_ED)):
            rate_C = by_difficulty(state, 8 * (1 - np.arange(self.rollouts + 1) / self.rollouts))
            for stronger, where_ED in ((True, stronger_ED), (False, ~stronger_ED)):
                share_PD = average((in_state_ED & where_ED).astype(float))
                breaks_PDC += share_PD[..., None] * np.minimum(by_domain(state, stronger) * rate_C, 1.0)
        return Rates(mends_PDC, self.contexts.kept * self._beyond_own(breaks_PDC, told_PD))

    def _beyond_own(self, breaks_PDC: Floats, told_PD: Floats) -> Floats:
        """Take off what s alone breaks; no feedback where there is an s if the run asks for that."""
        alone = 2 if self.exclude_self else 1  # fewer right rollouts than this: no s beside a right one
        beyond_PDC = breaks_PDC.copy()
        beyond_PDC[..., alone:] -= told_PD[..., None] * self.contexts.break_own
        if self.only_without_own:
            beyond_PDC[..., alone:] = 0.0
        return beyond_PDC
