"""A whole sweep: killed, resumed, one arm failing, seeds put together."""

from __future__ import annotations

import json
import shutil
import signal
from pathlib import Path

import pytest

from coopt.core import seals, store
from coopt.runs.measures.summary import summarise
from coopt.runs.run import Run
from tests.integration.conftest import Coopt, tables

pytestmark = [pytest.mark.slow, pytest.mark.timeout(1500)]

SUITE = """
question = "Does a sweep survive what happens to it?"
seeds = 2
[base]
smoke = true
methods = ["opcod"]
rounds.rounds = 1
break_rate.questions = 0
gate.kind = "always"
world.specialist_steps = 4
rounds.prompts = 2
sampling.eval_samples = 1
[[arms]]
name = "broken"
model.path = "nowhere"
priority = 1
[[arms]]
name = "good"
"""


def test_a_sweep_is_killed_resumed_and_summarised(coopt: Coopt, tmp_path: Path) -> None:
    (tmp_path / "mine.toml").write_text(SUITE)
    folder = tmp_path / "runs/sweeps/mine/good"
    killed = coopt("sweep", "mine.toml", timeout=1000, COOPT_KILL_AT="step:2")
    assert killed.returncode == -signal.SIGKILL
    assert (folder / "seed-0/seeds/0/init/s1/COMPLETE").is_file()
    assert not (folder / "seed-0/results.json").exists()

    done = coopt("sweep", "mine.toml", timeout=1000)
    assert done.returncode == 2
    assert "finished (" in done.stdout
    for line in ("Failed: broken seed 0: coopt: --model nowhere: no such directory", "alone: coopt bench --preset mini",
                 "2 of 4 benches failed"):  # fmt: skip
        assert line in done.stderr
    rows = [line.split() for line in done.stdout.splitlines()]
    assert any(r[:2] == ["good", "opcod"] and r[-2:] == ["0", "1"] for r in rows)
    assert any(r[0] == "broken" and "run" in r and r[-3:] == ["missing:", "0", "1"] for r in rows if r)

    _check_together(folder, tmp_path)
    _check_archive(coopt, tmp_path)
    (tmp_path / "mine.toml").write_text(SUITE.replace('name = "broken"\nmodel.path = "nowhere"\n', 'name = "good2"\n'))
    listed = coopt("sweep", "mine.toml", "--dry-run", "--budget", "1s")
    assert "2 of 4 benches are finished" in listed.stdout
    assert listed.stdout.count("left out by the budget") == 2
    (tmp_path / "mine.toml").write_text(SUITE.replace('"always"', '"never"'))
    other = coopt("sweep", "mine.toml")
    assert other.returncode == 2
    assert "holds a run with other settings (gate.kind was 'always', is 'never')" in other.stderr


def _check_together(folder: Path, tmp_path: Path) -> None:
    """The two runs put together are what one run with both seeds is; a killed run is what an undisturbed one is."""
    one = tmp_path / "one"
    shutil.copytree(folder / "seed-0", one)
    shutil.copytree(folder / "seed-1/seeds/1", one / "seeds/1")
    with (one / "journal.jsonl").open("a") as journal:
        journal.write((folder / "seed-1/journal.jsonl").read_text())
    seals.sidecar(one / "config.json").unlink()  # else what is changed here is damage, and mended
    store.write_json(one / "config.json", json.loads((one / "config.json").read_text()) | {"seeds": 2})
    store.write_text(one / "results.json", summarise(Run.open(one)).model_dump_json())
    kept = json.loads((folder / "summary.json").read_text())
    (folder / "results.json").write_text(json.dumps(kept["results"]))
    assert tables(folder) == tables(one)
    assert kept["results"]["seeds"] == [0, 1]
    (change,) = kept["changes"]
    cells = [c["change"] for c in kept["results"]["scores"] if c["who"] == "opcod"]
    assert change["difference"] == pytest.approx(sum(cells) / len(cells))


def _check_archive(coopt: Coopt, tmp_path: Path) -> None:
    """Small files from which another machine makes the same table, and runs nothing again."""
    here = coopt("sweep", "mine.toml", "--table", "--format", "csv", "--archive", "kept")
    files = sorted(p.relative_to(tmp_path / "kept").as_posix() for p in (tmp_path / "kept").rglob("*.xz"))
    assert files == ["good/seed-0.tar.xz", "good/seed-1.tar.xz"]
    assert all(p.stat().st_size < 100_000 for p in (tmp_path / "kept").rglob("*.xz"))
    there = coopt("sweep", "mine.toml", "--table", "--format", "csv", "--archive", "kept", "--out", "elsewhere")
    assert there.stdout == here.stdout
    assert "2 of 4" in coopt("sweep", "mine.toml", "--dry-run", "--out", "elsewhere").stdout
    assert not list((tmp_path / "elsewhere").rglob("model.safetensors"))
