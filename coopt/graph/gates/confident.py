"""Open where the tutor is shown to be ahead: a confidence bound in the place of a threshold."""

from __future__ import annotations

import numpy as np

from coopt.core.errors import ConfigError
from coopt.graph.gates.base import Decisions, View


class ConfidentGate:
    """Open in domain d if the lower bound of s_tutor,d - s_tutee,d is above zero: the 95 % interval of their scores on
    the same validation questions, paired. With few questions nothing is shown and nothing opens; the paper's gate opens
    on scores that are as good as equal.

    The number that decided is the largest bound over the domains.
    """

    name = "confident"
    reads_scores = True
    reads_leads = True

    def decide(self, view: View) -> Decisions:
        if view.lead_half_ED is None:
            raise ConfigError("gate confident reads the intervals of validation scores, and there are none here.")
        lead_ED = view.scores_ND[view.tutor_E] - view.scores_ND[view.tutee_E]
        bound_ED = np.where(np.isnan(view.lead_half_ED), -np.inf, lead_ED - view.lead_half_ED)
        open_ED = (bound_ED > 0) & view.contends_ND[view.tutor_E]
        reason_E = np.where(open_ED.all(axis=1), "ahead", np.where(open_ED.any(axis=1), "partly_ahead", "not_shown"))
        most_E = bound_ED.max(axis=1, initial=-np.inf)
        return Decisions(open_ED, reason_E.tolist(), np.where(np.isfinite(most_E), most_E, np.nan), 0.0)
