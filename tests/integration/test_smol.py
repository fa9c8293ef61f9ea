"""A real pretrained model on rows of the hub's schema: SmolLM2-135M-Instruct, LoRA students, on the CPU.

The rows are made up here (small sums), in SciKnowEval's schema.
"""

from __future__ import annotations

import json
import random
from pathlib import Path
from typing import Any

import pytest

from tests.integration.conftest import Coopt

pytestmark = [pytest.mark.heavy, pytest.mark.slow, pytest.mark.timeout(2400)]


@pytest.fixture
def rows(tmp_path: Path) -> Path:
    rng = random.Random(0)
    lines: list[dict[str, Any]] = []
    why = []
    for domain in ("Physics", "Chemistry"):
        for _ in range(60):
            a, b = rng.randrange(2, 90), rng.randrange(2, 90)
            texts = [str(a + b), str(a + b + 1), str(abs(a - b)), str(a * b)]
            rng.shuffle(texts)
            unit = "metres" if domain == "Physics" else "grams"
            lines.append(
                {
                    "question": f"How many {unit} are {a} {unit} and {b} {unit} together?",
                    "choices": {"text": texts, "label": list("ABCD")},
                    "answerKey": "ABCD"[texts.index(str(a + b))],
                    "type": "mcq-4-choices",
                    "domain": domain,
                    "details": {"level": "L3", "task": "sums", "subtask": "sums", "source": "test"},
                    "prompt": {"default": ""},
                    "answer": "",
                }
            )
            letter = lines[-1]["answerKey"]
            text = f"<reasoning>\n{a} + {b} = {a + b}\n</reasoning>\n<answer>\n{letter}\n</answer>"
            why.append({"question": lines[-1]["question"], "rationale": text})
    (tmp_path / "why.jsonl").write_text("".join(json.dumps(w) + "\n" for w in why[:20] + why[60:80]))
    path = tmp_path / "rows.jsonl"
    path.write_text("".join(json.dumps(line) + "\n" for line in lines))
    return path


def test_lora_students_of_a_real_model_train_on_rows(coopt: Coopt, rows: Path, tmp_path: Path) -> None:
    done = coopt(
        "bench", "--preset", "smol", "--smoke", "--data", str(rows), "--method", "opcod", "--json", "--out", "run",
        "--workers", "1", "--set", "gate.kind=always", "--set", "sampling.max_response_tokens=16",
        "--set", "sampling.max_feedback_tokens=24",
        "--set", "model.specialise=rationales:why.jsonl", "--set", "specialise.epochs=1",
        "--set", "data.test=2", "--set", "data.validation=2", "--set", "break_rate.questions=1", timeout=2200,
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
