"""The table of answers as they were read."""

from __future__ import annotations

from typing import Any

from coopt.reports.readings import reading_table
from coopt.runs.measures.readings import rollout_readings, score_reading
from coopt.runs.results import Results

ONE: dict[str, Any] = {"correct": [[0, 1], [0, 0]], "unparsed": 1, "unfinished": 2, "tokens": 40, "read_otherwise": 3}


def results(*cells: Any) -> Results:
    names = "domains methods seeds constants scores pareto comparisons gates feedback costs".split()
    empty: dict[str, Any] = {name: [] for name in names}
    more: dict[str, Any] = {"run": "r", "topology": "pair", "native": {}, "break_rates": [], "no_own_correct": None}
    return Results(**empty, **more, readings=list(cells))


def test_shares_are_of_all_answers_of_all_seeds() -> None:
    cell = score_reading("sdpo", "s1", "law", [ONE, ONE | {"unparsed": 0, "tokens": 0}])
    assert cell is not None
    assert (cell.answers, cell.unparsed, cell.unfinished, cell.read_otherwise, cell.tokens) == (8, 1 / 8, 0.5, 0.75, 5)
    ((*_, unread, cut, otherwise, tokens),) = reading_table(results(cell)).rows
    assert (unread, cut, otherwise, tokens) == ("12.5", "50.0", "75.0", "5")


def test_nothing_to_say_is_no_table() -> None:
    none = {"unparsed": 0, "unfinished": 0, "read_otherwise": 0}
    assert not reading_table(results(score_reading("sdpo", "s1", "law", [ONE | none]))).rows
    assert reading_table(results(score_reading("sdpo", "s1", "law", [ONE | none | {"read_otherwise": 1}]))).rows


def test_an_older_run_is_shown_without_what_it_did_not_count() -> None:
    older = {k: v for k, v in ONE.items() if k != "read_otherwise"}
    cell = score_reading("sdpo", "s1", "law", [ONE, older])
    assert cell is not None
    assert cell.read_otherwise is None
    assert "–" in reading_table(results(cell)).rows[0]
    assert score_reading("sdpo", "s1", "law", [{"correct": [[1]]}]) is None
    assert (
        rollout_readings([{"method": "sdpo", "tutee": "s1", "round": 1, "rollouts": 8, "tokens": {"rollout": 9}}]) == []
    )


def test_rollouts_are_added_up_by_round() -> None:
    step = {"method": "sdpo", "tutee": "s1", "round": 1, "rollouts": 8, "unparsed": 2, "unfinished": 4,
            "tokens": {"rollout": 80}}  # fmt: skip
    first, second = rollout_readings([step, step | {"unparsed": 0}, step | {"round": 2}])
    assert (first.answers, first.unparsed, first.unfinished, first.tokens) == (16, 1 / 8, 0.5, 10)
    assert (second.round, second.unparsed) == (2, 0.25)
    assert [row[2] for row in reading_table(results(first, second)).rows] == ["rollouts, round 1", "rollouts, round 2"]
