"""One training step under every pair of settings that may stand together: no combination that is allowed is untried."""

from __future__ import annotations

import itertools
import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pytest

from coopt.core.config.load import load_config
from coopt.core.phase_files import PhaseFiles
from coopt.core.rng import generator
from coopt.domains.load import load_domains
from coopt.lm.bases import SCIMINI_BASE
from coopt.lm.engines.make import make_engine
from coopt.lm.policy import load_policy
from coopt.lm.training.adapters import make_trainable
from coopt.lm.training.trainer import LocalTrainer
from coopt.methods.base import Trained
from coopt.methods.phase import Phase, train_step
from coopt.methods.registry import make_method
from coopt.methods.step import Tutee

pytestmark = pytest.mark.slow
CHOICES: Mapping[str, Sequence[Any]] = {
    "model.dtype": ("float32", "bfloat16"),
    "model.weights": ("full", "lora"),
    "layout": ("padded", "loss.packed", "loss.shared_prefixes"),
    "teacher.kind": ("ema", "live", "frozen", "trust_region"),
    "loss.top_k": (0, 20),
    "loss.alpha": (0.0, 0.5, 1.0),
    "loss.tail": ("true", "false"),
    "parallel.activation_checkpointing": ("true", "false"),
    "loss.chunk_logits": (20_000, 100_000_000),
    "method": ("sdpo", "grpo", "sft_union", "opsd"),
}


def pairwise(choices: Mapping[str, Sequence[Any]]) -> list[dict[str, Any]]:
    """Rows of a covering array of strength 2, greedily: every two values of two settings stand together in one row."""
    names = list(choices)
    left = {
        ((a, x), (b, y)) for a, b in itertools.combinations(names, 2) for x in choices[a] for y in choices[b]
    }  # fmt: skip
    rng, rows = generator("pairs of settings"), []
    while left:
        candidates = [{n: choices[n][rng.integers(len(choices[n]))] for n in names} for _ in range(40)]
        (first, second) = min(left, key=str)  # one that is still missing is in every candidate, so that this ends
        for row in candidates:
            row |= dict((first, second))
        best = max(candidates, key=lambda row: len(_pairs_of(row) & left))
        rows.append(best)
        left -= _pairs_of(best)
    return rows


def _pairs_of(row: Mapping[str, Any]) -> set[Any]:
    return set(itertools.combinations(row.items(), 2))


ROWS = pairwise(CHOICES)


def test_every_pair_is_in_some_row() -> None:
    covered = set().union(*map(_pairs_of, ROWS))
    assert all(
        ((a, x), (b, y)) in covered
        for a, b in itertools.combinations(CHOICES, 2)
        for x in CHOICES[a]
        for y in CHOICES[b]
    )
    assert len(ROWS) < 40


@pytest.mark.parametrize("row", ROWS, ids=lambda row: "-".join(str(v) for v in row.values()))
def test_a_step_under_these_settings(row: Mapping[str, Any], tmp_path: Path) -> None:
    chosen = [f"{k}={v}" for k, v in row.items() if k not in ("method", "layout")]
    if row["layout"] != "padded":
        chosen.append(f"{row['layout']}=true")
    few = ["rounds.prompts=2", "rounds.rollouts=4", "optimizer.warmup=0", "world.rows=200", "run.device=cpu"]
    config = load_config(settings=[*chosen, *few])
    method = make_method(row["method"])
    assert isinstance(method, Trained)
    config = method.configure(config)
    policy = load_policy(SCIMINI_BASE, dtype=config.model.dtype, device="cpu")
    trained = make_trainable(policy, config.model.weights, 4, "pairs")
    tutee = Tutee(
        config=config, domains=load_domains(config), name="s1", seed=0, round=1, engine=make_engine(config), tutors={},
        trainer=LocalTrainer(trained, config, method.objective(config)),
    )  # fmt: skip
    record, groups = train_step(Phase(tutee, method, PhaseFiles(tmp_path / "s1")), 0)
    assert math.isfinite(record["loss"])
    assert math.isfinite(record["grad_norm"])
    assert len(groups) == (0 if row["method"] == "sft_union" else 2)
    assert record["active_rows"] == 0 or record["grad_norm"] > 0
