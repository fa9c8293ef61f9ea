"""Leaderboard entries: what a run makes, what is believed, and what is refused, each in one line."""

from __future__ import annotations

import base64
import dataclasses
import functools
import hashlib
import json
import re
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest
from pyarrow import parquet

from coopt.core.errors import EntryError
from coopt.core.tables.fit import fitted, widths_in
from coopt.core.tables.table import render
from coopt.methods.registry import all_methods
from coopt.reports.leaderboard import floors, stated
from coopt.reports.leaderboard.add import add_run
from coopt.reports.leaderboard.answers import write_answers
from coopt.reports.leaderboard.board import board_tables, settings_of, tracks
from coopt.reports.leaderboard.check import check_entry, check_folder
from coopt.reports.leaderboard.entry import Provenance, schema
from coopt.reports.leaderboard.floors import floors_of
from coopt.reports.leaderboard.measures import measure
from coopt.reports.leaderboard.page import page
from coopt.reports.leaderboard.readme import BEGIN, END, document_tables, with_board
from coopt.runs.results import Results
from coopt.runs.run import Run
from tests.unit.conftest import Command
from tests.unit.small_runs import write_run

ROOT = Path(__file__).resolve().parents[3]


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Run:
    return write_run(tmp_path_factory.mktemp("board") / "small", seeds=2)


@pytest.fixture(scope="module")
def made(run: Run) -> Path:
    """A folder with the run's entries: sdpo and opcod."""
    add_run(run, run.directory.with_name("entries"))
    return run.directory.with_name("entries")


@pytest.fixture
def entry(made: Path, tmp_path: Path) -> Path:
    """A copy of one entry to tamper with."""
    for name in ("small-opcod.entry.json", "small-opcod.outcomes.parquet"):
        shutil.copy(made / name, tmp_path / name)
    return tmp_path / "small-opcod.entry.json"


def test_an_entry_has_the_numbers_of_the_run(run: Run, made: Path) -> None:
    results = Results.model_validate_json((run.directory / "results.json").read_text())
    measures = check_entry(made / "small-opcod.entry.json").entry.measures
    cells = {(c.who, c.student, c.domain): c for c in results.scores}
    for score in measures.scores:
        cell = cells[score.who, score.student, score.domain]
        assert (score.score, score.low, score.high, score.passed) == pytest.approx(
            (cell.score, cell.low, cell.high, cell.passed)
        )
        assert (score.change.value if score.change else None) == pytest.approx(cell.change)
    assert [(c.domain, c.answer, c.share, c.questions) for c in measures.constants] == [
        (c.domain, c.answer, pytest.approx(c.share), c.questions) for c in results.constants
    ]
    mutual = next(c for c in results.pareto if c.method == "opcod" and c.student == "mutual")
    assert measures.improvement[-1].probability == pytest.approx(mutual.probability)
    standing = next(c for c in results.standings if c.who == "opcod")
    assert measures.overall.score == pytest.approx(standing.score)
    assert measures.overall.headroom == pytest.approx(standing.headroom)
    assert len(measures.scores) == 2 + 2 * 2 * 2


def test_no_folder_of_the_machine_is_published(made: Path) -> None:
    (record,) = check_entry(made / "small-opcod.entry.json").entry.provenance
    assert record.arguments[1:5] == ["--out", "small", "--profile", "phys=p,chem=mine/c"]


def test_costs_are_sums_over_all_steps(made: Path) -> None:
    (cost,) = check_entry(made / "small-sdpo.entry.json").entry.costs
    assert cost.steps == 2 * 2 * 2  # seeds, students, rounds of one step
    assert cost.tokens.model_dump() == {"rollout": 800, "feedback": 0, "trained": 400}


def _set(*path: str | int, value: Any) -> Callable[[dict[str, Any]], None]:
    def tamper(tree: dict[str, Any]) -> None:
        node: Any = tree
        for key in path[:-1]:
            node = node[key]
        node[path[-1]] = value

    return tamper


