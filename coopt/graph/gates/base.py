"""A gate decides for every edge, domain and round whether the tutor may speak.

Decisions are arrays over edges, so that the same code serves two students and a simulated hundred thousand.
A plug-in that is easier to write for one edge at a time derives from ``EdgeByEdge``.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from typing import Any, NamedTuple, Protocol, runtime_checkable

import numpy as np

from coopt.core.arrays import Bools, Floats, Ints
from coopt.core.errors import PluginError


class View(NamedTuple):
    """What a gate may see. N nodes, D domains, E tutor edges of this round.

    ``scores_ND``: validation accuracy in [0, 1]. ``contends_ND``: whether a node may be the best in a domain (one
    that is not trained on it is not). ``students_N``: students, not critics. ``tutor_E`` and ``tutee_E`` are node
    numbers. ``matched_rate``: the open share of the cognizance gate's decisions in the same seed, where there is
    such an arm.

    ``lead_half_ED``: half the 95 % interval of s_tutor - s_tutee, paired over the validation questions (NaN where an
    end is not scored), for a gate with ``reads_leads = True``. ``fix_ED``, ``break_ED``: what the tutor's feedback
    mended and broke in the break-rate probe of the initial students, beyond the controls (NaN where it was not probed),
    for a gate with ``reads_probe = True``. None for other gates.
    """

    scores_ND: Floats
    contends_ND: Bools
    students_N: Bools
    tutor_E: Ints
    tutee_E: Ints
    seed: int = 0
    round: int = 1
    matched_rate: float | None = None
    lead_half_ED: Floats | None = None
    fix_ED: Floats | None = None
    break_ED: Floats | None = None

    @classmethod
    def of(cls, scores_ND: Floats, edges: Sequence[tuple[int, int]], seed: int = 0) -> View:
        """A view of students that contend everywhere."""
        ends = np.asarray(edges, dtype=np.int64).reshape(-1, 2)
        everywhere, students_N = np.ones(scores_ND.shape, dtype=bool), np.ones(len(scores_ND), dtype=bool)
        return cls(scores_ND, everywhere, students_N, ends[:, 0], ends[:, 1], seed)

    def taking(self, edges: Ints) -> View:
        """The same with these edges alone, in this order."""
        parts = (self.lead_half_ED, self.fix_ED, self.break_ED)
        lead, fix, broke = (None if part is None else part[edges] for part in parts)
        ends = self._replace(tutor_E=self.tutor_E[edges], tutee_E=self.tutee_E[edges])
        return ends._replace(lead_half_ED=lead, fix_ED=fix, break_ED=broke)

    def contending_ND(self) -> Floats:
        """Scores where a node contends, 0 elsewhere."""
        return np.where(self.contends_ND, self.scores_ND, 0.0)


class Decisions(NamedTuple):
    """Open or closed by edge and domain, why, and the number that decided (None, or NaN, where no number did).

    The journal keeps reason, ``gap_E`` (as ``number``) and threshold; the gap that it shows beside them is the
    cognizance gap, whatever the gate.
    """

    open_ED: Bools
    reason_E: Sequence[str]
    gap_E: Floats | None = None
    threshold: float | None = None


@runtime_checkable
class Gate(Protocol):
    """A pure function of a ``View``. ``reads_scores``: whether the scores matter to it (unscored nodes have zeros)."""

    name: str
    reads_scores: bool

    def decide(self, view: View) -> Decisions:
        """The decisions of the coming round."""
        ...


class Decision(NamedTuple):
    """One edge: the domains in which it is open (by place), why, and the number that decided."""

    open_D: Sequence[bool]
    reason: str
    gap: float | None = None


class EdgeByEdge(ABC):
    """A gate that looks at one edge at a time."""

    name = "edge by edge"
    reads_scores = True

    @abstractmethod
    def decide_edge(self, tutor_D: Floats, tutee_D: Floats, view: View) -> Decision:
        """The decision on one edge from the scores of its two ends."""

    def decide(self, view: View) -> Decisions:
        ends = zip(view.scores_ND[view.tutor_E], view.scores_ND[view.tutee_E], strict=True)
        found = [self.decide_edge(tutor, tutee, view) for tutor, tutee in ends]
        self._check(found, view.scores_ND.shape[1])
        open_ED = np.array([d.open_D for d in found], dtype=bool).reshape(len(found), view.scores_ND.shape[1])
        gaps = np.array([np.nan if d.gap is None else d.gap for d in found])
        return Decisions(open_ED, [d.reason for d in found], gaps)

    def _check(self, found: Sequence[Any], domains: int) -> None:
        """Raises ``PluginError``."""
        for one in found:
            open_D: Any = getattr(one, "open_D", None)
            if not all(hasattr(one, name) for name in Decision._fields):  # a class of somebody's own will do
                what, expected = f"a {type(one).__name__}", "Decision(open_D, reason, gap)"
            elif not isinstance(open_D, Sequence | np.ndarray):
                what, expected = f"open_D as a {type(open_D).__name__}", "a list of Booleans"
            elif len(open_D) != domains:
                what, expected = f"open_D with {len(open_D)} entries", f"{domains}, one per domain"
            else:
                continue
            raise PluginError(f"gate '{self.name}': decide_edge returned {what}; expected {expected}.")
