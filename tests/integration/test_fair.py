"""Methods that imitate, from outside: a committee of critics, and worked solutions."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.integration.conftest import SMOKE, Coopt

pytestmark = pytest.mark.slow


def test_fair_and_sft_union_beside_sdpo(coopt: Coopt, tmp_path: Path) -> None:
    done = coopt(
        *SMOKE, "--method", "sdpo,sft_union,fair", "--out", "run", "--json", "--set", "break_rate.questions=0",
        "--set", "rounds.rounds=1", "--set", "rounds.steps=1", "--set", "world.critic_steps=2",
        "--set", "options.fair.alpha=0.25",
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    results = json.loads(done.stdout)
    assert {c["who"] for c in results["scores"]} == {"base", "critic", "init", "sdpo", "sft_union", "fair"}
    assert {c["student"] for c in results["scores"] if c["who"] == "critic"} == {"critic1", "critic2", "critic3"}
    (cell,) = results["committees"]
    assert 0 < cell["training_items"] <= cell["mistakes"]
    assert {a["author"]: {j["judge"] for j in a["judges"]} for a in cell["authors"]} == {
        f"critic{k}": {f"critic{m}" for m in (1, 2, 3) if m != k} for k in (1, 2, 3)
    }
    assert {(c["method"], c["feedback"]) for c in results["costs"]} == {
        ("sdpo", "off"), ("sft_union", "off"), ("fair", "on"),
    }  # fmt: skip

    # What was written is kept: the acceptance that the table states can be counted again.
    groups = [json.loads(line) for s in ("s1", "s2") for line in
              (tmp_path / f"run/seeds/0/fair/r1/{s}.rollouts.jsonl").read_text().splitlines()]  # fmt: skip
    rationales = [r for g in groups for r in g["rationales"]]
    for author in cell["authors"]:
        own = [r for r in rationales if r["tutor"] == author["author"]]
        assert (len(own), sum(r["accepted"] for r in own)) == (author["written"], author["accepted"])
    assert sum(len(g["training_items"]) for g in groups) == cell["training_items"]
    assert (tmp_path / "run/seeds/0/sft_union/r1/s1.rollouts.jsonl").read_text() == ""

    shown = coopt("report", "run", "--format", "md").stdout
    assert "### FAIR: acceptance" in shown
    logs = coopt("logs", "run", "s1", "--method", "sft_union").stdout
    assert "4 of 4" in logs
    assert "100 % of the tasks" in coopt("status", "run").stdout
