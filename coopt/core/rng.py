"""Randomness: every draw comes from a generator keyed by what it is for, never from global state.

The key holds the seed, the student, the training step (counted over the whole run, so that 2 rounds of K
steps draw what 1 round of 2K draws) and the purpose.
"""

from __future__ import annotations

import hashlib

import numpy as np


def stable_hash(*parts: object) -> int:
    """A 64-bit hash of the parts that is the same on every machine and in every process."""
    text = "\x1f".join(str(p) for p in parts)
    return int.from_bytes(hashlib.sha256(text.encode()).digest()[:8], "big")


def generator(*key: object) -> np.random.Generator:
    """The generator of a key such as ``(seed, student, step, "rollout")``."""
    return np.random.default_rng(stable_hash(*key))