_SCRIPT = "<script>alert(1)</script>"
TAMPERED = {
    "score": (_set("measures", "scores", 6, "score", value=0.99), r"measures.scores.6.score is 0.99, but its outcomes"),
    "interval": (_set("measures", "overall", "low", value=0.1), r"measures.overall.low is 0.1, but its outcomes give"),
    "verdict": (_set("measures", "overall", "change", "verdict", value="worse"), r"change.verdict is 'worse', but"),
    "constant": (_set("measures", "constants", 0, "share", value=0.0), r"measures.constants.0.share is 0.0, but"),
    "missing row": (lambda t: t["measures"]["scores"].pop(), r"measures.scores is \[.*, but its outcomes give"),
    "hash of the file": (_set("outcomes", "sha256", value="0" * 64), r"outcomes.sha256 is not the hash of"),
    "hash of the data": (
        lambda t: [_set("physics", "test", value="0" * 16)(d) for d in (t["data"], t["provenance"][0]["data"])],
        r"data.physics.test is 0000000000000000, but the items hash to",
    ),
    "data of another run": (_set("provenance", 0, "data", value={}), r"provenance.0.data is not the entry's data"),
    "negative cost": (_set("costs", 0, "seconds_per_step", value=-1.0), r"costs.0.seconds_per_step: .*greater than"),
    "too many steps": (
        _set("costs", 0, "steps", value=10**6),
        r"costs: 1000000 steps; by config, .* there are 8, or",
    ),
    "unknown field": (_set("award", value="best"), r"award: extra inputs are not permitted"),
    "unknown setting": (_set("config", "magic", value=1), r"config: unknown setting 'magic'"),
    "a smoke run": (_set("config", "smoke", value=True), r"from a smoke run, whose scores mean nothing"),
    "seeds that the config does not have": (_set("config", "seed", value=5), r"seeds: \[0, 1\], but .* it is \[5, 6\]"),
    "a seed left out": (_set("config", "seeds", value=3), r"seeds: \[0, 1\], but .* it is \[0, 1, 2\]"),
    "seeds that provenance does not have": (
        _set("provenance", 0, "seeds", value=[0, 1, 2]),
        r"seeds: \[0, 1\], but provenance has \[0, 1, 2\]",
    ),
    "another hash of the training questions": (
        lambda t: [_set("physics", "train", value="0" * 16)(d) for d in (t["data"], t["provenance"][0]["data"])],
        r"data.physics is not the hash of the embedded world's questions",
    ),
    "native domains swapped": (
        _set("native", value={"s1": "chemistry", "s2": "physics"}),
        r"native: .* but of the graph pair they are",
    ),
    "a student renamed": (
        lambda t: t.update(students=["s1", "mutual"], native={"s1": "physics", "mutual": "chemistry"}),
        r"students: \['s1', 'mutual'\], but of the graph pair they are \['s1', 's2'\]",
    ),
    "a student missing": (
        lambda t: t.update(students=["s1"], native={"s1": "physics"}),
        r"students: \['s1'\], but of the graph pair",
    ),
    "a graph that is called as a shipped one": (
        _set("config", "topology", value="mine/pair.toml"),
        r"a graph of your own may not have the name of a shipped one \(pair\)",
    ),
    "tables of a shipped graph": (_set("graph", value={"nodes": []}), r"graph: pair is a shipped one"),
    "a base that is called as a shipped one": (
        _set("config", "model", "path", value="/mine/scimini"),
        r"a folder of your own may not have the name of a shipped base \(scimini\)",
    ),
    "more samples than a machine takes": (
        lambda t: (t.update(samples=10**9), t["config"]["sampling"].update(eval_samples=10**9)),
        r"samples: 1,000,000,000; an entry may have 1,024",
    ),
    "more questions than a machine takes": (
        _set("measures", "constants", 0, "questions", value=10**12),
        r"answers; an entry may have 33,554,432",
    ),
    "later schema": (_set("version", value=4), r"schema version 4 is of a later coopt"),
    "earlier schema": (_set("version", value=1), r"schema version 1 is of an earlier coopt .*leaderboard renew"),
    "not a number": (_set("costs", 0, "seconds_per_step", value=float("nan")), r"NaN is not a JSON number"),
    "markup in a name": (_set("students", 0, value=_SCRIPT), r"students.0: string should match pattern"),
    "control character": (_set("topology", value="a\x1b[31m"), r"topology: string should match pattern"),
    "a path": (_set("outcomes", "file", value="../x.parquet"), r"outcomes.file: string should match pattern"),
    "another name": (_set("name", value="other"), r"its name must be other.entry.json"),
    "another world": (_set("world", value="sciknoweval"), r"world: 'sciknoweval', but by the rest"),
    "simulated": (_set("kind", value="simulated"), r"kind: input should be 'measured'"),
    "more samples": (_set("samples", value=8), r"samples: 8, but by the rest of the entry it is 4"),
    "a seed more": (
        lambda t: (t.update(seeds=[0, 1, 2]), t["config"].update(seeds=3)),
        r"400 rows; the entry's .* make 600",
    ),
    "another method": (_set("method", value="oracle"), r"name: 'small-opcod', but by the rest .* 'small-oracle'"),
    "no native domain": (_set("native", value={"s1": "physics"}), r"native: \['s1'\], but"),
    "a native domain that is none": (
        _set("native", "s2", value="biology"),
        r"native: \['biology', 'physics'\]; domains",
    ),
    "a command that is no list": (_set("provenance", 0, "arguments", value=5), r"arguments: .*valid array"),
    "true for a number": (_set("costs", 0, "steps", value=True), r"costs.0.steps: .*valid integer"),
    "another graph": (_set("topology", value="ring"), r"topology: 'ring', but by the rest of the entry it is 'pair'"),
    "a method that was not run": (_set("config", "methods", value=["sdpo"]), r"method opcod is not among config"),
    "control characters in a key": (_set("native", "\x1b[2J", value="physics"), r"native.�\[2J"),
    "another base": (_set("model", value="gpt"), r"model: 'gpt', but by the rest of the entry it is 'scimini'"),
    "control characters in a setting": (_set("config", "x\n\x1b[2J", value=1), r"config: unknown setting 'x �\[2J'"),
    "a number without end": (_set("seeds", 1, value=10**30), r"seeds: \[0, 10{30}\], but by the rest"),
    "more nodes than students": (_set("config", "nodes", value=10**9), r"config.nodes is 1000000000, but it has 2"),
    "a simulation": (_set("provenance", 0, "simulated", value=True), r"from a simulation, which has no answers"),
    "a hostile tutor left out": (
        lambda t: t["provenance"][0].update(arguments=["bench", "--adversary", "s2:misleading"]),
        r"config.adversary.* but the command in provenance.0 says",
    ),
    "ready specialists left out": (
        lambda t: t["provenance"][0].update(arguments=["bench", "--students", "phys=/mine/strong"]),
        r"config.model.students.* but the command in provenance.0 says",
    ),
    "a rate behind an unknown setting": (
        lambda t: t["provenance"][0].update(arguments=["bench", "--set", "no.such=1", "--set", "optimizer.lr=0.5"]),
        r"config.optimizer.lr is .*, but the command in provenance.0 says 0.5",
    ),
    "native elsewhere": (_set("native", "s2", value="physics"), r"native: .* but of the graph pair they are"),
}


