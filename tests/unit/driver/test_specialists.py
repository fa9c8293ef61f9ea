"""Specialists that benches share: what is made from the same is made once, and nothing else is taken for it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from coopt.core import store
from coopt.core.config.identity import differences
from coopt.core.config.load import load_config
from coopt.domains.scimini.world import scimini_domain
from coopt.driver.tasks.specialists import make_or_take
from coopt.lm.bases import SCIMINI_BASE
from coopt.methods.students import recipe
from coopt.runs.run import Run


def make_run(folder: Path, *settings: str, **flags: Any) -> Run:
    config = load_config(smoke=True, settings=["world.rows=200", *settings], **flags)
    folder.mkdir(parents=True, exist_ok=True)
    store.write_json(folder / "config.json", config.model_dump(mode="json"))
    return Run.open(folder)


def made_of(folder: Path, student: str, *settings: str, seed: int = 0, **flags: Any) -> Any:
    run = make_run(folder, *settings, **flags)
    # The embedded world asks other questions in other pairs; rows do not.
    same = {d: scimini_domain(d, 200) for d in run.config.domains}
    return recipe(run.config, run.cast, same, seed, student)


def test_one_is_made_and_others_take_it(tmp_path: Path) -> None:
    shared, made = f"model.specialists='{tmp_path / 'kept'}'", []

    def make(target: Path) -> None:
        made.append(target)
        target.mkdir()
        (target / "model.safetensors").write_text(f"weights {len(made)}")

    for k in range(2):
        run = make_run(tmp_path / f"run {k}", shared)
        make_or_take(run, 0, "s1", tmp_path / f"s1 {k}", make)
    assert len(made) == 1
    assert {(tmp_path / f"s1 {k}/model.safetensors").read_text() for k in range(2)} == {"weights 1"}
    make_or_take(run, 0, "s2", tmp_path / "s2", make)
    make_or_take(make_run(tmp_path / "alone"), 0, "s1", tmp_path / "s1 alone", make)
    assert len(made) == 3


def test_a_kept_one_that_is_damaged_is_made_again_and_taken(tmp_path: Path) -> None:
    """A run's file is a link to the kept one: damage to the run is damage to both, and to no run that comes after."""
    run, made = make_run(tmp_path / "run", f"model.specialists='{tmp_path / 'kept'}'"), []

    def make(target: Path) -> None:
        made.append(target)
        target.mkdir()
        (target / "model.safetensors").write_text("weights")

    make_or_take(run, 0, "s1", tmp_path / "one", make)
    (tmp_path / "one/model.safetensors").write_text("weighty")
    make_or_take(run, 0, "s1", tmp_path / "two", make)
    assert len(made) == 2
    assert (tmp_path / "two/model.safetensors").read_text() == "weights"


def test_where_specialists_are_kept_is_no_part_of_what_a_run_is() -> None:
    plain, kept = load_config(), load_config(settings=["model.specialists=here"])
    assert differences((plain, kept)) == {}
    assert "specialists" not in plain.model_dump(mode="json")["model"]


@pytest.mark.parametrize(
    "settings",
    [["world.own_share=0.9"], ["world.specialist_steps=5"], ["model.weights=lora"], ["model.dtype=bfloat16"]],
)
def test_what_decides_a_specialist_of_the_world_is_in_its_recipe(tmp_path: Path, settings: list[str]) -> None:
    first = made_of(tmp_path / "a", "s1")
    assert first == made_of(tmp_path / "b", "s1", "gate.kind=always", "rounds.steps=7", methods=("grpo",))
    assert first != made_of(tmp_path / "c", "s1", *settings)
    assert first != made_of(tmp_path / "a", "s2")
    assert first != made_of(tmp_path / "a", "s1", seed=1)
    assert first != made_of(tmp_path / "d", "s1", domains="physics,biology")


def test_of_text_the_chemistry_student_is_one_start_whoever_it_is_paired_with(tmp_path: Path) -> None:
    way = "model.specialise=answers"
    second = made_of(tmp_path / "a", "s2", way, domains="physics,chemistry")
    assert second == made_of(tmp_path / "b", "s1", way, domains="chemistry,materials")
    assert second != made_of(tmp_path / "b", "s2", way, domains="chemistry,materials")
    assert second != made_of(tmp_path / "c", "s2", way, "specialise.epochs=2", domains="physics,chemistry")
    assert second != made_of(tmp_path / "c", "s2", "model.specialise=own_correct", domains="physics,chemistry")
    file = tmp_path / "why.jsonl"
    file.write_text('{"question": "q", "rationale": "r"}\n')
    rationales = made_of(tmp_path / "d", "s2", f"model.specialise='rationales:{file}'")
    file.write_text('{"question": "q", "rationale": "other"}\n')
    assert rationales != made_of(tmp_path / "e", "s2", f"model.specialise='rationales:{file}'")


def test_two_students_of_a_domain_are_not_the_same_start(tmp_path: Path) -> None:
    graph = {"topology": "complete", "nodes": 4, "domains": "physics,chemistry"}
    found = [made_of(tmp_path / "a", s, "model.specialise=answers", **graph) for s in ("s1", "s2", "s3", "s4")]
    assert all(a != b for k, a in enumerate(found) for b in found[:k])


def test_a_ready_student_is_not_made(tmp_path: Path) -> None:
    assert made_of(tmp_path / "a", "s1", f"model.students={{physics='{SCIMINI_BASE}'}}") is None
    assert made_of(tmp_path / "b", "s1", "model.specialise=none") is None
