"""What an unfinished run shows: a page of the moment, one that grows, and one line with what is there. No verdicts."""

from __future__ import annotations

import re
import shutil
import time
from pathlib import Path

import pytest

from coopt.core import store
from coopt.driver.status import run_status
from coopt.reports.html import live, page, watch
from coopt.reports.html.live_charts import score_charts
from coopt.reports.html.watch import LivePage
from coopt.reports.so_far import how_far, so_far_table
from coopt.reports.templates import hash_of
from coopt.runs.measures.summary import summarise
from coopt.runs.measures.training import _MOST_POINTS, EVERYONE, training_points
from coopt.runs.measures.trajectories import MEAN, Point, trajectories
from coopt.runs.run import Run
from tests.unit.conftest import Command
from tests.unit.small_runs import write_run

VERDICTS = ("improves", "worse", "no difference shown", "better", "Pareto", "equivalent")


@pytest.fixture
def run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Run:
    """Two seeds of sdpo and opcod; seed 1 has not begun opcod. Steps as a trainer writes them."""
    monkeypatch.setattr(live, "chart_library", lambda: "var vegaEmbed;")
    made = write_run(tmp_path / "run", methods=("sdpo", "opcod"), seeds=2)
    (made.directory / "results.json").unlink()
    for place in made.phases():
        path = made.phase_files(*place).steps
        (one,) = store.read_lines(path)
        steps = [
            one | {"step": 25 * (place.round - 1) + k, "loss": 1.0 + place.seed, "correct": 10 * (place.seed + 1),
                   "rollouts": 40}
            for k in range(25)
        ]  # fmt: skip
        store.rewrite_lines(path, steps)
    shutil.rmtree(made.seed_dir(1) / "opcod")
    return made


def rendered(run: Run, **how: int) -> str:
    return live.render_live(run, run_status(run), time.time(), **how)


def test_points_are_of_the_seeds_that_are_there(run: Run) -> None:
    ends = [p for p in trajectories(run, unfinished=True) if (p.student, p.domain) == ("s1", MEAN)]
    assert [(p.method, p.round) for p in ends] == [(m, r) for m in ("sdpo", "opcod") for r in range(3)]
    assert not [p for p in trajectories(run) if p.method == "opcod" and p.round]


def test_training_is_the_mean_of_seeds_and_students(run: Run) -> None:
    found = {(p.method, p.student, p.step): p for p in training_points(run)}
    assert (found["sdpo", "s1", 30].reward, found["sdpo", "s1", 30].loss) == (pytest.approx(15 / 40), 1.5)
    assert (found["opcod", EVERYONE, 50].reward, found["opcod", EVERYONE, 50].loss) == (0.25, 1.0)
    assert max(step for *_, step in found) == 50


def test_a_long_line_is_thinned_and_a_torn_one_is_left_out(run: Run) -> None:
    path = run.phase_files(0, "opcod", 2, "s1").steps
    (one, *_) = store.read_lines(path)
    store.rewrite_lines(path, [one | {"step": k, "loss": float(k)} for k in range(1000)])
    with path.open("a") as file:
        file.write('{"step": 1000, "lo')
    line = [p for p in training_points(run) if (p.method, p.student) == ("opcod", "s1")]
    assert len(line) <= _MOST_POINTS
    assert line[-1].step == 1000
    assert line[-1].loss == pytest.approx(997.0, abs=3)


def test_a_method_without_rollouts_has_a_loss_and_no_reward(run: Run) -> None:
    path = run.phase_files(0, "opcod", 1, "s1").steps
    store.rewrite_lines(path, [line | {"rollouts": 0, "correct": 0} for line in store.read_lines(path)])
    point = next(p for p in training_points(run) if (p.method, p.student, p.step) == ("opcod", "s1", 1))
    assert (point.reward, point.loss) == (None, 1.0)


def test_the_page_says_that_it_is_unfinished_and_gives_no_verdict(run: Run) -> None:
    text = rendered(run)
    assert "Not finished (stopped): 42 of 58 tasks (72 %) are done." in text
    assert "verdicts come at the end" in text
    shown = re.sub(r"<(style|script).*?</\1>", "", text, flags=re.DOTALL)
    assert not [word for word in VERDICTS if word in shown]
    assert shown.count('data-section="scores"') == 2
    assert shown.count('data-section="training"') == 2


