"""Results of an earlier coopt are worked out anew from the answers; where these are not there, nothing is made up."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest

from coopt.core.errors import RunError
from coopt.reports.tables import standings_table
from coopt.runs.measures.claims import ALL, claims_of
from coopt.runs.measures.scores import Scores
from coopt.runs.measures.summary import read_results, summarise
from coopt.runs.results import results_path, stored_results
from coopt.runs.run import Run
from coopt.runs.together import open_finished
from tests.unit.conftest import Command
from tests.unit.small_runs import write_run


def as_before(run: Run) -> None:
    """Its results.json of version 1, as far as anything reads it."""
    path = run.directory / "results.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | {"version": 1, "pareto": [{"shown": True}]}))


def test_old_results_are_worked_out_anew(tmp_path: Path) -> None:
    run = write_run(tmp_path / "old")
    expected = summarise(run)
    as_before(run)
    assert read_results(run.directory) == expected
    assert open_finished(run.directory).seeds == run.seeds


@pytest.mark.parametrize("command", ["report {}", "compare {} {}", "leaderboard add {}", "export {} --out table.csv"])
def test_results_without_answers_are_refused_in_one_line(cli: Command, tmp_path: Path, command: str) -> None:
    runs = [write_run(tmp_path / name) for name in ("one", "two")]
    for run in runs:
        as_before(run)
        shutil.rmtree(run.directory / "seeds")
    done = cli(*command.format(*(str(r.directory) for r in runs)).split())
    assert done.code != 0
    assert "answers" in done.err
    assert len(done.err.strip().splitlines()) == 1


def test_ranks_of_results_that_named_the_first_possible_place_are_by_score(tmp_path: Path) -> None:
    """Before ``rank_first`` was there, ``rank`` was it."""
    run = write_run(tmp_path / "old", methods=("sdpo", "opcod", "always"))
    path = run.directory / "results.json"
    tree = json.loads(path.read_text())
    now = stored_results(run.directory)
    assert [c["rank"] for c in tree["standings"]] == [c.rank for c in now.standings]
    assert [c.rank for c in now.standings] == [1 + sum(o.score > c.score for o in now.standings) for c in now.standings]
    assert any(c.rank != c.rank_first for c in now.standings), "else this shows nothing"
    for cell in tree["standings"]:
        cell["rank"] = cell.pop("rank_first")
    path.write_text(json.dumps(tree))
    assert stored_results(run.directory) == now
    assert standings_table(stored_results(run.directory)) == standings_table(now)
    for wrong in ("many", 10**400, None):
        tree["standings"][0]["score"] = wrong
        path.write_text(json.dumps(tree))
        with pytest.raises(RunError):
            stored_results(run.directory)


def test_other_questions_than_those_that_were_answered_are_refused(tmp_path: Path) -> None:
    run = write_run(tmp_path / "moved")
    path = run.directory / "provenance.json"
    record = json.loads(path.read_text())
    record["data"]["physics"]["test"] = "0" * 16
    path.write_text(json.dumps(record))
    with pytest.raises(RunError, match=r"moved: the test questions of physics are not those that the run answered"):
        summarise(Run.open(run.directory))


def test_all_claims_of_a_run_are_one_family(tmp_path: Path) -> None:
    run = write_run(tmp_path / "claims", methods=("sdpo", "opcod", "always"))
    scores = Scores(run)
    found = claims_of(scores, [("opcod", "sdpo"), ("always", "sdpo")])
    assert len(found.changes) == 3 * 2 * 2
    assert len(found.comparisons) == 2 * 3
    assert {frozenset(p) for p in found.pairs} == {
        frozenset(p) for p in (("init", "sdpo"), ("init", "opcod"), ("init", "always"), ("opcod", "sdpo"),
                               ("always", "sdpo"), ("opcod", "always"))
    }  # fmt: skip
    assert found.pairs["opcod", "sdpo"].p == found.comparisons["opcod", "sdpo", ALL].p
    assert len(found.apart) == 2 * 2 * 2
    family = len(found.changes) + len(found.comparisons) + 4
    every = (*found.changes.values(), *found.pairs.values())
    smallest = min(every, key=lambda c: c.found.p_value())
    assert smallest.p == pytest.approx(min(1.0, family * smallest.found.p_value()))


def test_a_smoke_run_of_an_earlier_coopt_is_known_by_its_settings(tmp_path: Path) -> None:
    """Its results do not say so."""
    run = write_run(tmp_path / "small", smoke=True)
    path = results_path(run.directory)
    tree = json.loads(path.read_text())
    assert tree.pop("smoke")
    path.write_text(json.dumps(tree))
    assert read_results(run.directory).smoke
