"""The benchmarks' own arithmetic: which way a ratio goes, what is met, what counts as worse."""

from __future__ import annotations

import pytest
from pydantic import ValidationError

from benchmarks.perf.__main__ import BENCHMARKS, HERE, baseline, verdict, with_table
from benchmarks.perf.ratio import RESULTS, Measured, Ratio, in_turn, read, table, write


def ratio(*pairs: tuple[float, float], **more: object) -> Ratio:
    return Ratio(name="a/b", what="a step", against="a peer", unit="s", pairs=list(pairs), **more)  # type: ignore[arg-type]


def test_an_aim_from_below_counts_how_many_times_better() -> None:
    assert ratio((2, 10), (1, 8), (1, 9), at_least=5).ratios == [5, 8, 9]
    assert ratio((10, 2), lower_is_better=False, at_least=4).ratio == 5  # tokens per second


def test_an_aim_from_above_and_no_aim_divide_ours_by_theirs() -> None:
    assert ratio((3, 2), at_most=1.3).ratio == 1.5
    assert ratio((3, 2)).ratio == 1.5
    assert ratio((2, 3), counts_times=True).ratio == 1.5


@pytest.mark.parametrize(
    ("aim", "met"),
    [
        ({"at_least": 2}, True),
        ({"at_least": 2.1}, False),
        ({"at_most": 0.5}, True),
        ({"at_most": 0.4}, False),
        ({}, None),
    ],
)
def test_the_median_meets_an_aim(aim: dict[str, float], met: bool | None) -> None:
    assert ratio((1, 2), (9, 18), (1, 2), **aim).met is met


def test_two_aims_and_nothing_measured_are_refused() -> None:
    with pytest.raises(ValidationError, match="not both"):
        ratio((1, 1), at_least=1, at_most=1)
    with pytest.raises(ValidationError, match="nothing was measured"):
        ratio()


@pytest.mark.parametrize(
    ("aim", "now", "said"),
    [
        ({"at_most": 9}, 1.3, "same"),  # within the range of the baseline, 1.0 to 1.2, and a tenth
        ({"at_most": 9}, 1.4, "worse"),
        ({"at_most": 9}, 0.8, "better"),
        ({"at_least": 1}, 1 / 1.3, "same"),
        ({"at_least": 1}, 1 / 1.4, "worse"),
        ({"at_least": 1}, 1 / 0.8, "better"),
    ],
)
def test_worse_is_beyond_the_baselines_worst_by_a_tenth(aim: dict[str, float], now: float, said: str) -> None:
    flip = "at_least" in aim
    old = ratio((1.0, 1), (1.1, 1), (1.2, 1), **aim)
    new = ratio((1, now) if flip else (now, 1), **aim)
    assert verdict(old, new) == said


def test_both_sides_are_measured_in_turn_and_take_turns_to_begin() -> None:
    order: list[str] = []
    found = in_turn(lambda: order.append("ours") or 1.0, lambda: order.append("theirs") or 2.0, pairs=2, warm_up=0)
    assert found == [(1, 2), (1, 2)]
    assert order == ["ours", "theirs", "theirs", "ours"]


def test_a_file_comes_back_as_it_was(tmp_path) -> None:  # type: ignore[no-untyped-def]
    measured = Measured(machine={"load": 0.1}, command="c", seconds=1.0, ratios=[ratio((1, 2), at_least=1)])
    assert read(write("a", measured, tmp_path)) == measured
    (row,) = table({"a": measured}).rows
    assert row[:9] == ["a step", "a peer", "1", "2", "s", "2 x better", "(1)", "at least 1", "yes"]


def test_the_document_shows_the_files() -> None:
    made = table(baseline(BENCHMARKS))
    assert {file.name for file in RESULTS.glob("*.json")} == {f"{name}.json" for name in BENCHMARKS}
    text = (HERE / "README.md").read_text(encoding="utf-8")
    assert with_table(text, made) == text, "run `python -m benchmarks.perf --table`"


def test_every_benchmark_that_is_listed_is_there() -> None:
    for name in BENCHMARKS:
        assert "def measure(pairs: int) -> list[Ratio]:" in (HERE / f"{name}.py").read_text()