def test_the_page_loads_nothing_and_runs_its_own_scripts_only(run: Run) -> None:
    text = rendered(run, reload=10)
    assert not re.findall(r'(?:src|href)="(?!#)', text)
    scripts = re.findall(r"<script>(.*?)</script>", text, re.DOTALL)
    policy = re.search(r'Content-Security-Policy" content="([^"]+)"', text)[1]  # type: ignore[index]
    assert len(scripts) == 2
    assert all(hash_of(s) in policy for s in scripts)


def test_only_a_page_that_will_change_loads_itself_again(run: Run) -> None:
    assert '<meta http-equiv="refresh" content="10">' in rendered(run, reload=10)
    assert 'data-reload="10"' in rendered(run, reload=10)
    assert "refresh" not in rendered(run)
    assert 'data-reload=""' in rendered(run)


def test_before_anything_is_done_there_is_a_page(run: Run) -> None:
    shutil.rmtree(run.directory / "seeds")
    text = rendered(run)
    assert "No student has been scored yet." in text
    assert "Nothing has been trained yet." in text


def test_of_many_students_there_is_one_chart_with_their_range() -> None:
    points = [Point("sdpo", f"s{k}", MEAN, 0, 0, k / 20, 0.0, 1.0) for k in range(16)]
    (chart,) = score_charts(points, ["sdpo"], [f"s{k}" for k in range(16)]).values()
    (row,) = next(iter(chart.to_dict()["datasets"].values()))
    assert (row["score"], row["low"], row["high"]) == (37.5, 0.0, 75.0)
    assert len(score_charts(points, ["sdpo"], ["s0"])) == 16


def test_the_table_counts_the_students_that_are_scored() -> None:
    points = [Point("sdpo", s, MEAN, r, 5 * r, 0.5, 0.4, 0.6) for s, r in (("s1", 0), ("s2", 0), ("s1", 1))]
    table = so_far_table(points, 2)
    assert table.columns == ["method", "start", "round 1"]
    assert table.rows == [["sdpo", "50.0", "50.0 (1)"]]
    assert "verdicts come at the end" in table.notes[0]


# -- beside a bench ----------------------------------------------------------------------------------


@pytest.fixture
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(watch, "_EVERY", 0.01)


def until(condition: object) -> None:
    end = time.monotonic() + 200
    while not condition():  # type: ignore[operator]
        assert time.monotonic() < end
        time.sleep(0.01)


