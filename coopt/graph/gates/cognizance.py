"""The cognizance gate (paper 3.2, Eq. 2) for any number of students and domains, and its per-domain relatives."""

from __future__ import annotations

from typing import Literal

import numpy as np

from coopt.core.arrays import Bools, Floats
from coopt.graph.gates.base import Decisions, View

Scope = Literal["edge", "neighbourhood", "graph"]
COGNIZANCE_REASONS = ("cognizant", "incognizant", "no_signal")
# Scores are ratios of counts: 0.3 - 0.1 <= 0.2 must not hang on the last bit of a float.
_ROUNDING = 1e-9


def best_scores(view: View, scope: Scope) -> Floats:
    """s*_d for every edge [E, D]: the best contending score of the edge's two ends, of the tutee and all its
    tutors, or of all students. A tutor always counts itself."""
    own_ED, contending_ND = view.scores_ND[view.tutor_E], view.contending_ND()
    if scope == "graph":
        best_ED = np.broadcast_to(contending_ND[view.students_N].max(axis=0, initial=0.0), own_ED.shape)
    elif scope == "neighbourhood":
        best_ND = contending_ND.copy()
        np.maximum.at(best_ND, view.tutee_E, contending_ND[view.tutor_E])
        best_ED = best_ND[view.tutee_E]
    else:
        best_ED = np.maximum(contending_ND[view.tutor_E], contending_ND[view.tutee_E])
    return np.asarray(np.maximum(best_ED, own_ED))


def shortfalls(view: View, scope: Scope = "edge") -> tuple[Floats, Bools]:
    """(s*_d - s_d) / s*_d of every edge's tutor [E, D], 0 where s*_d = 0; and where s*_d > 0."""
    best_ED = best_scores(view, scope)
    known_ED = best_ED > 0
    # Relative to the best: half of a domain that hardly anybody solves weighs as much as half of an easy one (Eq. 2).
    missing_ED = best_ED - view.scores_ND[view.tutor_E]
    return np.divide(missing_ED, best_ED, out=np.zeros_like(best_ED), where=known_ED), known_ED


def gaps(view: View, scope: Scope = "edge") -> Floats:
    """The gap of every edge [E]: the sum of its shortfalls; NaN where nobody solves anything (nothing can be told)."""
    short_ED, known_ED = shortfalls(view, scope)
    # NaN, not 0: a tutor of whom nothing is known is not a perfect one.
    return np.where(known_ED.any(axis=1), short_ED.sum(axis=1), np.nan)


class CognizanceGate:
    """Open if the tutor's gap is at most tau.

    Scope ``edge`` measures the tutor against the edge's two ends with threshold tau; ``neighbourhood`` (tutee and
    all its tutors) and ``graph`` (all students) with tau |D| / 2. All three are the paper's rule at two students and
    two domains.
    """

    name = "cognizance"
    reads_scores = True

    def __init__(self, tau: float = 0.2, scope: Scope = "edge") -> None:
        self.tau = tau
        self.scope = scope

    def decide(self, view: View) -> Decisions:
        gap_E, domains = gaps(view, self.scope), view.scores_ND.shape[1]
        threshold = self.tau if self.scope == "edge" else self.tau * domains / 2
        with np.errstate(invalid="ignore"):
            open_E = gap_E <= threshold + _ROUNDING  # NaN is not
        # The same three texts for all edges, however many: np.where of texts would copy one for each.
        words = np.array(["incognizant", "cognizant", "no_signal"], dtype=object)
        reasons = words[np.where(np.isnan(gap_E), 2, open_E)].tolist()
        return Decisions(np.repeat(open_E[:, None], domains, axis=1), reasons, gap_E, threshold)


class DomainSelectiveGate(CognizanceGate):
    """The paper's ablation: an incognizant tutor still speaks in the domains where nobody in scope is better."""

    name = "domain_selective"

    def decide(self, view: View) -> Decisions:
        whole = super().decide(view)
        short_ED, known_ED = shortfalls(view, self.scope)
        stronger_ED = (short_ED <= _ROUNDING) & known_ED & view.contends_ND[view.tutor_E]
        open_ED = whole.open_ED | stronger_ED
        partly_E = np.asarray(open_ED.any(axis=1) & ~whole.open_ED.any(axis=1))
        reason_E = np.where(partly_E, "stronger_domain", np.asarray(whole.reason_E)).tolist()
        return Decisions(open_ED, reason_E, whole.gap_E, whole.threshold)


class PerDomainGate(CognizanceGate):
    """Open in domain d if (s*_d - s_d) / s*_d <= tau / 2, each domain for itself; closed where s*_d = 0."""

    name = "per_domain"

    def decide(self, view: View) -> Decisions:
        short_ED, known_ED = shortfalls(view, self.scope)
        open_ED = (short_ED <= self.tau / 2 + _ROUNDING) & known_ED
        reason_E = np.where(
            ~known_ED.any(axis=1),
            "no_signal",
            np.where(open_ED.all(axis=1), "cognizant", np.where(open_ED.any(axis=1), "partly", "incognizant")),
        )
        return Decisions(open_ED, reason_E.tolist(), gaps(view, self.scope), self.tau / 2)
