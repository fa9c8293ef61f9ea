"""The controls and the averages in one run, from outside; and runs without a method."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file

from tests.integration.conftest import SMOKE, Coopt

pytestmark = pytest.mark.slow
QUICK = (*SMOKE, "--workers", "1", "--set", "model.specialise=none", "--set", "break_rate.questions=0")


def test_controls_in_one_run(coopt: Coopt, tmp_path: Path) -> None:
    names = "opcod,opd,merge,merge_trained,self_feedback,frozen_peers,sdpo_2n"
    far = ("optimizer.warmup=0", "optimizer.lr=5e-3", "rounds.collapse_drop=1")  # tutors that change within a round
    flags = (*QUICK, "--set", "gate.kind=always", "--set", "rounds.steps=1", *(w for s in far for w in ("--set", s)))
    done = coopt(*flags, "--method", names, "--out", "run", "--json")
    assert done.returncode == 0, done.stderr
    results = json.loads(done.stdout)
    assert results["methods"] == names.split(",")
    assert {c["who"] for c in results["scores"]} == {"base", "init", *names.split(",")}
    assert {c["method"] for c in results["costs"]} == set(names.split(",")) - {"merge", "merge_trained"}
    seed = tmp_path / "run/seeds/0"

    def weights(method: str, round_: int, student: str) -> dict[str, torch.Tensor]:
        return load_file(seed / f"{method}/r{round_}/{student}/model/model.safetensors")

    trained, merged = [weights("opcod", 2, s) for s in ("s1", "s2")], weights("merge_trained", 1, "s2")
    assert all(torch.allclose(t, (trained[0][k] + trained[1][k]) / 2, atol=1e-7) for k, t in merged.items())
    assert any(not torch.equal(trained[0][k], trained[1][k]) for k in merged)
    assert all(torch.equal(t, merged[k]) for k, t in weights("merge_trained", 1, "s1").items())

    def first_step(method: str, round_: int = 1) -> dict[str, object]:
        step: dict[str, object] = json.loads((seed / f"{method}/r{round_}/s1.steps.jsonl").read_text().splitlines()[0])
        return step

    assert first_step("sdpo_2n")["rollouts"] == 2 * int(str(first_step("opcod")["rollouts"]))
    assert first_step("opd")["active_rows"] == first_step("opd")["rollouts"], "every rollout has a target"
    assert set(first_step("self_feedback")["outcomes"]) == {"s1"}  # type: ignore[call-overload]
    assert set(first_step("frozen_peers")["outcomes"]) == {"s2"}  # type: ignore[call-overload]
    assert first_step("frozen_peers")["loss"] == first_step("opcod")["loss"], "in round 1 they are the same"
    assert first_step("frozen_peers", 2)["loss"] != first_step("opcod", 2)["loss"]
    again = coopt(*flags, "--method", names, "--out", "run", "--all")
    assert again.returncode == 0, again.stderr
    assert "done:" not in again.stderr, "nothing is made twice"
    assert "merge_trained - opcod" in again.stdout
    assert coopt("status", "run").returncode == 0


@pytest.mark.parametrize("name", ["init", "base,init"])
def test_without_a_method_only_scores_are_made(coopt: Coopt, name: str) -> None:
    plan = coopt(*QUICK, "--method", name, "--dry-run")
    assert "methods: none (base and init are only scored)" in " ".join(plan.stdout.split())
    if name == "init":
        done = coopt(*QUICK, "--method", name, "--out", "run", "--json")
        assert done.returncode == 0, done.stderr
        assert {c["who"] for c in json.loads(done.stdout)["scores"]} == {"base", "init"}


def test_all_is_stored_expanded_and_says_what_it_leaves_out(coopt: Coopt) -> None:
    done = coopt(*QUICK, "--method", "all", "--dry-run", "--json")
    assert done.returncode == 0, done.stderr
    methods = json.loads(done.stdout)["config"]["methods"]
    assert methods[:2] == ["sdpo", "opcod"]
    assert {"opd", "merge_trained", "random"} <= set(methods)
    assert "left out: honest: method honest is the control of --adversary" in done.stderr
    assert "left out: bigger_teacher: method bigger_teacher needs its teacher" in done.stderr
