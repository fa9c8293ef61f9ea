"""What k answers to a question are worth together: pass@k and maj@k."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

import numpy as np

from coopt.core.statistics.design import Array


def pass_at_k(correct_Qk: Sequence[Sequence[int]]) -> Array:
    """For each question whether any of its k answers is right."""
    return np.asarray(correct_Qk).any(axis=1).astype(float)


def majority_at_k(correct_Qk: Sequence[Sequence[int]], answers_Qk: Sequence[Sequence[str]]) -> Array:
    """For each question whether its most frequent answer is right; of several as frequent, the share that is. No answer
    is an answer of its own, and wrong."""
    return np.array([_majority(c, a) for c, a in zip(correct_Qk, answers_Qk, strict=True)])


def _majority(correct: Sequence[int], answers: Sequence[str]) -> float:
    counts = Counter(answers)
    most = max(counts.values())
    right = {a for a, c in zip(answers, correct, strict=True) if c}
    # Of several as frequent one would be drawn: its expectation.
    top = [a for a, n in counts.items() if n == most]
    return sum(a in right for a in top) / len(top)
