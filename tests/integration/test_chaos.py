"""Forty random disturbances of small benches: nothing differs in the end, and nothing is left (``make chaos``)."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.chaos.__main__ import disturb

pytestmark = [pytest.mark.heavy, pytest.mark.timeout(3600)]


def test_forty_disturbances(tmp_path: Path) -> None:
    rows = disturb(tmp_path, 40, 50, each=10)
    assert [(r["kind"], r["detail"], r["faults"]) for r in rows if r["faults"]] == []
    assert len(rows) >= 40
    assert len({r["kind"] for r in rows}) >= 6
