"""A bench in lockstep is the bench of students one after another, also when it is killed and resumed."""

from __future__ import annotations

import signal
from pathlib import Path

import pytest

from tests.integration.conftest import SMOKE, Coopt, tables

pytestmark = [pytest.mark.slow, pytest.mark.heavy]
COMMAND = (*SMOKE, "--workers", "1", "--topology", "ring", "--nodes", "3", "--method", "opcod", "--set",
           "gate.kind=always", "--set", "model.weights=lora", "--set", "break_rate.questions=0")  # fmt: skip


def test_the_same_texts_and_tables(coopt: Coopt, tmp_path: Path) -> None:
    killed = coopt(*COMMAND, "--out", "together", COOPT_KILL_AT="step:5")
    assert killed.returncode == -signal.SIGKILL, killed.stderr
    together = coopt(*COMMAND, "--out", "together")
    assert together.returncode == 0, together.stderr
    alone = coopt(*COMMAND, "--out", "alone", "--set", "parallel.lockstep=false")
    assert alone.returncode == 0, alone.stderr
    assert tables(tmp_path / "together") == tables(tmp_path / "alone")
    rollouts = sorted((tmp_path / "alone/seeds/0/opcod").glob("*/*.rollouts.jsonl"))
    assert rollouts
    for path in rollouts:
        beside = tmp_path / "together" / path.relative_to(tmp_path / "alone")
        assert beside.read_text() == path.read_text()
