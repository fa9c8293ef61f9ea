"""The frozen trace of one round of opcod on the pair (tests/golden)."""

from __future__ import annotations

import re

import pytest

from tests.golden.trace import HERE, NUMBERS, trace

_NUMBER = re.compile(r"[-+]?\d+\.\d{3,}")


def test_one_round_of_opcod_from_recorded_texts_is_as_frozen() -> None:
    """Texts to the letter, numbers to 1e-3. After a change that is meant: python -m tests.golden.trace."""
    found = "\n".join(trace()).splitlines()
    frozen = (HERE / "opcod_pair.txt").read_text().splitlines()
    assert [_NUMBER.sub("#", line) for line in found] == [_NUMBER.sub("#", line) for line in frozen]
    assert sum(line.startswith(NUMBERS) for line in frozen) > 10
    for now, then in zip(found, frozen, strict=True):
        numbers = [[float(x) for x in _NUMBER.findall(line)] for line in (now, then)]
        assert numbers[0] == pytest.approx(numbers[1], abs=1e-3), now