@pytest.mark.parametrize("what", TAMPERED)
def test_a_tampered_entry_is_refused_in_one_line(entry: Path, what: str) -> None:
    tamper, message = TAMPERED[what]
    tree = json.loads(entry.read_text())
    tamper(tree)
    entry.write_text(json.dumps(tree))
    with pytest.raises(EntryError, match=message) as refused:
        check_entry(entry)
    line = str(refused.value)
    assert line.startswith(str(entry.parent))
    assert "\n" not in line
    assert "\x1b" not in line


def _forged(entry: Path, change: Callable[[dict[str, Any]], None], **answers: Any) -> Path:
    """The entry with other words and answers, and everything that follows from them."""
    forged = dataclasses.replace(check_entry(entry).answers, **answers)
    tree = json.loads(entry.read_text())
    change(tree)
    tree["name"] = f"{tree['run']}-{forged.method}"
    tree["outcomes"]["file"] = f"{tree['name']}.outcomes.parquet"
    tree["measures"] = measure(forged, tree["native"]).model_dump(mode="json")
    write_answers(entry.parent / tree["outcomes"]["file"], forged)
    path = entry.with_name(f"{tree['name']}.entry.json")
    path.write_text(json.dumps(tree))
    _rehash(path)
    return path


def test_a_seed_cannot_be_another_one_again(entry: Path) -> None:
    grids = check_entry(entry).answers.correct
    copied = {place: grid[[0, 0]] for place, grid in grids.items()}
    with pytest.raises(EntryError, match="seeds: 1 has the same answers as 0, one by one"):
        check_entry(_forged(entry, lambda tree: None, correct=copied))


