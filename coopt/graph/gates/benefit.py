"""Open where feedback was seen to mend more than it breaks."""

from __future__ import annotations

import numpy as np

from coopt.core.errors import ConfigError
from coopt.graph.gates.base import Decisions, View


class BenefitGate:
    """Open in domain d if fix x wrong - break x right > 0: fix and break are what the tutor's feedback did to the
    tutee's answers in the break-rate probe of the initial students, each beyond its control without f; right is the
    tutee's validation accuracy of the coming round. Closed where nothing was probed, or no feedback was kept.

    The number that decided is the mean of this benefit over the probed domains.
    """

    name = "benefit"
    reads_scores = True
    reads_probe = True

    def decide(self, view: View) -> Decisions:
        if view.fix_ED is None or view.break_ED is None:
            raise ConfigError("gate benefit reads the break-rate probe, and there is none here.")
        right_ED = view.scores_ND[view.tutee_E]
        benefit_ED = view.fix_ED * (1 - right_ED) - view.break_ED * right_ED
        known_ED = np.isfinite(benefit_ED)
        open_ED = np.where(known_ED, benefit_ED, 0.0) > 0
        reason_E = np.where(
            ~known_ED.any(axis=1),
            "not_probed",
            np.where(open_ED.all(axis=1), "helps", np.where(open_ED.any(axis=1), "partly_helps", "no_help")),
        )
        total_E = np.where(known_ED, benefit_ED, 0.0).sum(axis=1)
        count_E = known_ED.sum(axis=1)
        mean_E = np.divide(total_E, count_E, out=np.full(len(total_E), np.nan), where=count_E > 0)
        return Decisions(open_ED, reason_E.tolist(), mean_E, 0.0)