def test_it_grows_stops_loading_itself_and_ends_as_the_report(
    run: Run, quick: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(page, "chart_library", lambda: "var vegaEmbed;")
    said: list[str] = []
    path = run.directory / "report.html"

    def bench() -> None:
        with LivePage(run.directory, path, 1e6, said.append):
            until(path.is_file)
            assert 'data-reload="10"' in path.read_text()
            before = path.stat().st_mtime_ns  # the texts may be equal, but for a clock that shows minutes
            run.journal().note("resumed")
            until(lambda: path.stat().st_mtime_ns != before)
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        bench()
    assert 'data-reload=""' in path.read_text()
    with LivePage(run.directory, path, 1e6, said.append) as beside:
        pass
    finished = write_run(run.directory.parent / "finished")
    beside.finish(finished, summarise(finished))
    assert "Not finished" not in path.read_text()
    assert "Before and after" in path.read_text()
    assert said == []


def test_whatever_goes_wrong_the_bench_goes_on_and_is_told_once(
    run: Run, quick: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    tries: list[float] = []

    def fails(*_: object, **__: object) -> None:
        tries.append(time.monotonic())
        raise MemoryError

    monkeypatch.setattr(live, "write_live", fails)
    said: list[str] = []
    with LivePage(run.directory, run.directory / "report.html", 1e6, said.append) as beside:
        until(lambda: len(tries) > 2)
    monkeypatch.setattr(page, "write_page", fails)
    beside.finish(run, None)  # type: ignore[arg-type]
    assert said == [f"live page {run.directory / 'report.html'}: MemoryError. The bench goes on."]


@pytest.mark.parametrize("planned", [0.0, 60.0, 3600.0])
@pytest.mark.parametrize("cost", [0.01, 0.4, 3.0])
def test_it_costs_less_than_a_hundredth_of_the_run(
    tmp_path: Path, planned: float, cost: float, monkeypatch: pytest.MonkeyPatch
) -> None:
    """On a clock of our own: it waits as long as it says, then spends ``cost``."""
    now = 0.0
    monkeypatch.setattr(time, "monotonic", lambda: now)
    beside = LivePage(tmp_path, tmp_path / "x.html", planned, print)
    looks = 0
    while True:
        pause = max(watch._EVERY, beside._pause())
        if now + pause > max(planned, 3600.0):
            break
        now += pause
        if beside.may_spend(cost):
            now, looks = now + cost, looks + 1
            beside.spent += cost
    assert beside.spent <= 0.01 * now
    assert looks > 0


def test_curves_wait_until_a_short_run_can_afford_them(run: Run, quick: None) -> None:
    path = run.directory / "report.html"
    with LivePage(run.directory, path, 30.0, print):
        until(path.is_file)
    assert "Curves will appear" in path.read_text()
    assert "vegaEmbed;" not in path.read_text()


def test_curves_that_are_there_are_not_taken_away(run: Run, quick: None, monkeypatch: pytest.MonkeyPatch) -> None:
    path, rich = run.directory / "report.html", [True]
    monkeypatch.setattr(LivePage, "may_spend", lambda self, seconds: rich[0])
    looks: list[bool] = []
    look = LivePage._look

    def counted(self: LivePage) -> None:
        look(self)
        looks.append(rich[0])

    monkeypatch.setattr(LivePage, "_look", counted)
    with LivePage(run.directory, path, 1e6, print):
        until(path.is_file)
        rich[0] = False
        run.journal().note("resumed")
        until(lambda: looks.count(False) > 3)
        assert "Curves will appear" not in path.read_text()
        assert 'data-section="scores"' in path.read_text()


# -- commands ----------------------------------------------------------------------------------------


def test_a_report_of_an_unfinished_run_is_one_line_and_what_is_there(cli: Command, run: Run) -> None:
    done = cli("report", "run")
    assert done.code == 0
    assert done.out.startswith("run: Not finished (stopped): 42 of 58 tasks (72 %) are done.\n")
    assert "Validation scores so far, percent" in done.out
    assert "coopt status run" in done.out
    assert not [word for word in VERDICTS if word in done.out]
    assert done.err == ""


@pytest.mark.parametrize("more", [("--format", "csv"), ("--all",), ("--section", "scores"), ("--html",)])
def test_what_needs_results_refuses_in_one_line(cli: Command, run: Run, more: tuple[str, ...]) -> None:
    done = cli("report", "run", *more)
    assert done.code == 2
    assert done.out == ""
    assert done.err.count("\n") == 1
    assert "has not finished" in done.err


def test_status_writes_one_page(cli: Command, run: Run) -> None:
    done = cli("status", "run", "--html")
    assert (done.code, done.out) == (0, "run/status.html: stopped, 72 % of the tasks\n")
    assert "Not finished" in (run.directory / "status.html").read_text()
    assert cli("status", "run", "--html", "--out", "now.html").out.startswith("now.html: ")


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (("status", "run", "--html", "--watch"), "not both"),
        (("status", "run", "--out", "x.html"), "--out is for --html"),
        (("status", ".", "--html"), "shows one run"),
        (("status", "nothing", "--html"), "no run here"),
        (("bench", "--live", "--dry-run"), "--live or --dry-run"),
    ],
)
def test_bad_calls_are_one_line(cli: Command, run: Run, arguments: tuple[str, ...], says: str) -> None:
    done = cli(*arguments)
    assert (done.code, done.err.count("\n")) == (2, 1)
    assert says in done.err


def test_how_far_names_the_time_left_only_while_it_runs(run: Run) -> None:
    assert "left" not in how_far(run_status(run), time.time())
