"""coopt compare: methods of several runs, paired over the questions that all answered."""

from __future__ import annotations

import json
from itertools import combinations
from pathlib import Path

import pytest

from coopt.core.errors import RunError
from coopt.reports.comparison import differences_table
from coopt.runs.compare import Side, compare_runs
from coopt.runs.measures.summary import summarise
from coopt.runs.results import Results
from coopt.runs.run import Run
from tests.unit.conftest import Command
from tests.unit.small_runs import write_run


@pytest.fixture(scope="module")
def one(tmp_path_factory: pytest.TempPathFactory) -> Run:
    return write_run(tmp_path_factory.mktemp("compare") / "one", seeds=2)


@pytest.fixture(scope="module")
def weak(tmp_path_factory: pytest.TempPathFactory) -> Run:
    """The same start and sdpo; opcod gains nothing."""
    folder = tmp_path_factory.mktemp("compare") / "weak"
    return write_run(folder, {"opcod": 0.5}, seed=1, seeds=2, settings=["gate.tau=0.3"])


def test_methods_of_two_runs_in_the_seeds_that_both_have(one: Run, weak: Run) -> None:
    found = compare_runs([one, weak])
    assert found.runs == ["one", "weak"]
    assert found.seeds == [1]
    assert found.left_out == {"one": [0], "weak": [2]}
    assert found.settings == {"gate.tau": [0.2, 0.3]}
    assert found.same_start
    moved = {(str(d.side), str(d.baseline)): d.moved for d in found.differences}
    same = moved["weak: sdpo", "one: sdpo"]
    assert (same.value, same.p) == (0, 1.0)
    assert same.verdict in ("equivalent", "no difference shown")
    worse = moved["weak: opcod", "one: opcod"]
    assert worse.verdict == "worse"
    lines = {line.side: line for line in found.lines}
    gap = lines[Side("weak", "opcod")].score.value - lines[Side("one", "opcod")].score.value
    assert worse.value == pytest.approx(gap)


@pytest.mark.parametrize("count", [2, 3])
@pytest.mark.parametrize("within", [True, False])
def test_no_pair_is_left_out_without_a_line(one: Run, weak: Run, tmp_path: Path, count: int, within: bool) -> None:
    """With two runs of two methods four of six pairs have a row."""
    runs = [one, weak, write_run(tmp_path / "third", seed=1, settings=["gate.tau=0.4"])][:count]
    found = compare_runs(runs, within=within)
    sides = [line.side for line in found.lines]
    pairs = {frozenset((a, b)) for a, b in combinations(sides, 2) if within or a.run != b.run}
    shown = {frozenset((d.side, d.baseline)) for d in found.differences}
    left = {frozenset(pair) for pair in found.not_compared}
    assert shown | left == pairs
    assert not shown & left
    (note,) = [n for n in differences_table(found).notes if "pairs:" in n]
    assert note.startswith(f"{len(shown)} of {len(pairs)} pairs: every method against one: sdpo")
    assert f"{found.not_compared[0][0]} - {found.not_compared[0][1]}" in note


def test_where_all_pairs_are_there_nothing_is_said(one: Run, tmp_path: Path) -> None:
    other = write_run(tmp_path / "other", methods=("sdpo",), seeds=2, settings=["gate.tau=0.3"])
    found = compare_runs([one, other])
    assert (len(found.differences), len(found.not_compared)) == (2, 1)
    alone = compare_runs([other, write_run(tmp_path / "again", methods=("sdpo",), seeds=2)])
    assert not alone.not_compared
    assert not any("pairs:" in n for n in differences_table(alone).notes)


def test_within_a_run_it_is_the_reports_own_comparison(one: Run, tmp_path: Path) -> None:
    """The first run's pair has the report's difference and interval (same weights, same questions, same seeds)."""
    other = write_run(tmp_path / "other", seeds=2, settings=["gate.tau=0.3"])
    theirs: Results = summarise(one)
    expected = next(c for c in theirs.comparisons if c.student == "all")
    ours = compare_runs([one, other]).differences[0].moved
    assert (ours.value, ours.low, ours.high) == pytest.approx((expected.difference, expected.low, expected.high))
    assert ours.per_seed == pytest.approx(expected.per_seed)


def test_a_method_is_set_against_those_that_it_names(tmp_path: Path) -> None:
    """An ablation of the gate against opcod, also where sdpo comes first; nothing twice where opcod does."""
    found = summarise(write_run(tmp_path / "three", methods=("sdpo", "opcod", "always"))).comparisons
    pairs = [(c.method, c.baseline) for c in found if c.student == "all"]
    assert pairs == [("opcod", "sdpo"), ("always", "sdpo"), ("always", "opcod")]
    found = summarise(write_run(tmp_path / "two", methods=("opcod", "always"))).comparisons
    assert [(c.method, c.baseline) for c in found if c.student == "all"] == [("always", "opcod")]


def test_a_stronger_start_is_said(one: Run, tmp_path: Path) -> None:
    assert not compare_runs([one, write_run(tmp_path / "strong", {"init": 0.7}, seeds=2)]).same_start


@pytest.mark.parametrize(
    ("flags", "message"),
    [
        ({"domains": "phys,mat"}, r"domains differ \(chemistry, physics and materials, physics\)"),
        ({"settings": ["sampling.eval_samples=2"]}, r"answers per question \(k\) differ \(4 and 2\)"),
        ({"settings": ["data.test=10"]}, r"test questions differ \(chemistry [0-9a-f]{16}, physics"),
        ({"seed": 7}, r"no seed that all runs have \(one: 0, 1; other: 7\)"),
    ],
)
def test_what_cannot_be_compared_is_refused(one: Run, tmp_path: Path, flags: dict[str, object], message: str) -> None:
    with pytest.raises(RunError, match=message):
        compare_runs([one, write_run(tmp_path / "other", **flags)])


def test_the_command(cli: Command, one: Run, weak: Run) -> None:
    done = cli("compare", str(one.directory), str(weak.directory), "--format", "json")
    assert done.code == 0, done.err
    first, second, third = json.loads(done.out)
    assert [(r["run"], r["method"]) for r in first["rows"]] == [
        ("one", "sdpo"), ("one", "opcod"), ("weak", "sdpo"), ("weak", "opcod"),
    ]  # fmt: skip
    assert second["rows"][-1]["methods"] == "weak: opcod - one: opcod"
    assert third["rows"] == [{"setting": "gate.tau", "one": "0.2", "weak": "0.3"}]
    for style in ("rich", "md", "csv", "latex"):
        assert "weak: opcod" in cli("compare", str(one.directory), str(weak.directory), "--format", style).out
    assert cli("compare", str(one.directory)).err.startswith("coopt: coopt compare needs two runs or more.")
    assert "the same run twice" in cli("compare", str(one.directory), str(one.directory)).err