def test_answers_are_the_same_under_another_number(entry: Path) -> None:
    def renumbered(tree: dict[str, Any]) -> None:
        tree.update(run="zother", seeds=[5, 6])
        tree["config"]["seed"] = 5
        tree["provenance"][0].update(seeds=[5, 6], arguments=[])

    path = _forged(entry, renumbered, seeds=[5, 6])
    assert check_entry(path).entry.seeds == [5, 6], "alone nobody can tell"
    assert [line for line in check_folder(entry.parent).bad if "has the same answers" in line]


def test_a_method_named_like_a_row_of_the_table_or_another_method(entry: Path) -> None:
    for name in ("constant answer", "OPCoD", "opcod."):

        def renamed(tree: dict[str, Any], name: str = name) -> None:
            tree.update(method=name)
            tree["config"]["methods"] = [name]
            tree["provenance"][0]["arguments"] = []

        grids = {
            p._replace(who=name if p.who == "opcod" else p.who): g
            for p, g in check_entry(entry).answers.correct.items()
        }
        with pytest.raises(EntryError, match=f"method {name} reads like"):
            check_entry(_forged(entry, renamed, method=name, correct=grids))


def test_the_shipped_bases_answers_cannot_be_invented(entry: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    checked = check_entry(entry)
    known = {checked.entry.data[d]["test"]: checked.answers.score("base", "base", d).value for d in ("physics",)}
    monkeypatch.setattr(stated, "base_scores", lambda: {key: value + 0.04 for key, value in known.items()})
    check_entry(entry)
    monkeypatch.setattr(stated, "base_scores", lambda: {key: value + 0.06 for key, value in known.items()})
    with pytest.raises(EntryError, match=r"base scores \S+ in physics; the shipped one has"):
        check_entry(entry)


def test_worked_solutions_of_the_submitters_machine_are_not_looked_for(entry: Path) -> None:
    check_entry(_forged(entry, lambda tree: tree["config"]["data"].update(solutions="/theirs/solutions.jsonl")))


def test_ready_specialists_have_a_table_of_their_own(entry: Path) -> None:
    def ready(tree: dict[str, Any]) -> None:
        tree.update(run="ready")
        tree["config"]["model"]["students"] = {"physics": "/theirs/strong"}

    titles = [t.title for t in tracks([check_entry(entry), check_entry(_forged(entry, ready))])]
    assert sorted("ready specialists" in title for title in titles) == [False, True]


def test_a_method_that_reads_solutions_cannot_deny_it(entry: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert not check_entry(entry).entry.informed
    monkeypatch.setattr(all_methods()["opcod"], "informed", True)
    with pytest.raises(EntryError, match="informed: False, but by the rest of the entry it is True"):
        check_entry(entry)


def _rehash(entry: Path) -> None:
    tree = json.loads(entry.read_text())
    tree["outcomes"]["sha256"] = hashlib.sha256((entry.parent / tree["outcomes"]["file"]).read_bytes()).hexdigest()
    entry.write_text(json.dumps(tree))


def _flip(table: pa.Table) -> pa.Table:
    """One answer of the method becomes another."""
    rows = table["correct"].to_pylist()
    rows[-1][0] = not rows[-1][0]
    return table.set_column(7, "correct", pa.array(rows, pa.list_(pa.bool_())))


def _swap(table: pa.Table) -> pa.Table:
    """Two questions change places in one block."""
    order = [*range(len(table) - 2), len(table) - 1, len(table) - 2]
    return table.take(order)


FORGED = {
    "a flipped answer": (_flip, r"measures.scores.9.score is .*, but its outcomes give"),
    "a question out of order": (_swap, r"rows 380 to 400: not the questions of the domain, each once"),
    "a row less": (lambda t: t.slice(1), r"399 rows; the entry's seeds, students and questions make 400"),
    "another column": (lambda t: t.append_column("x", t["item"]), r"its columns are not seed, who, student"),
    "an empty cell": (lambda t: t.set_column(4, "item", pa.nulls(len(t), pa.string())), r"has empty cells"),
    "three answers": (
        lambda t: t.set_column(7, "correct", pa.array([r[:3] for r in t["correct"].to_pylist()], pa.list_(pa.bool_()))),
        r"'correct' does not hold 4 booleans a row",
    ),
}


@pytest.mark.parametrize("what", FORGED)
def test_forged_outcomes_are_refused(entry: Path, what: str) -> None:
    forge, message = FORGED[what]
    path = entry.with_name("small-opcod.outcomes.parquet")
    parquet.write_table(forge(parquet.read_table(path)), path)
    _rehash(entry)
    with pytest.raises(EntryError, match=message):
        check_entry(entry)


@pytest.mark.parametrize(
    ("text", "times", "message"),
    [("{", 1, "not JSON"), ("[]", 1, "not a JSON object"), ("[", 10**5, "deeper than 100")],
)
def test_what_is_no_entry_is_refused(entry: Path, text: str, times: int, message: str) -> None:
    entry.write_text(text * times)
    with pytest.raises(EntryError, match=message):
        check_entry(entry)


def test_what_is_no_parquet_is_refused(entry: Path) -> None:
    entry.with_name("small-opcod.outcomes.parquet").write_bytes(b"PAR1 no")
    _rehash(entry)
    with pytest.raises(EntryError, match="not a readable Parquet file"):
        check_entry(entry)
    entry.with_name("small-opcod.outcomes.parquet").unlink()
    with pytest.raises(EntryError, match="are not next to it"):
        check_entry(entry)


def test_the_committed_schema_is_the_models() -> None:
    assert (ROOT / "benchmarks/entry.schema.json").read_text() == schema()


def test_tables_rank_keep_apart_and_show_base_and_constant(made: Path, tmp_path: Path) -> None:
    add_run(write_run(tmp_path / "again", seeds=2, seed=7), tmp_path / "more")
    add_run(write_run(tmp_path / "wide", domains="phys,chem,mat,bio", topology="ring"), tmp_path / "more")
    shutil.copytree(made, tmp_path / "more/deep")
    tables = board_tables(tracks(check_folder(tmp_path / "more").good))
    assert [t.title.split(": test questions ") for t in tables] == [
        ["embedded world scimini", "physics 20, chemistry 20; avg@4"],
        ["References without a rank: embedded world scimini", "physics 20, chemistry 20; avg@4"],
        ["embedded world scimini", "physics 20, chemistry 20, materials 20, biology 20; avg@4"],
        [
            "References without a rank: embedded world scimini",
            "physics 20, chemistry 20, materials 20, biology 20; avg@4",
        ],
    ]
    rows = [dict(zip(tables[0].columns, r, strict=True)) for r in tables[0].rows]
    assert [r["rank"] for r in rows] == ["1", "2", "3", "4"]
    assert [r["place, 95 %"] for r in rows] == ["1-3", "1-3", "2-4", "2-4"], "two seeds tell nothing of others"
    assert [r["method"] for r in rows] == ["opcod", "opcod", "sdpo", "sdpo"]
    assert {r["seeds"] for r in rows} == {"0-1", "7-8"}
    assert [r[0] for r in tables[1].rows] == ["constant answer"], "the base's score on these questions is not known"
    assert any("one seed alone cannot tell" in n for n in tables[0].notes)


def test_what_reads_worked_solutions_is_a_reference_and_closes_nobodys_place(run: Run, tmp_path: Path) -> None:
    """In every format, and whatever it gained."""
    skill = {"oracle": 0.99, "always": 0.8}
    add_run(
        write_run(tmp_path / "small", skill, seeds=3, methods=("sdpo", "opcod", "always", "oracle")), tmp_path / "all"
    )
    found = tracks(check_folder(tmp_path / "all").good)
    ranked, references = board_tables(found)
    assert [r[0] for r in ranked.rows] == ["1", "2", "3"]
    assert "oracle" not in {r[1] for r in ranked.rows}
    assert [r[0] for r in references.rows] == ["oracle", "constant answer"]
    (tmp_path / "all/small-oracle.entry.json").unlink()
    assert board_tables(tracks(check_folder(tmp_path / "all").good))[0].rows == ranked.rows
    text = page(found, tmp_path)
    assert (
        text.index("<h3>Ranked</h3>")
        < text.index("<h3>References without a rank</h3>")
        < text.index("entry-small-oracle")
    )
    for style in ("md", "csv", "json"):
        lines = render(board_tables(found), style).splitlines()
        last = max(k for k, line in enumerate(lines) if "always" in line)
        assert min(k for k, line in enumerate(lines) if "oracle" in line) > last


def test_floors_are_never_an_entrys(made: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    (one,) = (c for c in check_folder(made).good if c.entry.method == "opcod")
    overall = one.entry.measures.overall.model_copy(update={"base": 0.999})
    forged = one.entry.model_copy(update={"measures": one.entry.measures.model_copy(update={"overall": overall})})
    assert "base" not in floors_of(forged)
    known = {one.entry.data[d]["test"]: {"domain": d, "scores": [0.2, 0.4]} for d in one.entry.domains}
    (tmp_path / "base.json").write_text(json.dumps(known))
    monkeypatch.setattr(floors, "base_scores", functools.cache(floors.base_scores.__wrapped__))
    monkeypatch.setattr(floors, "BASE_SCORES", tmp_path / "base.json")
    assert floors_of(forged)["base"] == pytest.approx(0.3)


def test_the_shipped_bases_scores_are_of_the_shipped_boards_questions() -> None:
    assert all("base" in t.floors for t in tracks(check_folder(ROOT / "benchmarks/results", again=False).good))


def test_an_entry_of_the_version_before_is_renewed(entry: Path, cli: Command) -> None:
    before, outcomes = entry.read_bytes(), entry.with_name("small-opcod.outcomes.parquet")
    answers = outcomes.read_bytes()
    parquet.write_table(parquet.read_table(outcomes).drop_columns(["clusters"]), outcomes)
    tree = json.loads(before) | {"version": 2, "measures": json.loads(before)["measures"] | {"improvement": []}}
    entry.write_text(json.dumps(tree))
    _rehash(entry)
    with pytest.raises(EntryError, match="coopt leaderboard renew"):
        check_entry(entry)
    assert cli("leaderboard", "renew", str(entry.parent)).out.endswith(f"{entry.name}: renewed\n")
    assert (entry.read_bytes(), outcomes.read_bytes()) == (before, answers)
    assert cli("leaderboard", "renew", str(entry.parent)).out.endswith("is up to date\n")
    outcomes.write_bytes(b"")
    entry.write_text(json.dumps(tree))
    assert "is not the hash" in cli("leaderboard", "renew", str(entry.parent)).err


def test_the_commands(cli: Command, run: Run, tmp_path: Path) -> None:
    done = cli("leaderboard", "add", str(run.directory), "--to", "mine")
    assert done.out == "mine/small-sdpo.entry.json\nmine/small-opcod.entry.json\n", done.err
    again = cli("leaderboard", "add", str(run.directory), "--to", "mine")
    assert again.code == 0, again.err
    checked = cli("leaderboard", "check", "mine")
    assert checked.out.splitlines()[0] == ("mine/small-opcod.entry.json: ok, every number follows from 1,600 answers")
    assert "| opcod" in cli("leaderboard", "build", "mine", "--format", "md").out
    assert cli("leaderboard", "schema").out == schema()
    (tmp_path / "mine/small-sdpo.entry.json").write_text("{}")
    (tmp_path / "board.md").write_text(board := "<!-- leaderboard -->\n<!-- /leaderboard -->\n")
    building = ["build", "mine", "--format", "md", "--readme", "board.md"]
    for command in (["check", "mine"], building, ["export", "mine", "--out", "eee"]):
        partly = cli("leaderboard", *command)
        assert partly.code == 2, command
        assert partly.out.strip(), "one that does not hold hides no other"
        assert partly.err.startswith("coopt: mine/small-sdpo.entry.json: ")
    assert (tmp_path / "board.md").read_text() == board, "a document does not lose an entry without a word"
    (tmp_path / "mine/small-opcod.outcomes.parquet").write_bytes(b"")
    refused = cli("leaderboard", "build", "mine")
    assert refused.code == 2
    assert [line.split(": ")[1] for line in refused.err.splitlines()] == [
        "mine/small-opcod.entry.json", "mine/small-sdpo.entry.json",
    ]  # fmt: skip
    assert refused.err.endswith("(2 of 2 entries refused)\n")
    assert cli("leaderboard", "build", "nowhere").code == 2


def test_another_benchs_entry_is_not_overwritten(run: Run, tmp_path: Path) -> None:
    add_run(run, tmp_path)
    with pytest.raises(EntryError, match=r"small-sdpo.entry.json: is another bench's"):
        add_run(write_run(tmp_path / "other/small", settings=["gate.tau=0.3"]), tmp_path)


def test_the_document_shows_the_current_table(tmp_path: Path) -> None:
    """make leaderboard writes it."""
    text = (ROOT / "docs/leaderboard.md").read_text()
    found = tracks(check_folder(ROOT / "benchmarks/results").good)
    assert with_board(text, document_tables(found, ROOT / "docs/leaderboard.md")) == text
    for target in re.findall(r"\]\((\.\./benchmarks/results/[^)]*)\)", text):
        assert (ROOT / "docs" / target).is_file()


def test_a_narrow_screen_shows_each_entry_in_one_line() -> None:
    for table in board_tables(tracks(check_folder(ROOT / "benchmarks/results", again=False).good)):
        first, *others = fitted(table, 80)
        assert {"method", "score", "change", "change, 95 %"} <= set(first.columns)
        assert ("place, 95 %" in first.columns) == ("rank" in first.columns)
        assert len(others) <= 1
        for part in (first, *others):
            widest = zip(*[map(len, row) for row in part.rows], strict=True)
            assert all(max(cells) <= width for cells, width in zip(widest, widths_in(part, 80), strict=True))


def test_writing_the_readme_keeps_all_else_and_can_be_repeated(cli: Command, made: Path, tmp_path: Path) -> None:
    path = tmp_path / "README.md"
    path.write_text(f"before\n{BEGIN}\nold\n{END}\nafter\n")
    for _ in range(2):
        done = cli("leaderboard", "build", str(made), "--format", "md", "--out", "board.md", "--readme", "README.md")
        assert done.out == "board.md\n", done.err
        text = path.read_text()
        assert text.startswith(f"before\n{BEGIN}\n\n### embedded world scimini")
        assert text.endswith(f"{END}\nafter\n")
        assert "old" not in text
        assert (tmp_path / "board.md").read_text().strip() in text
    path.write_text("no place")
    assert "README.md: no place for the leaderboard" in cli(
        "leaderboard", "build", str(made), "--readme", "README.md"
    ).err  # fmt: skip


def test_hostile_text_stays_text_on_the_page(made: Path) -> None:
    """Names cannot hold markup, but provenance can hold anything."""
    checked = check_entry(made / "small-opcod.entry.json")
    hostile = "</script><script>alert(1)</script>\"'><img src=x onerror=alert(1)>"
    record = {"arguments": [hostile], "commit": hostile, "dirty": "", "data": {}, "packages": {hostile: hostile}}
    entry = checked.entry.model_copy(update={"provenance": [Provenance.model_validate(record)]})
    text = page(tracks([dataclasses.replace(checked, entry=entry)]), made)
    assert text.count("<script>") == text.count("</script>") == 1
    assert "<img" not in text
    assert "&lt;img src=x onerror=alert(1)&gt;" in text


def test_the_page_runs_its_own_script_alone(made: Path) -> None:
    text = page(tracks(check_folder(made).good), made)
    policy = re.search(r'Content-Security-Policy" content="([^"]+)"', text)[1]  # type: ignore[index]
    (script,) = re.findall(r"<script>(.*?)</script>", text, re.DOTALL)
    digest = base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()
    rules = dict(rule.split(" ", 1) for rule in policy.split("; "))
    assert rules["script-src"] == f"'sha256-{digest}'"
    assert {rules[name] for name in ("default-src", "base-uri", "form-action")} == {"'none'"}


def test_the_page_needs_no_network(made: Path) -> None:
    text = page(tracks(check_folder(made).good), made.parent / "pages")
    assert "default-src 'none'" in text
    assert "http:" not in text
    assert "https:" not in text
    assert " src=" not in text
    assert page([], made).count("No entries yet.") == 1


def test_every_entry_has_a_place_on_the_page_and_its_evidence_a_click_away(made: Path) -> None:
    text = page(tracks(check_folder(made).good), made.parent / "pages")
    for name in ("small-sdpo", "small-opcod"):
        assert text.count(f'<tbody id="entry-{name}"') == text.count(f'<a href="#entry-{name}">') == 1
        for file in (f"{name}.entry.json", f"{name}.outcomes.parquet"):
            assert f'href="../entries/{file}"' in text
            assert (made.parent / "pages/.." / "entries" / file).resolve().is_file()
    said = dict(re.findall('<dt>(verified|checked|claimed)</dt><dd class="words">(.*?)</dd>', text))
    assert "memory, hardware" in said["claimed"]
    assert "embedded world" in said["verified"]


def test_the_table_says_which_settings_are_not_the_presets(tmp_path: Path) -> None:
    run = write_run(tmp_path / "other", settings=["gate.tau=0.3"], adversary={"s2": "misleading"})
    add_run(run, tmp_path / "entries")
    entry = check_entry(tmp_path / "entries/other-opcod.entry.json").entry
    assert settings_of(entry) == (
        "adversary.s2=misleading, world.rows=400, rounds.rounds=2, rounds.steps=1, sampling.eval_samples=4,"
        " gate.tau=0.3"
    )
    hostile = entry.config | {"gate": {"kind": "<b>|\x1b[31m"}}
    assert "gate.kind=b31m" in settings_of(entry.model_copy(update={"config": hostile}))


def test_an_arm_of_a_sweep_makes_entries_over_its_seeds(cli: Command, tmp_path: Path) -> None:
    """And so do runs that differ in their seeds alone; a seed that comes later replaces the entry."""
    write_run(tmp_path / "arm/seed-0", seed=0)
    assert cli("leaderboard", "add", "arm", "--to", "mine").code == 0
    write_run(tmp_path / "arm/seed-1", seed=1)
    done = cli("leaderboard", "add", "arm", "--to", "mine")
    assert done.out.splitlines()[1] == "mine/arm-opcod.entry.json", done.err
    entry = check_entry(tmp_path / "mine/arm-opcod.entry.json").entry
    assert entry.seeds == [0, 1]
    assert len(entry.provenance) == 2
    assert len(entry.measures.overall.change.per_seed) == 2
    again = cli("leaderboard", "add", "arm/seed-0", "arm/seed-1", "--to", "other")
    assert again.code == 0, again.err
    assert check_entry(tmp_path / "other/arm-opcod.entry.json").entry == entry
    twice = cli("leaderboard", "add", "arm/seed-0", "arm/seed-0", "--to", "other")
    assert twice.err == "coopt: arm/seed-0 and arm/seed-0 both have seed 0. Give one.\n"
