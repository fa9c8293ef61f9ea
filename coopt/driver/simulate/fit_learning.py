"""The learning rule, fitted to the gains of real students by least squares; and the size of its jumps."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from scipy.optimize import least_squares, minimize_scalar

from coopt.core.arrays import Bools, Floats
from coopt.driver.simulate.constants import Contexts, Learning, allowed_range
from coopt.driver.simulate.feedback import Rates, calibrated_rates
from coopt.driver.simulate.fit_items import Weights
from coopt.driver.simulate.items import ItemModel
from coopt.driver.simulate.learning import change_of_competence, expected_signals
from coopt.driver.simulate.observed import StudentRound

_SLOPE = 0.05  # half the distance over which a slope is taken
RATES = ("rate_own", "rate_feedback", "interference")


class Fitted(NamedTuple):
    """Rates, and how strongly each moves the predicted gains (root mean square of its Jacobian column)."""

    rates: dict[str, float]
    pull: dict[str, float]


@dataclass(frozen=True)
class Gains:
    """The steps of real students as arrays over S student-rounds and D domains (of one number of domains)."""

    steps: Sequence[StudentRound]
    theta_SD: Floats
    own_SD: Floats
    feedback_SD: Floats
    tutored_SD: Bools
    share_SD: Floats
    native_SD: Bools
    length_S: Floats
    gain_SD: Floats
    model: ItemModel

    @classmethod
    def of(cls, steps: Sequence[StudentRound], model: ItemModel, contexts: Contexts) -> Gains:
        before_SD = np.array([s.before_D for s in steps])
        theta_SD = model.competence(before_SD)
        rates = _rates(steps, theta_SD, model, contexts)
        shares_SDC = model.correct_shares(theta_SD)
        own_SD, feedback_SD = expected_signals(shares_SDC, rates, contexts, exclude_self=steps[0].exclude_self)
        domains = before_SD.shape[1]
        return cls(
            steps=steps,
            theta_SD=theta_SD,
            own_SD=own_SD,
            feedback_SD=feedback_SD,
            tutored_SD=np.array([[len(t) > 0 for t in s.tutors] for s in steps]),
            share_SD=np.array([s.share_D for s in steps]),
            native_SD=np.arange(domains) == np.array([[s.native] for s in steps]),
            length_S=np.array([float(s.steps) for s in steps]),
            gain_SD=np.array([s.after_D for s in steps]) - before_SD,
            model=model,
        )

    def change(self, learning: Learning) -> Floats:
        """Expected change of competence [S, D]."""
        per_step_SD = change_of_competence(self.own_SD, self.feedback_SD, 1, self.share_SD, self.native_SD, learning)
        return np.asarray(self.length_S[:, None] * per_step_SD)

    def predicted(self, learning: Learning) -> Floats:
        """Expected gain in accuracy [S, D]."""
        moved_SD = self.model.accuracy(self.theta_SD + self.change(learning))
        return moved_SD - self.model.accuracy(self.theta_SD)


def _rates(steps: Sequence[StudentRound], theta_SD: Floats, model: ItemModel, contexts: Contexts) -> Rates:
    """The feedback rates of the calibrated model, averaged over each step's open tutors."""
    known_SD, unknown_SD = np.zeros_like(theta_SD), np.zeros_like(theta_SD)
    for s, step in enumerate(steps):
        for d, scores in enumerate(step.tutors):
            if len(scores):
                tutors = model.competence(scores)
                tutee = np.full_like(tutors, theta_SD[s, d])
                known_SD[s, d] = model.known_without(tutors, tutee).mean()
                unknown_SD[s, d] = 1 - model.known_with_one(tutors, tutee).mean()
    tutored_SD = np.array([[float(len(t) > 0) for t in step.tutors] for step in steps])
    return calibrated_rates(
        contexts, model.rollouts, tutored_SD, known_SD, unknown_SD, exclude_self=steps[0].exclude_self
    )


def fit_rates(groups: Sequence[Gains], weights: Weights, free: Sequence[str], start: Learning) -> Fitted:
    """The rates named in ``free`` that explain the gains best; the others stay as in ``start``."""
    weight = np.concatenate([_spread(g, weights) for g in groups])
    bounds = np.array([allowed_range(f"learning.{k}") for k in free]).T

    def residuals(x: Floats) -> Floats:
        learning = start.model_copy(update=dict(zip(free, x.tolist(), strict=True)))
        errors = [(g.predicted(learning) - g.gain_SD).ravel() for g in groups]
        return np.asarray(np.sqrt(weight) * np.concatenate(errors))

    begin = np.array([min(max(getattr(start, k), low), high) for k, low, high in zip(free, *bounds, strict=True)])
    found = least_squares(residuals, begin, bounds=bounds, x_scale=np.full(len(free), 0.1))
    pull = np.sqrt((np.asarray(found.jac) ** 2).sum(axis=0) / weight.sum())
    return Fitted(dict(zip(free, map(float, found.x), strict=True)), dict(zip(free, map(float, pull), strict=True)))


def fit_lump(groups: Sequence[Gains], weights: Weights, learning: Learning) -> float:
    """The jump size at which the squared errors of the gains are most likely (normal errors).

    Jumps of size lump with mean m have variance lump m; what the model answers to a question adds the noise of scores.
    """
    weight = np.concatenate([_spread(g, weights) for g in groups])
    error = np.concatenate([(g.predicted(learning) - g.gain_SD).ravel() for g in groups])
    spread = np.concatenate([_jump_spread(g, learning).ravel() for g in groups])
    noise = np.concatenate([_score_noise(g).ravel() for g in groups])

    def loss(lump: float) -> float:
        variance = lump * spread + noise + 1e-8
        return float((weight * (np.log(variance) + error**2 / variance)).sum())

    return float(minimize_scalar(loss, bounds=allowed_range("learning.lump"), method="bounded").x)


def _jump_spread(gains: Gains, learning: Learning) -> Floats:
    """Variance of a gain in accuracy per unit of lump: by the slope of accuracy where the change is expected to end."""
    change_SD = gains.change(learning)
    end_SD = gains.theta_SD + change_SD
    slope_SD = (gains.model.accuracy(end_SD + _SLOPE) - gains.model.accuracy(end_SD - _SLOPE)) / (2 * _SLOPE)
    return np.asarray(slope_SD**2 * np.abs(change_SD))


def _score_noise(gains: Gains) -> Floats:
    _, within_SD = gains.model.score_variances(gains.theta_SD)
    return np.asarray(2 * within_SD / np.array([[s.answers] for s in gains.steps]))


def _spread(gains: Gains, weights: Weights) -> Floats:
    """The weight of every gain, flat."""
    weight_S = np.array([weights[s.cluster] for s in gains.steps], dtype=float)
    trained_SD = gains.share_SD > 0
    return np.asarray(weight_S[:, None] * trained_SD).ravel()
