"""Report pages and figures: the numbers behind them, and hostile texts that stay texts."""

from __future__ import annotations

import json
import re
import unicodedata
from html.parser import HTMLParser
from pathlib import Path

import numpy as np
import pytest
import vl_convert
from jinja2.utils import htmlsafe_json_dumps

from coopt.core import store
from coopt.core.errors import ConfigError, RunError
from coopt.core.names import LONGEST
from coopt.core.text import visible
from coopt.graph.files import load_topology, topology_names
from coopt.reports.charts import Chart, label, spec
from coopt.reports.graphs.places import WIDTH, GraphPicture
from coopt.reports.html import page
from coopt.reports.html.feedback_charts import break_matrices, cost_chart, difficulty_charts, outcome_charts
from coopt.reports.html.graph import arrow, drawn_graph, gate_rows, graph_chart
from coopt.reports.html.head import cards, origin
from coopt.reports.html.score_charts import pareto_charts, trajectory_charts
from coopt.reports.html.transcripts import PROBE, choose
from coopt.reports.opened import Opened, open_runs
from coopt.reports.paper_figures import FIGURES, check_request, write_figure
from coopt.reports.templates import hash_of
from coopt.reports.verdicts import in_a_sentence
from coopt.runs.measures.cost import read_steps
from coopt.runs.measures.outcomes import OutcomeShare, outcomes_by_round
from coopt.runs.measures.plane import OTHERS, axes, place
from coopt.runs.measures.probes import ALL_EDGES
from coopt.runs.measures.summary import summarise
from coopt.runs.measures.trajectories import MEAN, Point, trajectories
from coopt.runs.results import Results
from tests.unit.conftest import Command
from tests.unit.many_students import many_students
from tests.unit.reported_runs import HOSTILE, write_run
from tests.unit.small_runs import write_run as small_run


@pytest.fixture
def opened(tmp_path: Path) -> Opened:
    return write_run(tmp_path / "run")


def test_a_trajectory_is_the_mean_of_seeds_and_its_band_holds_it(opened: Opened) -> None:
    points = trajectories(opened.run)
    own = [p for p in points if (p.method, p.student, p.domain) == ("opcod", "s1", MEAN)]
    assert [(p.round, p.step) for p in own] == [(0, 0), (1, 5), (2, 10)]
    assert [p.score for p in own] == pytest.approx([3 / 8, 4 / 8, 4 / 8])
    assert all(p.low <= p.score <= p.high for p in points)
    assert any(p.low < p.score < p.high for p in points)
    opened.run.scores_path(0, "opcod", "validation", 2, "s1").unlink()
    left = [p for p in trajectories(opened.run) if (p.method, p.student, p.domain) == ("opcod", "s1", MEAN)]
    assert [p.round for p in left] == [0, 1]


def test_outcomes_of_a_round_are_shares_of_its_messages(opened: Opened) -> None:
    shares = outcomes_by_round(read_steps(opened.run))
    kept = {(s.round, s.edge): s.share for s in shares if s.outcome == "kept"}
    assert kept == {
        (1, ALL_EDGES): 0.75, (1, "s2 -> s1"): 0.75, (2, ALL_EDGES): 1.0, (2, "s1 -> s2"): 1.0, (2, "s2 -> s1"): 1.0,
    }  # fmt: skip
    assert sum(s.share for s in shares if (s.round, s.edge) == (1, ALL_EDGES)) == pytest.approx(1)


def test_a_plane_has_two_domains_or_the_native_one_and_the_others(opened: Opened) -> None:
    assert axes(opened.results, "s2") == ("physics", "chemistry")
    assert place(opened.results, "opcod", "s2") == pytest.approx((0.6, 0.7))
    more = opened.results.model_copy(
        update={
            "domains": ["physics", "chemistry", "biology"],
            "scores": [*opened.results.scores, opened.results.scores[0].model_copy(update={"domain": "biology"})],
        }
    )
    assert axes(more, "s2") == ("chemistry", OTHERS)
    assert place(more, "init", "s1") == pytest.approx((0.5, (0.4 + 0.5) / 2))


def test_opposite_arrows_lie_side_by_side_and_end_at_the_nodes_edge() -> None:
    picture = GraphPicture(load_topology("ring", ["physics", "chemistry"], 6))
    there, back = arrow(picture, "s1", "s2"), arrow(picture, "s2", "s1")
    ends = [
        np.hypot(a["x2"] - picture.place[n][0], a["y2"] - picture.place[n][1]) for a, n in ((there, "s2"), (back, "s1"))
    ]
    assert all(picture.radius < e < picture.radius + 12 for e in ends)
    assert np.hypot(there["x"] - back["x2"], there["y"] - back["y2"]) > 8
    assert (there["angle"] - back["angle"]) % 360 == pytest.approx(180)


