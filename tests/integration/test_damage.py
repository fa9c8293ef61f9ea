"""Damage to a run with real weights: the same command makes it again, equal to the bit."""

from __future__ import annotations

import json
import os
import shutil
import signal
from pathlib import Path

import pytest

from coopt.core import store
from coopt.core.errors import CooptError
from coopt.driver.damage import check_run
from coopt.runs.measures.summary import read_results
from tests.integration.conftest import SMOKE, STATES, Coopt, tables, weights
from tests.unit.sealed_runs import DAMAGE, DELETED, damage, kinds

pytestmark = pytest.mark.slow
COMMAND = (*SMOKE, "--out", "run", "--workers", "2", *STATES)

TRANSCRIPTS = (".rollouts.jsonl", ".advantages.jsonl", ".texts.jsonl")


@pytest.fixture
def run(smoke_run: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(smoke_run, tmp_path / "run"))


def invert(path: Path) -> None:
    scores = json.loads(path.read_text())
    for domain in scores["domains"].values():
        domain["correct"] = [[1 - c for c in row] for row in domain["correct"]]
    path.write_text(store.as_json(scores))


def test_a_finished_run_with_much_damage(coopt: Coopt, run: Path, smoke_run: Path) -> None:
    seeds = run / "seeds/0"
    assert damage(seeds / "sdpo/r1/s1/model/model.safetensors", "flip")
    assert damage(seeds / "opcod/r2/s2.steps.jsonl", DELETED)
    assert damage(seeds / "init/s2/model/model.safetensors", "half")
    assert damage(seeds / "break_rate/s1.json", "other json")
    assert damage(run / "journal.jsonl", "digit")
    assert damage(run / "config.json", "half")
    assert damage(run / "results.json", "digit")
    invert(seeds / "opcod/scores/test/r2/s1.json")
    said = coopt("check", "run")
    assert said.returncode == 1
    for name in ("sdpo/r1/s1/model/model.safetensors", "opcod/r2/s2.steps.jsonl", "init/s2/model/model.safetensors",
                 "break_rate/s1.json", "journal.jsonl", "config.json", "results.json",
                 "opcod/scores/test/r2/s1.json"):  # fmt: skip
        assert name in said.stdout
    again = coopt(*COMMAND)
    assert again.returncode == 0, again.stderr
    done = [line.split("done: ")[1] for line in again.stderr.splitlines() if "done: " in line]
    assert sorted(done) == [
        "seed 0 break-rate s1", "seed 0 opcod round 2 s2", "seed 0 sdpo round 1 s1", "seed 0 specialist s2",
        "seed 0 test scores s1 opcod round 2",
    ]  # fmt: skip
    assert again.stderr.count("made again: ") == 5
    assert tables(run) == tables(smoke_run)
    assert weights(run) == weights(smoke_run)
    assert coopt("check", "run").returncode == 0


@pytest.mark.parametrize("place", ["state/state.safetensors", "state/step.json", "model/model.safetensors"])
def test_half_a_run(coopt: Coopt, run: Path, smoke_run: Path, place: str) -> None:
    """Killed after the first round of sdpo; then a bit of what it goes on from turns, or a file is empty."""
    for folder in ("opcod", "sdpo/r2", "sdpo/scores/validation/r2", "sdpo/scores/test"):
        shutil.rmtree(run / "seeds/0" / folder)
    (run / "results.json").unlink()
    (run / "results.json.seal").unlink()
    lines = (run / "journal.jsonl").read_text().splitlines(keepends=True)
    (run / "journal.jsonl").write_text("".join(x for x in lines[:4]))
    damage(run / "seeds/0/sdpo/r1/s1" / place, "flip" if place.endswith("safetensors") else "empty")
    again = coopt(*COMMAND)
    assert again.returncode == 0, again.stderr
    assert again.stderr.count("made again: ") == 1
    assert tables(run) == tables(smoke_run)
    assert weights(run) == weights(smoke_run)


@pytest.mark.parametrize("what", ["checkpoint", "lines"])
def test_half_a_phase(coopt: Coopt, run: Path, smoke_run: Path, what: str) -> None:
    """Killed in the second step; then a bit of its checkpoint turns, or a digit of what was written by then."""
    for folder in ("opcod", "sdpo"):
        shutil.rmtree(run / "seeds/0" / folder)
    (run / "results.json").unlink()
    (run / "journal.jsonl").unlink()
    killed = coopt(*COMMAND, "--workers", "1", COOPT_KILL_AT="step:2")
    assert killed.returncode == -signal.SIGKILL, killed.stderr
    (checkpoint,) = (run / "seeds/0/sdpo/r1").glob("*.checkpoints/step_1")
    if what == "checkpoint":
        assert damage(checkpoint / "state.safetensors", "flip")
        assert "step_1/state.safetensors" in coopt("check", "run").stdout
    else:
        lines = next(checkpoint.parent.parent.glob("*.steps.jsonl"))
        lines.write_text(lines.read_text().replace('"correct": ', '"correct": 1', 1))
    again = coopt(*COMMAND)
    assert again.returncode == 0, again.stderr
    assert tables(run) == tables(smoke_run)
    assert weights(run) == weights(smoke_run)


@pytest.mark.heavy
@pytest.mark.parametrize("how", [DELETED, *DAMAGE])
def test_every_kind_of_file_is_named_and_gives_no_other_tables(run: Path, smoke_run: Path, how: str) -> None:
    wanted = tables(smoke_run)
    for kind, place in kinds(smoke_run).items():
        if not damage(run / place, how):
            continue
        found = check_run(run)
        ignored = kind.startswith(("run.lock", "progress/")) or (how == DELETED and kind.endswith(".seal"))
        assert ignored or not found.whole or found.removed, kind
        try:
            results = read_results(run)
        except CooptError as error:
            assert "\n" not in str(error)  # noqa: PT017
        else:
            assert {k: v for k, v in results.model_dump(mode="json").items() if k in wanted} == wanted, kind
        (run / place).unlink(missing_ok=True)
        shutil.copy2(smoke_run / place, run / place)


@pytest.mark.heavy
@pytest.mark.timeout(7200)
@pytest.mark.parametrize("how", [DELETED, *DAMAGE])
def test_every_kind_of_file_is_made_again(coopt: Coopt, run: Path, smoke_run: Path, how: str) -> None:
    """Every kind in one of the ways, which takes minutes; in all of them with COOPT_ALL_KINDS=1, which takes hours (and
    seconds without models: tests/unit/driver/test_damage.py)."""
    ways = [DELETED, *DAMAGE]
    for k, (kind, place) in enumerate(kinds(smoke_run).items()):
        if ways[k % len(ways)] != how and "COOPT_ALL_KINDS" not in os.environ:
            continue
        if damage(run / place, how):
            again = coopt(*COMMAND)
            assert again.returncode == 0, (kind, again.stderr)
            assert tables(run) == tables(smoke_run), kind
            if how == DELETED and kind.endswith(TRANSCRIPTS):  # taken away on purpose: no table needs them
                shutil.copy2(smoke_run / place, run / place)
            assert weights(run) == weights(smoke_run), kind
