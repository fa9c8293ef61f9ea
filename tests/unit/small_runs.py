"""Small finished runs on disk, without models: real questions of the embedded world, answers drawn at random."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from coopt.core import store
from coopt.core.config.load import load_config
from coopt.core.names import BASE, INIT
from coopt.core.rng import generator
from coopt.domains.base import Split
from coopt.domains.load import data_hashes
from coopt.runs.measures.summary import summarise
from coopt.runs.run import Run

SKILL = {BASE: 0.3, INIT: 0.5, "sdpo": 0.6, "opcod": 0.8, "always": 0.8}
"""The chance of a right answer, by who answers."""

SMALL = {
    "world.rows": 400, "data.test": 20, "data.validation": 10, "rounds.rounds": 2, "rounds.steps": 1,
    "sampling.eval_samples": 4, "break_rate.questions": 0, "run.bootstrap": 200,
}  # fmt: skip

ARGUMENTS = ["bench", "--out", "/home/me/runs/small", "--profile", "phys=/a/b/p,chem=mine/c"]


def write_run(directory: Path, skill: Mapping[str, float] | None = None, **flags: Any) -> Run:
    """A finished run of two students with 20 questions per domain; ``flags`` as for ``load_config``."""
    settings = [*(f"{k}={v}" for k, v in SMALL.items()), *flags.pop("settings", [])]
    run = Run(directory, load_config(**{"topology": "pair", "domains": "phys,chem"} | flags, settings=settings))
    store.write_json(directory / "config.json", run.config.model_dump(mode="json"))
    record = {"version": 1, "arguments": ARGUMENTS, "commit": "0" * 40, "dirty": "", "data": data_hashes(run.domains)}
    record["seeds"] = run.seeds
    store.write_json(directory / "provenance.json", record)
    run.journal().note("started")
    for seed in run.seeds:
        _write_seed(run, seed, SKILL | dict(skill or {}))
    store.write_text(directory / "results.json", summarise(run).model_dump_json(indent=1) + "\n")
    return run


def _write_seed(run: Run, seed: int, skill: Mapping[str, float]) -> None:
    write_scores(run, seed, BASE, 0, BASE, "test", skill)
    for student in run.topology.students:
        splits: tuple[Split, ...] = ("validation", "test")
        for split in splits:
            write_scores(run, seed, INIT, 0, student, split, skill)
        for method in run.config.methods:
            for round_ in (1, 2):
                run.phase_files(seed, method, round_, student).model.mkdir(parents=True)
                store.write_json(run.phase_dir(seed, method, round_, student) / store.COMPLETE, {"version": 1})
                write_step(run, seed, method, round_, student)
                for split in splits:
                    write_scores(run, seed, method, round_, student, split, skill)


def write_scores(
    run: Run, seed: int, who: str, round_: int, student: str, split: Split, skill: Mapping[str, float]
) -> None:
    """Answers to a split's questions, right with the chance ``skill[who]``."""
    store.write_json(
        run.scores_path(seed, who, split, round_, student), scores_of(run, seed, who, round_, student, split, skill)
    )


def scores_of(
    run: Run, seed: int, who: str, round_: int, student: str, split: Split, skill: Mapping[str, float]
) -> dict[str, Any]:
    """What ``write_scores`` writes."""
    domains = {}
    for name, domain in run.domains.items():
        items = domain.items(split)
        shape = (len(items), run.config.sampling.eval_samples)
        drawn = generator(seed, who, round_, student, split, name).random(shape)
        correct = (drawn < skill[who]).astype(int)
        answers = np.where(correct == 1, "right", "wrong").tolist()
        domains[name] = {"items": [i.id for i in items], "correct": correct.tolist(), "answers": answers}
    return {"version": 1, "domains": domains}


def write_step(run: Run, seed: int, method: str, round_: int, student: str) -> None:
    """The record of a round's only step."""
    store.append_lines(run.phase_files(seed, method, round_, student).steps, [step_of(round_ - 1)])


def step_of(number: int) -> dict[str, Any]:
    """The record of a step."""
    return {
        "step": number, "feedback_on": False, "outcomes": {}, "told": {}, "prompts": 4, "prompts_without_correct": 1,
        "seconds": {"rollout": 1.0, "feedback": 0.0, "teacher": 0.5, "student": 0.5, "total": 2.0},
        "tokens": {"rollout": 100, "feedback": 0, "trained": 50}, "memory_gib": 1.0, "distinct_rows": 8,
        "active_rows": 16, "loss": 0.5, "grad_norm": 1.0, "lr": 1e-5, "correct": 10, "rollouts": 40,
    }  # fmt: skip
