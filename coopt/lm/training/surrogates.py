"""Surrogates whose ratio or advantage is more than a token's ratio and its rollout's advantage.

Shape legend: N tokens, V vocabulary. l = log p(y_t) of the student now, l_old at the start of the step, q the teacher.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch

from coopt.lm.training.losses import TokenLoss
from coopt.lm.training.objectives import (
    PolicyGradient,
    Reads,
    Tokens,
    logprobs_of,
    student_and_old,
    teacher_advantage,
)


@dataclass(frozen=True)
class Redistributed:
    """RLSD (2604.03128, Algorithm 1): the teacher says how much of its rollout's advantage A a token gets.

    A_t = A [(1 - lam) + lam clip(exp(sign(A) D_t), 1 - e_w, 1 + e_w)], D_t = log q - l, all detached; lam is what the
    row was given. The surrogate is the usual one.
    """

    surrogate: PolicyGradient
    clip_weight: float = 0.2
    reads: Reads = "teacher"

    def __call__(self, tokens: Tokens) -> torch.Tensor:
        own_N, old_N = student_and_old(tokens)
        assert tokens.given_N is not None
        advantage_N, lam_N = (x.to(own_N.dtype) for x in (tokens.advantage_N, tokens.given_N))
        with torch.no_grad():
            # D by the present student: equal to the old one at a step's first update (the official code's choice).
            weight_N = (advantage_N.sign() * teacher_advantage(tokens)).exp()
            kept_N = weight_N.clamp(1 - self.clip_weight, 1 + self.clip_weight)
            shared_N = advantage_N * ((1 - lam_N) + lam_N * kept_N)
        return -self.surrogate.gain(own_N - old_N, shared_N)


@dataclass(frozen=True)
class Towards:
    """CoPD (2604.27083): a policy gradient whose advantage is the log-ratio to a teacher on the sampled token.

    A_t = log q - l_old, detached. At a ratio of 1 its expectation given the prefix is the gradient of
    KL(student || teacher). beta is the row's weight: without a dual clip that is the same.
    """

    surrogate: PolicyGradient
    reads: Reads = "teacher"

    def __call__(self, tokens: Tokens) -> torch.Tensor:
        own_N, old_N = student_and_old(tokens)
        assert tokens.teacher_NV is not None
        told_N = logprobs_of(tokens.teacher_NV, tokens.ids_N).detach()
        return -self.surrogate.gain(own_N - old_N, told_N - old_N)


@dataclass(frozen=True)
class Floored:
    """RLTF-SD (2602.02482, mode rl_reweight_mask): tokens that the policy held for less likely than e^floor at the
    start of the step have no loss."""

    surrogate: PolicyGradient
    floor: float = -5.0
    reads: Reads = "nothing"

    def __call__(self, tokens: Tokens) -> torch.Tensor:
        own_N, old_N = student_and_old(tokens)
        gain_N = self.surrogate.gain(own_N - old_N, tokens.advantage_N.to(own_N.dtype))
        return torch.where(old_N >= self.floor, -gain_N, 0.0)


def _sequence_ratio(tokens: Tokens) -> torch.Tensor:
    """s of each token's row [N], as it is met at a token: s = sg[s] p / sg[p]. s = exp(mean_t l - given); 1 where
    nothing was given."""
    own_N = logprobs_of(tokens.student_NV, tokens.ids_N)
    assert tokens.mean_N is not None
    apart_N = torch.zeros_like(own_N)
    if tokens.given_N is not None:
        apart_N = torch.where(tokens.given_N.isnan(), apart_N, (tokens.mean_N - tokens.given_N).to(own_N.dtype))
    # Same value and gradient as of the mean, because the loss is the mean over the row's tokens (GSPO's token form).
    return (apart_N + own_N - own_N.detach()).exp()


@dataclass(frozen=True)
class Sequences:
    """GSPO, HACPO's own rollouts (2603.02604 Eq. 8): min(s A, clip(s, 1 - low, 1 + high) A) with one ratio a row. A row
    is given its mean log-probability at the start of the step."""

    clip_low: float = 3e-4
    clip_high: float = 4e-4
    reads: Reads = "sequence"

    def __call__(self, tokens: Tokens) -> torch.Tensor:
        ratio_N = _sequence_ratio(tokens)
        advantage_N = tokens.advantage_N.to(ratio_N.dtype)
        clipped_N = ratio_N.clamp(1 - self.clip_low, 1 + self.clip_high)
        return -torch.minimum(ratio_N * advantage_N, clipped_N * advantage_N)


@dataclass(frozen=True)
class ForeignSequences:
    """HACPO's foreign rollouts (2603.02604 Eq. 11 to 13): c sg[c]^alpha A with c = clip(s, low, 1), and no minimum. A
    row is given the mean log-probability that its source gave its own tokens; A holds the capability ratio."""

    low: float = 0.8
    alpha: float = 1.0
    reads: Reads = "sequence"

    def __call__(self, tokens: Tokens) -> torch.Tensor:
        ratio_N = _sequence_ratio(tokens).clamp(self.low, 1.0)
        return -ratio_N * ratio_N.detach() ** self.alpha * tokens.advantage_N.to(ratio_N.dtype)


@dataclass(frozen=True)
class Sure:
    """SRPO (2604.02288): a divergence whose tokens weigh e^(-beta H), H the entropy of the teacher over the whole
    vocabulary. The mean of these weights belongs into the rows' own."""

    divergence: TokenLoss
    beta: float = 1.0
    reads: Reads = "teacher"

    def __call__(self, tokens: Tokens) -> torch.Tensor:
        assert tokens.teacher_NV is not None
        return self.sureness(tokens) * self.divergence(tokens.student_NV, tokens.teacher_NV)

    def sureness(self, tokens: Tokens) -> torch.Tensor:
        """e^(-beta H) [N]."""
        assert tokens.teacher_NV is not None
        log_q = tokens.teacher_NV.detach().log_softmax(-1)
        return (self.beta * (log_q.exp() * log_q).sum(-1)).exp()
