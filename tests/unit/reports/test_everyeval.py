"""Entries in the schema of Every Eval Ever: by its own validator where that is installed (Python 3.12), and what can be
seen without."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import pytest

from coopt.reports.leaderboard.add import add_run
from coopt.reports.leaderboard.check import check_folder
from coopt.reports.leaderboard.everyeval import write_evaluation
from tests.unit.conftest import Command
from tests.unit.small_runs import write_run


@pytest.fixture(scope="module")
def entries(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("everyeval")
    add_run(write_run(folder / "small", seeds=3), folder / "entries")
    return folder / "entries"


@pytest.fixture(scope="module")
def written(entries: Path) -> list[Path]:
    return [write_evaluation(c, entries.parent / "out", 1.8e9) for c in check_folder(entries).good]


# Of the extra evals, which wants Python 3.12: no test where it is not installed, rather than one that is skipped.
if find_spec("every_eval_ever"):

    @pytest.mark.heavy
    def test_its_own_validator_finds_nothing(written: list[Path]) -> None:
        validator = import_module("every_eval_ever.validator.validate")
        for path in written:
            report = validator.validate_file(path)
            assert report.valid, report.errors
            assert report.warnings == []
            place = path.relative_to(path.parents[4]).as_posix()
            tree = json.loads(path.read_text())
            assert validator.check_path_structure(place) == []
            assert validator.check_score_metadata(tree) == []
            assert validator.check_model_identity_path(place, tree) == []
            assert validator.check_model_deployment(tree) == []
            assert validator.check_companion_exists(place, tree, frozenset()) == []


def test_the_numbers_are_the_entrys_each_within_its_bounds(entries: Path, written: list[Path]) -> None:
    by_name = {c.entry.name: c.entry for c in check_folder(entries).good}
    for path in written:
        tree = json.loads(path.read_text())
        entry = by_name[tree["source_metadata"]["additional_details"]["entry"]]
        mean, change, *scores = (r["score_details"] for r in tree["evaluation_results"])
        assert (mean["score"], change["score"]) == (entry.measures.overall.score, entry.measures.overall.change.value)
        own = [s for s in entry.measures.scores if s.who == entry.method]
        assert [s["score"] for s in scores] == [s.score for s in own]
        for result in tree["evaluation_results"]:
            metric, found = result["metric_config"], result["score_details"]
            interval = found["uncertainty"]["confidence_interval"]
            assert (
                metric["min_score"] <= interval["lower"] <= found["score"] <= interval["upper"] <= metric["max_score"]
            )
        assert len({r["evaluation_result_id"] for r in tree["evaluation_results"]}) == 2 + 4
        assert all(isinstance(v, str) for details in _details(tree) for v in details.values())


def _details(tree: Any) -> Iterator[dict[str, Any]]:
    """Every free table, whose values must be text."""
    if isinstance(tree, dict):
        for key, value in tree.items():
            if key in ("additional_details", "details"):
                yield value
            yield from _details(value)
    elif isinstance(tree, list):
        for value in tree:
            yield from _details(value)


def test_an_entry_keeps_its_file(entries: Path, written: list[Path]) -> None:
    again = [write_evaluation(c, entries.parent / "out", 1.9e9) for c in check_folder(entries).good]
    assert again == written
    assert len(set(again)) == 2
    form = (
        r"data/coopt/coopt/scimini-pair-\w+/[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}\.json"
    )
    assert all(re.fullmatch(form, p.relative_to(entries.parent / "out").as_posix()) for p in again)


def test_the_command(cli: Command, entries: Path) -> None:
    done = cli("leaderboard", "export", str(entries), "--out", "there")
    assert done.code == 0, done.err
    assert len(done.out.splitlines()) == 2
    assert all(Path(line).is_file() and line.startswith("there/data/coopt/coopt/") for line in done.out.splitlines())
