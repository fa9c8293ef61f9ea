"""coopt export: every answer once, in both formats, read by pandas and polars."""

from __future__ import annotations

from pathlib import Path

import pandas
import polars
import pytest

from coopt.core import store
from coopt.runs.export import SCHEMA, export_run
from coopt.runs.run import Run
from coopt.runs.together import open_finished
from tests.unit.conftest import Command
from tests.unit.small_runs import write_run


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Run:
    return write_run(tmp_path_factory.mktemp("export") / "small", seeds=2)


def test_every_answer_is_a_row_and_the_means_are_the_scores(run: Run, tmp_path: Path) -> None:
    parquet, _ = export_run(run, tmp_path)
    frame = pandas.read_parquet(parquet)
    assert list(frame.columns) == SCHEMA.names
    # 2 seeds x 2 domains x 4 samples x (20 test questions: base, 2 students at the start and in 2 rounds of 2 methods;
    # 10 validation questions: the same without base)
    assert len(frame) == 2 * 2 * 4 * (20 * (1 + 2 + 8) + 10 * (2 + 8))
    assert not frame.duplicated(["seed", "method", "round", "student", "domain", "split", "item", "sample"]).any()
    own = frame[(frame["method"] == "opcod") & (frame["round"] == 2) & (frame["split"] == "test")]
    stored = store.read_json(run.scores_path(1, "opcod", "test", 2, "s2"))["domains"]["chemistry"]
    rows = own[(own["seed"] == 1) & (own["student"] == "s2") & (own["domain"] == "chemistry")]
    assert rows["correct"].tolist() == [bool(c) for row in stored["correct"] for c in row]
    assert rows["answer"].tolist() == [a for row in stored["answers"] for a in row]
    assert rows["native"].all()


def test_both_files_hold_the_same_for_pandas_and_polars(run: Run, tmp_path: Path) -> None:
    parquet, csv = export_run(run, tmp_path)
    assert polars.read_parquet(parquet).equals(polars.read_csv(csv))
    pandas.testing.assert_frame_equal(pandas.read_parquet(parquet), pandas.read_csv(csv), check_dtype=False)


def test_an_arm_of_a_sweep_is_one_run(cli: Command, tmp_path: Path) -> None:
    for seed in (0, 1):
        write_run(tmp_path / f"arm/seed-{seed}", seed=seed)
    done = cli("export", "arm")
    assert done.code == 0, done.err
    frame = polars.read_csv(tmp_path / "arm/export/outcomes.csv")
    assert frame["run"].unique().to_list() == ["arm"]
    assert sorted(frame["seed"].unique().to_list()) == [0, 1]


def test_runs_that_are_not_one_are_refused(tmp_path: Path) -> None:
    write_run(tmp_path / "arm/seed-0", seed=0)
    write_run(tmp_path / "arm/seed-1", seed=1, settings=["gate.tau=0.5"])
    with pytest.raises(ValueError, match=r"seed-0 and .*seed-1 differ in gate.tau \(0.2, 0.5\)"):
        open_finished(tmp_path / "arm")


def test_a_failed_export_leaves_no_file(run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("coopt.runs.export.name_of", lambda run: 1 / 0)
    with pytest.raises(ZeroDivisionError):
        export_run(run, tmp_path)
    assert list(tmp_path.iterdir()) == []


def test_an_unfinished_run_is_refused(cli: Command) -> None:
    done = cli("export", "nowhere")
    assert done.code == 2
    assert done.err == (
        "coopt: nowhere: no run here (config.json is missing). Runs are the folders that coopt bench names.\n"
    )
