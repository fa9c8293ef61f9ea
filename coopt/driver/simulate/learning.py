"""The learning rule: a student's competence moves with what its self-teacher does better than itself.

Of the rollouts of a round, D is the net share that own demonstrations mend, F the net share that feedback mends
beyond that (it is negative where feedback breaks more than it mends). Per step whose prompts are all of the domain
competence changes by ``rate_own`` D + ``rate_feedback`` F. A verified demonstration does not teach worse than what is
there, so D is at least 0, and self-distillation alone never makes a student worse.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from coopt.core.arrays import Bools, Floats, Ints
from coopt.driver.simulate.constants import Contexts, Learning
from coopt.driver.simulate.feedback import Rates


class Signals(NamedTuple):
    """D and F of every student and domain [P, D], and the counts behind F."""

    own_PD: Floats
    feedback_PD: Floats
    mended_PD: Floats
    broken_PD: Floats
    right_PD: Floats
    """Right rollouts of the round."""


def demonstrated(rollouts: int, exclude_self: bool) -> tuple[Ints, Ints]:
    """Wrong and right rollouts with an own demonstration on a prompt with c of n right, for c = 0 .. n [n + 1]."""
    right_C = np.arange(rollouts + 1)
    wrong_C = rollouts - right_C
    others = 2 if exclude_self else 1
    return np.where(right_C >= 1, wrong_C, 0), np.where(right_C >= others, right_C, 0)


def draw_signals(
    prompts_PDC: Ints, rates: Rates, contexts: Contexts, rng: np.random.Generator, *, exclude_self: bool
) -> Signals:
    """D and F of one stretch of training. ``prompts_PDC``: prompts with c of n rollouts right."""
    n = prompts_PDC.shape[2] - 1
    right_C = np.arange(n + 1)
    wrong_s, right_s = demonstrated(n, exclude_self)
    total_PD = np.maximum(n * prompts_PDC.sum(axis=2), 1)
    mended = rng.binomial(prompts_PDC @ wrong_s, contexts.fix_own) - rng.binomial(
        prompts_PDC @ right_s, contexts.break_own
    )
    mends_PD = _signed(prompts_PDC * (n - right_C), rates.mends_PDC, rng)
    breaks_PD = _signed(prompts_PDC * right_C, rates.breaks_PDC, rng)
    return Signals(
        own_PD=np.maximum(mended, 0) / total_PD,
        feedback_PD=(mends_PD - breaks_PD) / total_PD,
        mended_PD=mends_PD,
        broken_PD=breaks_PD,
        right_PD=(prompts_PDC @ right_C).astype(float),
    )


def expected_signals(
    correct_PDC: Floats, rates: Rates, contexts: Contexts, *, exclude_self: bool
) -> tuple[Floats, Floats]:
    """D and F in expectation, from the probabilities of c right rollouts: what the calibration fits."""
    n = correct_PDC.shape[2] - 1
    right_C = np.arange(n + 1)
    wrong_s, right_s = demonstrated(n, exclude_self)
    own_PD = correct_PDC @ wrong_s * contexts.fix_own - correct_PDC @ right_s * contexts.break_own
    told_PDC = correct_PDC * ((n - right_C) * rates.mends_PDC - right_C * rates.breaks_PDC)
    return np.maximum(own_PD, 0) / n, told_PDC.sum(axis=2) / n


def change_of_competence(
    own_PD: Floats, feedback_PD: Floats, steps: int, share_PD: Floats, native_PD: Bools, learning: Learning
) -> Floats:
    """The expected change over ``steps``. ``share_PD``: of the prompts, those of the domain.

    The native domain loses ``interference`` times the mean update of the student's other domains.
    """
    rate_PD = learning.rate_own * own_PD + learning.rate_feedback * feedback_PD
    update_PD: Floats = steps * share_PD * rate_PD
    others_P = (update_PD.sum(axis=1) - (update_PD * native_PD).sum(axis=1)) / np.maximum(
        ((share_PD > 0) & ~native_PD).sum(axis=1), 1
    )
    return np.asarray(update_PD - learning.interference * native_PD * others_P[:, None])


def in_jumps(change_PD: Floats, lump: float, rng: np.random.Generator) -> Floats:
    """The change as it happens: a Poisson number of jumps of size ``lump`` with that mean; smooth if lump is 0."""
    if lump == 0:
        return change_PD
    return np.sign(change_PD) * lump * rng.poisson(np.abs(change_PD) / lump)


def _signed(counts_PDC: Ints, rates_PDC: Floats, rng: np.random.Generator) -> Floats:
    """Sum over c of binomial draws; a negative rate counts against."""
    drawn = rng.binomial(counts_PDC, np.abs(rates_PDC))
    return np.asarray((np.sign(rates_PDC) * drawn).sum(axis=2))
