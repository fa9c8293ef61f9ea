"""What feedback does to a rollout: the chance that it mends a wrong one or breaks a right one.

The rates depend on the tutor (does it know this question?), on the tutee (what does it not know?) and on the prompt
(how many of its rollouts are right, so that there is an own demonstration s or not).
"""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple, Protocol

import numpy as np

from coopt.core.arrays import Floats
from coopt.driver.simulate.constants import Contexts
from coopt.driver.simulate.items import ItemModel
from coopt.graph.gates.base import View


class Ends(NamedTuple):
    """The edges into the students of a phase: competences of both ends [E, D], and what the gate saw of them."""

    tutor_ED: Floats
    tutee_ED: Floats
    view: View


class Rates(NamedTuple):
    """Of the rollouts that get feedback, on prompts with c of n rollouts right [P, D, n + 1]: the share of wrong ones
    that it mends and of right ones that it breaks, beyond what the same rollouts do without it."""

    mends_PDC: Floats
    breaks_PDC: Floats


TutorMean = Callable[[Floats], Floats]
"""[E, D] -> [P, D]: the mean over the open tutors of a tutee, each with its share of the rollouts."""


class FeedbackModel(Protocol):
    """Where the rates come from."""

    name: str

    def rates(self, ends: Ends, average: TutorMean) -> Rates:
        """The rates of every tutee of a phase; zeros where no tutor is open."""
        ...


class Calibrated:
    """Rates from the model's constants.

    Without s feedback mends ``uptake`` of the wrong rollouts whose question the tutor knows, and breaks ``harm`` of the
    right ones whose question it does not know (and ``noise`` of them in any case). s shields: with it feedback changes
    rollouts by the measured difference between s + f and s alone, whoever the tutor is.
    """

    name = "calibrated"

    def __init__(self, model: ItemModel, contexts: Contexts, *, exclude_self: bool, only_without_own: bool) -> None:
        self.model = model
        self.contexts = contexts
        self.exclude_self = exclude_self
        self.only_without_own = only_without_own

    def rates(self, ends: Ends, average: TutorMean) -> Rates:
        known_ED = self.model.known_without(ends.tutor_ED, ends.tutee_ED)
        unknown_ED = 1 - self.model.known_with_one(ends.tutor_ED, ends.tutee_ED)
        return calibrated_rates(
            self.contexts,
            self.model.rollouts,
            average(np.ones(known_ED.shape)),
            average(known_ED),
            average(unknown_ED),
            exclude_self=self.exclude_self,
            only_without_own=self.only_without_own,
        )


def calibrated_rates(
    contexts: Contexts,
    rollouts: int,
    tutored_PD: Floats,
    known_PD: Floats,
    unknown_PD: Floats,
    *,
    exclude_self: bool,
    only_without_own: bool = False,
) -> Rates:
    """The rates of ``Calibrated`` from means over open tutors.

    ``tutored_PD``: 1 where a tutor is open, else 0. ``known_PD``: chance that the tutor knows a question that the tutee
    never gets right; ``unknown_PD``: that it does not know one that the tutee got right once.
    """
    c = contexts
    mends_PDC = np.zeros((*tutored_PD.shape, rollouts + 1))
    breaks_PDC = np.zeros_like(mends_PDC)
    if not only_without_own:
        mends_PDC += tutored_PD[..., None] * (c.fix_both - c.fix_own)
        breaks_PDC += tutored_PD[..., None] * (c.break_both - c.break_own)
    mends_PDC[..., 0] = c.uptake * known_PD
    if exclude_self:  # the only right rollout of a prompt has no demonstration beside itself
        breaks_PDC[..., 1] = c.noise * tutored_PD + c.harm * unknown_PD
    return Rates(c.kept * mends_PDC, c.kept * breaks_PDC)