def test_a_gate_by_domain_says_where_it_is_open(opened: Opened) -> None:
    cell = opened.results.gates[0]
    cells = [cell.model_copy(update={"domains": d}) for d in ([], ["physics"], ["physics", "chemistry"])]
    rows = gate_rows(cells, opened.run.topology, opened.results.domains)
    assert [r["state"] for r in rows] == ["open", "open: physics", "open"]
    assert gate_rows([cell.model_copy(update={"open": False})], opened.run.topology, [])[0]["state"] == "closed"


def test_critics_that_a_method_adds_are_drawn(opened: Opened) -> None:
    cast = load_topology("fair_committee", ["physics", "chemistry"])
    opened.run.cast = cast
    plain = opened.results.gates[0]
    cells = [plain.model_copy(update={"edge": f"{a} -> {cast.students[0]}"}) for a in (*cast.critics, "oracle")]
    drawn = drawn_graph(opened.run, cells)
    rows = gate_rows(cells, drawn, opened.results.domains)
    assert ["x" in r for r in rows] == [True] * len(cast.critics) + [False]
    assert graph_chart(drawn) is not None


@pytest.mark.parametrize("name", topology_names())
def test_every_shipped_graph_is_drawn_inside_the_picture(name: str) -> None:
    topology = load_topology(name, ["physics", "chemistry"])
    picture = GraphPicture(topology)
    for edge in topology.edges:
        drawn = arrow(picture, *edge)
        assert all(0 <= drawn[k] <= WIDTH for k in ("x", "x2"))
        assert all(0 <= drawn[k] <= picture.height for k in ("y", "y2"))


def test_a_graph_too_large_to_draw_keeps_its_rows(opened: Opened) -> None:
    large = load_topology("ring", ["physics", "chemistry"], 61)
    assert graph_chart(large) is None
    assert "x" not in gate_rows(opened.results.gates, large, opened.results.domains)[0]


def test_transcripts_have_the_question_and_what_feedback_did(opened: Opened) -> None:
    chosen = choose(opened.run)
    assert chosen.total == {"broken": 1, "still wrong": 2, "": 24}
    assert chosen.shown == chosen.total
    assert [t["change"] for t in chosen.transcripts[:4]] == ["broken", "still wrong", "still wrong", ""]
    assert sorted(t["change_sf"] for t in chosen.transcripts[:3]) == ["", "fixed", "still wrong"]
    first = chosen.transcripts[0]
    assert (first["source"], first["edge"], first["own"], first["kept"]) == (PROBE, "s2 -> s1", "first 0", "say")
    assert first["right"]
    assert not first["f"]["right"]
    assert first["question"] == opened.run.domains["chemistry"].items("validation")[0].prompt
    said = chosen.transcripts[-1]
    assert said["source"] == "opcod"
    assert "f" not in said


def test_a_page_with_little_room_keeps_what_broke_an_answer(opened: Opened) -> None:
    size = len(json.dumps(choose(opened.run).transcripts[0]))
    chosen = choose(opened.run, most_bytes=3 * size)
    assert chosen.transcripts[0]["change"] == "broken"
    assert len(chosen.transcripts) < 5
    assert sum(chosen.total.values()) == 27
    assert choose(opened.run, most_bytes=3 * size) == chosen


def test_what_escaping_adds_counts_as_room(opened: Opened) -> None:
    path = opened.run.phase_dir(0, "opcod", 1, "s1").with_name("s1.rollouts.jsonl")
    (record,) = store.read_lines(path)
    rollouts = [{**record["rollouts"][0], "text": f"{k}{'<' * 1000}"} for k in range(50)]
    store.rewrite_lines(path, [record | {"rollouts": rollouts}])
    chosen = choose(opened.run, most_bytes=60_000)
    assert len(str(htmlsafe_json_dumps(chosen.transcripts))) < 61_000


def test_equal_messages_of_a_prompt_are_one_transcript(opened: Opened) -> None:
    path = opened.run.phase_dir(0, "opcod", 1, "s1").with_name("s1.rollouts.jsonl")
    (record,) = store.read_lines(path)
    store.rewrite_lines(path, [record | {"rollouts": [record["rollouts"][0]] * 5}])
    chosen = choose(opened.run)
    assert chosen.shown[""] == 5 + 16
    assert [t["times"] for t in chosen.transcripts if t["round"] == 1] == [5]


