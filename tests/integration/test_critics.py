"""Feedback alignment and OPSD: critics that methods add, and solutions handed over, through the command line."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.integration.conftest import SMOKE, Coopt

pytestmark = pytest.mark.slow

METHODS = ("sdpo", "opcod", "critic_binary", "critic_reference", "critic_step", "opsd")


def test_every_arm_in_one_run_with_a_critic_of_its_own(coopt: Coopt, tmp_path: Path) -> None:
    """Peers of opcod rewrite the attempt in their turn."""
    done = coopt(
        *SMOKE, "--method", ",".join(METHODS), "--out", "run", "--json", "--set", "rounds.rounds=1",
        "--set", "gate.kind=always", "--set", "feedback.style=step", "--set", "break_rate.questions=3",
        "--set", "world.critic_steps=2", "--set", "rounds.steps=1",
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert "critics: critic1" in done.stderr, "the plan says who is added"
    results = json.loads(done.stdout)
    assert {c["student"] for c in results["scores"] if c["who"] == "critic"} == {"critic1"}
    edges = {(f["method"], f["edge"]) for f in results["feedback"]}
    assert edges == {
        *(("critic_step", f"critic1 -> {s}") for s in ("s1", "s2")),
        *(("opcod", e) for e in ("s1 -> s2", "s2 -> s1")),
    }
    for cell in results["feedback"]:
        assert {outcome for outcome, n in cell["outcomes"].items() if n} <= {"kept", "empty"}
    for name in METHODS[3:]:
        steps = (tmp_path / f"run/seeds/0/{name}/r1/s1.steps.jsonl").read_text().splitlines()
        assert all(json.loads(line)["no_target"] == 0 for line in steps), "correct rollouts have targets too"
    assert not (tmp_path / "run/seeds/0/critic_step/r1/critic1").exists(), "a critic is not trained"
