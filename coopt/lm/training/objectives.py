"""What is minimised, token by token: distillation, policy gradient, imitation, or one of these by a row's kind.

Shape legend: N tokens, V vocabulary.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal, NamedTuple, Protocol

import torch

from coopt.lm.training.losses import TokenLoss


class Tokens(NamedTuple):
    """What an objective may read of N response tokens."""

    student_NV: torch.Tensor
    """The student's logits, with gradient."""
    teacher_NV: torch.Tensor | None
    """The teacher's, if the objective reads one."""
    ids_N: torch.Tensor
    """The tokens themselves."""
    old_N: torch.Tensor | None
    """Their log-probabilities under the student at the start of the step; None: the student is still that one."""
    advantage_N: torch.Tensor
    given_N: torch.Tensor | None = None
    """The number that its row was given (NaN: none was); None: no row was given any."""
    mean_N: torch.Tensor | None = None
    """The student's mean log-probability over the tokens of its row, detached, if the objective reads sequences."""


Reads = Literal["teacher", "sequence", "nothing"]


class Objective(Protocol):
    """A loss that is a sum over response tokens of a function of that token alone."""

    @property
    def reads(self) -> Reads:
        """Whether a teacher is run, or what is said of whole rows worked out first."""
        ...

    def __call__(self, tokens: Tokens) -> torch.Tensor:
        """Loss per token [N]; gradient flows into the student's logits only."""
        ...


@dataclass(frozen=True)
class Distil:
    """D(student || stop-gradient teacher) (paper Eq. 1)."""

    divergence: TokenLoss
    reads: Reads = "teacher"

    def __call__(self, tokens: Tokens) -> torch.Tensor:
        assert tokens.teacher_NV is not None
        return self.divergence(tokens.student_NV, tokens.teacher_NV)


@dataclass(frozen=True)
class Imitate:
    """Next-token cross-entropy: -log p(y_t)."""

    reads: Reads = "nothing"

    def __call__(self, tokens: Tokens) -> torch.Tensor:
        return -logprobs_of(tokens.student_NV, tokens.ids_N)


@dataclass(frozen=True)
class PolicyGradient:
    """The clipped surrogate of PPO and GRPO. With ratio r = p / p_old and advantage A:

    -min(r A, clip(r, 1 - low, 1 + high) A), for A < 0 bounded by the dual clip: -max(that, c A).
    With ``kl`` > 0 plus kl times the estimator q/p - log(q/p) - 1 of KL(student || reference), where the teacher is
    the reference.
    """

    clip_low: float = 0.2
    clip_high: float = 0.28
    dual_clip: float | None = 3.0
    kl: float = 0.0

    @property
    def reads(self) -> Reads:
        return "teacher" if self.kl else "nothing"

    def __call__(self, tokens: Tokens) -> torch.Tensor:
        own_N, old_N = student_and_old(tokens)
        gain_N = self.gain(own_N - old_N, tokens.advantage_N.to(own_N.dtype))
        if not self.kl:
            return -gain_N
        assert tokens.teacher_NV is not None
        # k3, unbiased and never negative: q/p - log(q/p) - 1 with q the reference.
        apart_N = logprobs_of(tokens.teacher_NV, tokens.ids_N) - own_N
        return self.kl * (apart_N.exp() - apart_N - 1) - gain_N

    def gain(self, log_ratio_N: torch.Tensor, advantage_N: torch.Tensor) -> torch.Tensor:
        """The surrogate itself."""
        ratio_N = log_ratio_N.exp()
        clipped_N = ratio_N.clamp(1 - self.clip_low, 1 + self.clip_high)
        # The pessimistic one of the two surrogates (PPO Eq. 7).
        gain_N = torch.minimum(ratio_N * advantage_N, clipped_N * advantage_N)
        if self.dual_clip is not None:
            # Dual clip: without it a token whose probability rose much has an unbounded loss at A < 0.
            gain_N = torch.where(advantage_N < 0, torch.maximum(gain_N, self.dual_clip * advantage_N), gain_N)
        return gain_N


@dataclass(frozen=True)
class ByKind:
    """Each row by the objective of its kind (``TrainRow.kind``); a micro-batch has rows of one kind."""

    of: Mapping[str, Objective]

    @property
    def reads(self) -> Reads:
        """A teacher is kept if any kind reads it; it is run for rows of these alone."""
        return "teacher" if any(o.reads == "teacher" for o in self.of.values()) else "nothing"

    def __call__(self, tokens: Tokens) -> torch.Tensor:
        raise TypeError("tokens of a mixed objective have a kind: of_kind")


def of_kind(objective: Objective, kind: str) -> Objective:
    """What is minimised on rows of a kind."""
    return objective.of[kind] if isinstance(objective, ByKind) else objective


def student_and_old(tokens: Tokens) -> tuple[torch.Tensor, torch.Tensor]:
    """The tokens' log-probabilities [N] now, and at the start of the step, detached."""
    own_N = logprobs_of(tokens.student_NV, tokens.ids_N)
    # The first update of a step: the ratio is 1, and its gradient that of log p.
    return own_N, own_N.detach() if tokens.old_N is None else tokens.old_N.to(own_N.dtype)


def teacher_advantage(tokens: Tokens) -> torch.Tensor:
    """A_t [N]: how much likelier the teacher finds the tokens than the student, in log-probability."""
    assert tokens.teacher_NV is not None
    return logprobs_of(tokens.teacher_NV, tokens.ids_N) - logprobs_of(tokens.student_NV, tokens.ids_N)


def logprobs_of(logits_NV: torch.Tensor, ids_N: torch.Tensor) -> torch.Tensor:
    """Log-probability [N] of the tokens ``ids_N``."""
    return logits_NV.log_softmax(-1).gather(-1, ids_N[:, None]).squeeze(-1)
