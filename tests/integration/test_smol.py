"""A real pretrained model, SmolLM2-135M-Instruct, on the CPU: the whole path with ``--smoke``, as a newcomer takes it.

The rows are made up here (small sums): in SciKnowEval's schema, and as a table with the mapping ``plain``.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from benchmarks.perf.smoke import sums, write_table
from coopt.lm.bases import base_directory
from tests.integration.conftest import Coopt

QUICK = ("rounds.steps=1", "sampling.max_feedback_tokens=16", "data.validation=2")
"""Of what the preset makes, one of each: it is generation that takes the minutes."""
pytestmark = [pytest.mark.heavy, pytest.mark.slow, pytest.mark.timeout(2400)]


def quick(*more: str) -> list[str]:
    return [word for setting in (*QUICK, *more) for word in ("--set", setting)]


def sciknoweval(path: Path) -> Path:
    lines: list[dict[str, Any]] = [
        {
            "question": question,
            "choices": {"text": texts, "label": list("ABCD")},
            "answerKey": letter,
            "type": "mcq-4-choices",
            "domain": domain,
            "details": {"level": "L3", "task": "sums", "subtask": "sums", "source": "test"},
            "prompt": {"default": ""},
            "answer": "",
        }
        for domain, unit in (("Physics", "metres"), ("Chemistry", "grams"))
        for question, texts, letter in sums(unit, 60)
    ]
    path.write_text("".join(json.dumps(line) + "\n" for line in lines))
    return path


def test_preset_smol_trains_adapters_on_rows_of_the_hubs_schema(coopt: Coopt, tmp_path: Path) -> None:
    rows = sciknoweval(tmp_path / "rows.jsonl")
    done = coopt(
        "bench", "--preset", "smol", "--smoke", "--data", str(rows), "--json", "--out", "run", "--set",
        "gate.kind=always",
        *quick("specialise.questions=4", "data.test=2", "sampling.max_response_tokens=32"), timeout=2200,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    results = json.loads(done.stdout)
    assert {c["domain"] for c in results["scores"]} == {"physics", "chemistry"}
    steps = (tmp_path / "run/seeds/0/opcod/r1/s1.steps.jsonl").read_text().splitlines()
    record = json.loads(steps[0])
    assert record["rollouts"] == 8
    assert sum(record["outcomes"]["s2"].values()) == 8
    from transformers import AutoModelForCausalLM

    model = AutoModelForCausalLM.from_pretrained(tmp_path / "run/seeds/0/opcod/r1/s1/model")
    assert model.config.model_type == "llama"
    assert not any("lora" in name for name, _ in model.named_parameters())


def test_a_table_of_sixty_rows_and_a_model_directory_are_enough(coopt: Coopt, tmp_path: Path) -> None:
    """The command of docs/data.md, but for the length of it. Most answers of students who have learnt the form can be
    read."""
    rows, model = write_table(tmp_path / "quiz.csv"), base_directory("smollm2-135m")
    done = coopt(
        "bench", "--model", str(model), "--data", str(rows), "--set", "data.mapping=plain", "--domains",
        "law,medicine", "--smoke", "--out", "run", *quick("break_rate.questions=0"), timeout=2200,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert "Smoke run finished" in done.stdout
    assert "Pareto verdicts" in coopt("report", "run", "--all").stdout
    found = [
        domain
        for student in ("s1", "s2")
        for domain in json.loads((tmp_path / f"run/seeds/0/init/scores/test/r0/{student}.json").read_text())[
            "domains"
        ].values()
    ]
    assert sum(d["unparsed"] for d in found) < sum(len(d["items"]) for d in found) / 2
