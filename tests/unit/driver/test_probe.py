"""Points of a probe with their intervals, its tables, and what is refused before anything is loaded."""

from __future__ import annotations

import numpy as np
import pytest

from coopt.core.config.load import load_config
from coopt.core.errors import ConfigError, ModelError
from coopt.core.tables.table import Table
from coopt.driver.probe.models import models_of
from coopt.driver.probe.points import Measure, Point, point
from coopt.driver.probe.probe import ProbeResult, probe_models
from coopt.reports.probe_tables import probe_tables
from coopt.runs.measures.break_rates import Designs, Grids, Tally, benefit, rates

N = 40
EVERY: dict[str, tuple[str, ...]] = {f"q{k}": () for k in range(N)}


def measured(counts: list[tuple[str, float, float]], clusters: dict[str, tuple[str, ...]] = EVERY) -> Point:
    return point("candour", "m1", "d", "", counts, clusters)


def test_a_point_is_over_answers_and_its_interval_over_questions() -> None:
    once = measured([(f"q{k}", k % 4 == 0, 1) for k in range(N)])
    eight = measured([(f"q{k}", 8 * (k % 4 == 0), 8) for k in range(N)])
    assert (once.value, once.n, once.questions) == (0.25, N, N)
    assert (eight.value, eight.n, eight.questions) == (0.25, 8 * N, N)
    assert (eight.low, eight.high) == pytest.approx((once.low, once.high)), "answers to a question are not independent"
    parts = measured([(f"q{k}", k % 4 == 0, 1) for k in range(N) for _ in range(3)])
    assert (parts.low, parts.high) == pytest.approx((once.low, once.high))


def test_questions_that_share_a_cluster_widen_it() -> None:
    counts = [(f"q{k}", float(k % 8 < 2), 1.0) for k in range(N)]
    together = measured(counts, {f"q{k}": (f"c{k // 2}",) for k in range(N)})
    alone = measured(counts)
    assert together.low is not None
    assert alone.low is not None
    assert together.low < alone.low


def test_few_questions_have_no_interval_and_none_no_value() -> None:
    few = measured([("q1", 1, 1), ("q2", 0, 1), ("q3", 0, 0)])
    assert (few.value, few.low, few.n, few.questions) == (0.5, None, 2, 2)
    none = measured([("q1", 0, 0)])
    assert (none.value, none.n, none.questions) == (None, 0, 0)


def grids() -> Grids:
    """Half of the answers are right before; f breaks a quarter of these and fixes half of the others, of which the
    control fixes half."""
    before = np.tile([1, 1, 1, 1, 0, 0, 0, 0], (N, 1)).astype(float)
    after = np.tile([1, 1, 1, 0, 1, 1, 0, 0], (N, 1)).astype(float)
    control = np.tile([1, 1, 1, 1, 1, 0, 0, 0], (N, 1)).astype(float)
    return Grids(np.array(list(EVERY)), np.zeros(N, int), before, after, control)


def test_net_benefit_is_fix_by_wrong_less_break_by_right() -> None:
    found, designs = grids(), Designs(EVERY)
    cells = rates(Tally.of(found), "all", 1, designs)
    broke, fixed = cells["break"].rate, cells["fix"].rate
    assert (broke, fixed) == (0.25, 0.5)
    assert benefit(Tally.of(found), designs, over_control=False).rate == pytest.approx(0.5 * 0.5 - 0.25 * 0.5)
    of_f = benefit(Tally.of(found), designs, over_control=True)
    assert of_f.rate == pytest.approx(0.0)
    assert of_f.low is not None
    assert of_f.high is not None
    assert of_f.low < 0 < of_f.high, "without spread it still has an error"
    unkept = found._replace(after=np.where(found.before == 1, np.nan, found.after))
    assert benefit(Tally.of(unkept), designs, over_control=False).rate == pytest.approx(0.5)


def result(low: float = 0.01, high: float = 0.2) -> ProbeResult:
    measures: dict[Measure, tuple[str, str]] = {
        "deference": ("m1", "s_f: doubt"), "p_keeps": ("m1", "s_f: doubt"), "p_follows": ("m1", "s_f: doubt"),
        "candour": ("m1", "right attempt, does not know"), "right": ("m1", ""), "top_wrong": ("m1", ""),
        "wrong_alike": ("m1", ""), "forms": ("m1", ""),
        **dict.fromkeys(("break", "break_control", "fix", "fix_control", "net", "net_of_f"), ("m1 -> m1", "paper")),
    }  # fmt: skip
    points = [
        Point(measure=m, who=who, domain=d, condition=c, n=9, questions=3, value=0.1, low=low, high=high)
        for m, (who, c) in measures.items()
        for d in ("physics", "chemistry", "all")
    ]
    return ProbeResult({"m1": "[red]DIR"}, "validation", {"physics": 3, "chemistry": 3}, 8, points)


def titles(tables: list[Table]) -> list[str]:
    return [t.title.partition(",")[0] for t in tables]


def test_tables_have_every_part_and_say_which_models() -> None:
    tables = probe_tables(result())
    assert [t.partition(":")[0] for t in titles(tables)] == [
        "Deference", "Candour", "Answers", "Break and fix", "Prediction",
    ]  # fmt: skip
    assert [row[1] for row in tables[0].rows] == ["physics", "chemistry", "all"]
    assert [row[1] for row in probe_tables(result(), whole=False)[0].rows] == ["all"]
    assert "[red]DIR" in tables[0].notes[0]


@pytest.mark.parametrize(("low", "high", "says"), [(0.01, 0.2, "helps"), (-0.2, -0.01, "harms"), (-0.1, 0.1, "unsure")])
def test_the_prediction_says_only_what_its_interval_says(low: float, high: float, says: str) -> None:
    assert {row[-1] for row in probe_tables(result(low, high))[-1].rows} == {says}


def test_parts_that_were_left_out_have_no_table() -> None:
    found = result()
    kept = [p for p in found.points if p.measure in ("right", "top_wrong", "wrong_alike", "forms")]
    assert titles(probe_tables(found._replace(points=kept))) == ["Answers"]


@pytest.mark.parametrize(
    ("names", "words"),
    [
        (["http://h/v1#m"], "needs a model in this process"),
        (["scimini", "http://h/v1"], "m2: an endpoint is"),
        (["scimini", "http://#m"], "m2: an endpoint is"),
        (["scimini", "nowhere"], "no such directory"),
    ],
)
def test_models_are_refused_in_a_line_before_any_is_loaded(names: list[str], words: str) -> None:
    with pytest.raises((ConfigError, ModelError), match=words) as caught:
        models_of(names, load_config())
    assert "\n" not in str(caught.value)


def test_an_address_is_shown_without_its_password() -> None:
    pytest.importorskip("openai")
    shown = models_of(["scimini", "https://me:secret@h/v1?key=secret#qwen"], load_config())[1].shown
    assert "secret" not in shown
    assert shown.endswith("#qwen")


def test_unknown_parts_splits_and_whole_solutions_are_refused() -> None:
    with pytest.raises(ConfigError, match=r"part.*defrence.*deference"):
        probe_models(["scimini"], load_config(), parts=["defrence"])
    with pytest.raises(ConfigError, match="valid"):
        probe_models(["scimini"], load_config(), split="vali")
    with pytest.raises(ConfigError, match=r"feedback\.style"):
        probe_models(["scimini"], load_config(settings=["feedback.style=step"]))
