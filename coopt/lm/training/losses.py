"""Divergence between student and self-teacher, token by token.

Shape legend: N tokens, V vocabulary, B buckets (V, or k, or k + 1 with the tail).
Formulas and numeric vectors: SDPO's loss, ``tests/unit/lm/test_losses.py``.
"""

from __future__ import annotations

import math
from typing import NamedTuple, Protocol

import torch

from coopt.lm.training.closed_form import FullVocabularyJSD

FULL_VOCABULARY_BELOW = 1000
_LOG_TAIL_CEILING = -1e-7  # keeps log(1 - sum p) finite when the top-k holds everything


class TokenLoss(Protocol):
    """A loss that is a sum over response tokens of a function of that token's logits."""

    def __call__(self, student_NV: torch.Tensor, teacher_NV: torch.Tensor) -> torch.Tensor:
        """Loss per token [N]; gradient flows into the student's logits only."""
        ...


class Divergence(NamedTuple):
    """Generalised Jensen-Shannon divergence D(student || teacher).

    ``alpha`` 0 is KL(teacher || student), 1 is KL(student || teacher); between, with mixture
    m = (1 - alpha) student + alpha teacher, it is (1 - alpha) KL(student || m) + alpha KL(teacher || m).
    The ends are special cases, not limits. ``top_k`` 0, or fewer than 1,000 tokens: the full vocabulary.
    ``entry_clip``: bound of what one vocabulary entry adds to the sum (OPSD, method facts C.2); 0: none.
    """

    alpha: float = 0.5
    top_k: int = 100
    tail: bool = True
    entry_clip: float = 0.0

    def __call__(self, student_NV: torch.Tensor, teacher_NV: torch.Tensor) -> torch.Tensor:
        vocabulary = student_NV.shape[-1]
        large = vocabulary >= FULL_VOCABULARY_BELOW
        top_k = self.top_k if large else 0
        if large and top_k == 0 and not self.entry_clip:
            return FullVocabularyJSD.apply(student_NV, teacher_NV, self.alpha)  # type: ignore[no-any-return, no-untyped-call]
        log_p, log_q = bucket_log_probs(student_NV, teacher_NV.detach(), min(top_k, vocabulary), self.tail)
        return generalised_jsd(log_p, log_q, self.alpha, self.entry_clip)


def bucket_log_probs(
    student_NV: torch.Tensor, teacher_NV: torch.Tensor, top_k: int, tail: bool
) -> tuple[torch.Tensor, torch.Tensor]:
    """Log-probabilities [N, B] of both models over the student's ``top_k`` tokens (0: over all tokens).

    With ``tail`` a last bucket holds the rest of the mass; without it both are renormalised.
    """
    log_p, log_q = student_NV.log_softmax(-1), teacher_NV.log_softmax(-1)
    if top_k == 0:
        return log_p, log_q
    # The student's top-k, not the teacher's: the rollout is the student's, so these are the tokens that it may write.
    index = student_NV.detach().topk(top_k, dim=-1).indices
    log_p, log_q = log_p.gather(-1, index), log_q.gather(-1, index)
    if tail:
        return _with_tail(log_p), _with_tail(log_q)
    # Both are renormalised over the k tokens: what the teacher thinks of the others then has no say.
    return log_p.log_softmax(-1), log_q.log_softmax(-1)


def _with_tail(log_p: torch.Tensor) -> torch.Tensor:
    inside = log_p.logsumexp(-1, keepdim=True).clamp(max=_LOG_TAIL_CEILING)
    # log(1 - exp(x)) by expm1: 1 - exp(x) would lose all its digits where nearly all mass is inside.
    return torch.cat([log_p, torch.log(-torch.expm1(inside))], dim=-1)


def generalised_jsd(log_p: torch.Tensor, log_q: torch.Tensor, alpha: float, entry_clip: float = 0.0) -> torch.Tensor:
    """D per token [N] from student ``log_p`` and teacher ``log_q`` [N, B]; each bucket's part of the sum at most
    ``entry_clip`` where that is not 0 (such an entry has no gradient)."""
    if alpha == 0:
        entries = _kl(log_q, log_p)
    elif alpha == 1:
        entries = _kl(log_p, log_q)
    else:
        # m in log space: p and q of an unlikely token underflow, and log m would be -inf.
        log_m = torch.logaddexp(log_p + math.log1p(-alpha), log_q + math.log(alpha))
        student, teacher = _kl(log_p, log_m), _kl(log_q, log_m)
        if not entry_clip:
            # Summed apart: entries of the two terms cancel in part, and their sums are what is near 0.
            return (1 - alpha) * student.sum(-1) + alpha * teacher.sum(-1)
        entries = (1 - alpha) * student + alpha * teacher
    return (entries.clamp(max=entry_clip) if entry_clip else entries).sum(-1)


def _kl(log_a: torch.Tensor, log_b: torch.Tensor) -> torch.Tensor:
    """What each bucket adds to KL(a || b) [N, B]."""
    return log_a.exp() * (log_a - log_b)