def test_without_its_rows_a_run_still_has_a_page(opened: Opened) -> None:
    data = opened.run.config.data.model_copy(update={"source": "no/such/rows"})
    opened.run.config = opened.run.config.model_copy(update={"data": data})
    chosen = choose(opened.run)
    assert "no/such/rows" in chosen.unread
    assert {t["question"] for t in chosen.transcripts} == {""}


class _Seen(HTMLParser):
    """What a browser would make of the page."""

    def __init__(self) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))


def test_hostile_text_is_neither_tag_nor_attribute(opened: Opened, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(page, "chart_library", lambda: "var vegaEmbed;")
    text = page.render_page(opened.run, opened.results, choose(opened.run))
    seen = _Seen()
    seen.feed(text)
    names = [tag for tag, _ in seen.tags]
    assert names.count("script") == 3  # the data, the library, the page's own
    assert not {"img", "svg", "iframe", "link"} & set(names)
    for _, attributes in seen.tags:
        assert not [k for k in attributes if k.startswith("on")]
        assert not (attributes.get("href") or "#").startswith("javascript")
    data = json.loads(re.search(r'id="data">(.*?)</script>', text, re.DOTALL)[1])  # type: ignore[index]
    raws = {t["raw"] for t in data["transcripts"]}
    assert set(map(visible, HOSTILE)) <= raws
    assert "<" not in re.search(r'id="data">(.*?)</script>', text, re.DOTALL)[1]  # type: ignore[index]


def test_the_policy_names_the_scripts_that_may_run(opened: Opened, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(page, "chart_library", lambda: "var vegaEmbed;")
    text = page.render_page(opened.run, opened.results, choose(opened.run))
    policy = re.search(r'Content-Security-Policy" content="([^"]+)"', text)[1]  # type: ignore[index]
    scripts = re.findall(r"<script>(.*?)</script>", text, re.DOTALL)
    assert len(scripts) == 2
    assert all(hash_of(s) in policy for s in scripts)
    assert policy.startswith("default-src 'none'")
    assert "unsafe-eval" not in policy


def test_results_alone_make_a_page(opened: Opened, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(page, "chart_library", lambda: "var vegaEmbed;")
    monkeypatch.setattr(opened.run, "seed_dir", lambda seed: Path("/no/such/folder"))
    text = page.render_page(opened.run, opened.results, choose(opened.run))
    assert "no score files" in text
    assert "no transcripts" in text


@pytest.mark.parametrize("suffix", ["pdf", "png"])
def test_a_figure_is_the_same_bytes_in_every_format(opened: Opened, tmp_path: Path, suffix: str) -> None:
    paths = [tmp_path / f"{k}.{suffix}" for k in range(2)]
    for path in paths:
        write_figure("feedback", [opened], path)
    first, second = (p.read_bytes() for p in paths)
    assert first == second
    assert first.startswith({"pdf": b"%PDF", "png": b"\x89PNG"}[suffix])


@pytest.mark.parametrize("name", FIGURES)
def test_a_figure_is_the_same_bytes_again(opened: Opened, tmp_path: Path, name: str) -> None:
    paths = [tmp_path / f"{k}.svg" for k in range(2)]
    for path in paths:
        write_figure(name, [opened], path)
    first, second = (p.read_bytes() for p in paths)
    assert first == second
    words = {"break-rate": "gate open", "feedback": "no_match", "gates": "initial", "schedules": "training step",
             "step-time": "feedback on"}  # fmt: skip
    assert words[name] in first.decode()


def test_a_figure_of_several_runs_names_them(opened: Opened, tmp_path: Path) -> None:
    other = write_run(tmp_path / "other")
    write_figure("schedules", [opened, other], tmp_path / "s.svg")
    text = (tmp_path / "s.svg").read_text()
    assert "run, opcod" in text
    assert "other, sdpo" in text
    with pytest.raises(RunError, match="there are 2: run, other"):
        write_figure("gates", [opened, other], tmp_path / "g.svg")


def test_an_arm_of_a_sweep_is_read_as_one_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write_run(tmp_path / "sweep" / "arm" / "seed-0")
    monkeypatch.setattr("coopt.reports.opened.summarise", lambda run: run.seeds)
    (found,) = open_runs([tmp_path / "sweep"])
    assert (found.name, found.results) == ("arm", [0])
    assert open_runs([tmp_path / "sweep" / "arm"])[0].name == "arm"
    with pytest.raises(RunError, match="no run here"):
        open_runs([tmp_path / "nothing"])


@pytest.mark.parametrize(
    ("name", "runs", "out", "says"),
    [
        ("gate", 1, "x.svg", "Did you mean 'gates'"),
        ("gates", 1, None, "--out FILE.svg"),
        ("gates", 1, "x.jpg", "ends in .svg"),
        ("gates", 2, "x.svg", "one run, not 2"),
    ],
)
def test_bad_figures_are_refused(tmp_path: Path, name: str, runs: int, out: str | None, says: str) -> None:
    with pytest.raises(ConfigError, match=re.escape(says)):
        check_request(name, [Path("run")] * runs, tmp_path / out if out else None)


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (("run", "--html", "--figure", "gates"), "not both"),
        (("run", "run"), "one run, not 2"),
        (("run", "--out", "x"), "--out is for"),
    ],
)
def test_bad_calls_are_one_line(cli: Command, tmp_path: Path, arguments: tuple[str, ...], says: str) -> None:
    write_run(tmp_path / "run")
    done = cli("report", *arguments)
    assert done.code == 2
    assert says in done.err
    assert done.err.count("\n") == 1


def test_one_oversized_transcript_does_not_end_the_list(opened: Opened) -> None:
    path = opened.run.phase_dir(0, "opcod", 1, "s1").with_name("s1.rollouts.jsonl")
    (record,) = store.read_lines(path)
    huge = record["rollouts"][0] | {"text": "x" * 200_000}
    store.rewrite_lines(path, [record | {"rollouts": [huge, *record["rollouts"]]}])
    chosen = choose(opened.run, most_bytes=100_000)
    assert sum(chosen.total.values()) == 28
    assert sum(chosen.shown.values()) == 27


@pytest.mark.parametrize("students", [12, 13])
def test_every_student_of_many_can_be_chosen(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, students: int) -> None:
    """Up to twelve are drawn side by side; of more one is, and all their charts are in the page."""
    monkeypatch.setattr(page, "chart_library", lambda: "var vegaEmbed;")
    made = small_run(tmp_path / "run", topology="complete", nodes=students, methods=("sdpo",))
    text = page.render_page(made, summarise(made), choose(made))
    data = json.loads(re.search(r'id="data">(.*?)</script>', text, re.DOTALL)[1])  # type: ignore[index]
    together = int(students > 12)
    for section, more in (("trajectories", together), ("pareto", 0)):
        places = re.findall(rf'class="chart[^"]*" data-section="{section}" data-number="(\d+)"', text)
        assert len(places) == (1 if together else students)
        assert len(data["charts"][section]) == students + more
        select = re.search(rf'<select data-figure="{section}">(.*?)</select>', text, re.DOTALL)
        assert bool(select) is bool(together)
        names = re.findall(r'<option value="\d+">(.*?)</option>', select[1]) if select else []
        assert names[more:] == (list(made.topology.students) if together else [])
    assert len(text) < 3_000_000


def hidden_here(character: str) -> bool:
    return unicodedata.category(character) in ("Cc", "Cf", "Zl", "Zp")


@pytest.mark.parametrize("hidden", ["\u202e", "\u200b", "\x1b[2J", "\x00", "\u2028", "\u3164", "\ufeff", "\U000e0041"])
def test_nothing_in_a_page_hides_or_steers(opened: Opened, hidden: str) -> None:
    """Control, bidirectional, zero width and tag characters of any text: what was written, names, reasons."""
    path = opened.run.phase_dir(0, "opcod", 1, "s1").with_name("s1.rollouts.jsonl")
    (record,) = store.read_lines(path)
    first, *others = record["rollouts"]
    first["text"] = f"one{hidden}two"
    first["messages"][0] |= {"raw": f"three{hidden}four", "kept": f"five{hidden}six"}
    store.rewrite_lines(path, [record | {"rollouts": [first, *others]}])
    gates = [c.model_copy(update={"reason": f"seven{hidden}eight"}) for c in opened.results.gates]
    results = opened.results.model_copy(update={"gates": gates, "run": f"nine{hidden}ten"})
    text = page.render_page(opened.run, results, choose(opened.run))
    body, _, rest = text.partition('<script type="application/json" id="data">')
    data = json.dumps(json.loads(rest.partition("</script>")[0]), ensure_ascii=False)
    for part in (body, data):
        assert not [c for c in part if c not in "\n\t" and (hidden_here(c) or c == "\u3164")]
    assert "nine�" in body
    for word in ("one�", "three�", "five�", "seven�"):
        assert word in data


LABELS = (
    "__proto__", "constructor", "a.b[0]", "x'];alert(1)//", '"\\', "<img src=x>", "a" * 3000, "\u202ea\x00b", "a\nb",
    "",
)  # fmt: skip


@pytest.mark.parametrize("name", LABELS)
def test_a_hostile_label_breaks_no_chart(opened: Opened, name: str) -> None:
    points = [Point("sdpo", "s1", d, k, k, 0.5, 0.4, 0.6) for d in (name, MEAN) for k in range(2)]
    shares = [OutcomeShare(method="opcod", round=1, edge=name, outcome="kept", messages=4, share=0.5)]
    domains = many_students(2, domains=(name, "other"))
    methods = many_students(2, methods=("sdpo", name))
    charts = {
        **trajectory_charts(points, ["sdpo"]),
        **outcome_charts(shares),
        **{f"{k} {title}": c for k, r in enumerate((domains, methods)) for title, c in _charts_of(r).items()},
    }
    assert len(charts) > 8
    for title, chart in charts.items():
        drawn = vl_convert.vegalite_to_svg(spec(chart) | {"width": 300}, allowed_base_urls=[])
        assert "NaN" not in drawn, title
        assert len(drawn) < 300_000


def _charts_of(results: Results) -> dict[str, Chart]:
    cost = cost_chart(results)
    assert cost is not None
    return {**pareto_charts(results), **break_matrices(results), **difficulty_charts(results), "cost": cost}


def test_an_edge_between_the_longest_names_is_its_own_label() -> None:
    """What is chosen on the page is compared with what is in the chart."""
    edge = f"{'a' * LONGEST} -> {'b' * LONGEST}"
    assert label(edge) == edge


def test_a_label_is_the_same_wherever_it_stands_in_a_chart() -> None:
    (chart,) = outcome_charts(
        [OutcomeShare(method="opcod", round=1, edge='a"b', outcome="kept", messages=4, share=0.5)]
    ).values()
    made = spec(chart)
    rows = made["data"].get("values") or next(iter(made["datasets"].values()))
    assert rows[0]["edge"] == label('a"b') == "a'b"
    assert made["transform"][0]["filter"] == "datum.edge == edge"


def test_a_matrix_has_students_in_the_graphs_order() -> None:
    chart = break_matrices(many_students(12))["Break-rate, tutor x tutee, percent"]
    assert spec(chart)["layer"][0]["encoding"]["x"]["sort"] == [f"s{k}" for k in range(1, 13)]


def test_the_cards_say_gain_baseline_and_interval(tmp_path: Path) -> None:
    run = small_run(tmp_path / "run", seeds=3)
    results = summarise(run)
    first, second = cards(run, results)
    assert (first.method, second.method) == ("sdpo", "opcod")
    moved = [c.change for c in results.scores if c.who == "opcod" and c.change is not None]
    assert second.gain == f"{100 * np.mean(moved):+.1f}"
    low, high = (float(x) for x in second.interval.strip("[]").split(","))
    assert low < float(second.gain) < high
    versus = next(c for c in results.comparisons if c.student == "all")
    assert second.lines[0] == (
        f"against sdpo: {100 * versus.difference:+.1f} [{100 * versus.low:+.1f}, {100 * versus.high:+.1f}],"
        f" {in_a_sentence(versus.verdict, versus.low, versus.high, versus.p)}"
    )
    assert not [line for line in first.lines if line.startswith("against")]


def test_the_page_says_where_its_numbers_come_from(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(page, "chart_library", lambda: "var vegaEmbed;")
    run = small_run(tmp_path / "run")
    run.journal().note("finished")
    found = dict(origin(run))
    assert found["command"].startswith("coopt bench --out ")
    assert (found["commit"], found["seeds"]) == ("0" * 12, "0")
    assert re.fullmatch(r"\d{4}-\d\d-\d\d \d\d:\d\d", found["finished"])
    text = page.render_page(run, summarise(run), choose(run))
    assert all(words in text for words in ("coopt bench --out", "0" * 12, found["begun"]))
    assert text.index("(fewer than 30)") < text.index('class="cards"')
    sections = re.findall(r'<section id="(\w+)"', text)
    assert re.findall(r'<a class="anchor" href="#(\w+)"', text) == sections
    (run.directory / "provenance.json").write_text("{ cut")
    assert "command" not in dict(origin(run))
