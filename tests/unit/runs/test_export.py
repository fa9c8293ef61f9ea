"""coopt export: every answer once, in both formats, read by pandas and polars."""

from __future__ import annotations

import csv as csv_reader
import io
import re
from pathlib import Path

import pandas
import polars
import pytest

from coopt.core import store
from coopt.core.tables.table import Table, render
from coopt.core.text import spreadsheet
from coopt.runs.export import SCHEMA, export_run
from coopt.runs.results import stored_results
from coopt.runs.run import Run
from coopt.runs.together import open_finished
from tests.unit.conftest import Command
from tests.unit.small_runs import write_run


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Run:
    return write_run(tmp_path_factory.mktemp("export") / "small", seeds=2)


def test_every_answer_is_a_row_and_the_means_are_the_scores(run: Run, tmp_path: Path) -> None:
    parquet, *_ = export_run(run, tmp_path)
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
    paths = export_run(run, tmp_path)
    assert [p.name for p in paths] == ["outcomes.parquet", "outcomes.csv", "steps.parquet", "steps.csv"]
    for parquet, csv in (paths[:2], paths[2:]):
        columns = polars.read_parquet(parquet).columns
        assert all(re.fullmatch("[a-z][a-z0-9_]*", name) for name in columns), "words"
        assert len(set(columns)) == len(columns)
        pandas.testing.assert_frame_equal(pandas.read_parquet(parquet), pandas.read_csv(csv), check_dtype=False)
    assert polars.read_parquet(paths[0]).equals(polars.read_csv(paths[1]))


def test_final_rows_are_the_tables_figures(run: Run, tmp_path: Path) -> None:
    frame = pandas.read_parquet(export_run(run, tmp_path)[0])
    means = frame[frame["final"]].groupby(["method", "student", "domain"])["correct"].mean()
    best = frame[frame["best"]].groupby(["method", "student", "domain", "seed"])["correct"].mean()
    start = frame[frame["method"] == "init"].query("split == 'test'").groupby(["student", "domain", "seed"])["correct"]
    plain = frame.groupby(["method", "student", "domain"])["correct"].mean()
    cells = stored_results(run.directory).scores
    assert len(means) == len(cells)
    for c in cells:
        student = "base" if c.who == "base" else c.student
        assert means[c.who, student, c.domain] == pytest.approx(c.score, abs=1e-12)
        if c.best_by_validation is not None and c.who in run.config.methods:
            chosen = [
                best.get((c.who, c.student, c.domain, k), start.mean()[c.student, c.domain, k]) for k in run.seeds
            ]
            assert sum(chosen) / len(chosen) == pytest.approx(c.best_by_validation, abs=1e-12)
    assert any(abs(plain[key] - means[key]) > 1e-3 for key in means.index), "the marks matter"


def test_every_step_is_a_row(run: Run, tmp_path: Path) -> None:
    frame = pandas.read_parquet(export_run(run, tmp_path)[2])
    assert len(frame) == 2 * 2 * 2 * 2  # seeds, methods, rounds and students, one step each
    assert not frame.duplicated(["seed", "method", "student", "step"]).any()
    row = frame[(frame["method"] == "opcod") & (frame["round"] == 2)].iloc[0]
    assert (row["step"], row["tokens_rollout"], row["seconds_total"], row["tokens_per_second"]) == (1, 100, 2.0, 75.0)


def test_no_text_is_a_formula(run: Run, tmp_path: Path) -> None:
    path = run.scores_path(0, "opcod", "test", 2, "s1")
    kept = path.read_text()
    scores = store.read_json(path)
    said = ["=1+1", "+2", "-3.5e2", "-x", "@SUM(A1)", "\t=1", "2 = 2", ""]
    rows = scores["domains"]["physics"]["answers"]
    for k, text in enumerate(said):
        rows[k // 4][k % 4] = text
    store.write_json(path, scores)
    try:
        parquet, csv, *_ = export_run(run, tmp_path)
    finally:
        path.write_text(kept)
    where = "seed == 0 and method == 'opcod' and student == 's1' and final and domain == 'physics'"
    plain, quoted = (
        f.query(where)["answer"].tolist()[:8]
        for f in (pandas.read_parquet(parquet), pandas.read_csv(csv, keep_default_na=False, dtype={"answer": str}))
    )
    assert plain == said
    assert quoted == ["'=1+1", "+2", "-3.5e2", "'-x", "'@SUM(A1)", "'\t=1", "2 = 2", ""]
    assert [spreadsheet(text) for text in said] == quoted


def test_csv_tables_have_words_for_headings_and_no_formulas() -> None:
    columns = ["student", "score, %", "95 %", "change", "95 %", "Δ (native)", "p, Holm", "p, Holm"]
    table = Table("=T()", columns, [["@s1", "+3.4", "[-1.0, +2.0]", "-1", "–", "-x", "< 0.001", "1"]])
    head, row = csv_reader.reader(io.StringIO(render([table], "csv")))
    assert head == [
        "table", "student", "score_percent", "score_percent_95_percent", "change", "change_95_percent", "native",
        "p_holm", "p_holm_p_holm",
    ]  # fmt: skip
    assert row == ["'=T()", "'@s1", "+3.4", "[-1.0, +2.0]", "-1", "–", "'-x", "< 0.001", "1"]


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
