"""``coopt simulate``: its record, tables and picture, and that nobody can take them for measured ones."""

from __future__ import annotations

import csv
import io
import json
import subprocess
import sys
from functools import partial
from pathlib import Path

import numpy as np
import pytest
from pydantic import ValidationError

from coopt.core.config.load import load_config
from coopt.driver.simulate.dynamics import World, simulate
from coopt.driver.simulate.results import SimulatedResults
from coopt.driver.simulate.summary import Digest, simulate_all, summarise
from coopt.graph.files import load_topology
from coopt.reports.simulation.tables import LABEL, constants_table, simulated_tables
from coopt.runs.results import Results
from tests.unit.conftest import Command
from tests.unit.simulated_runs import change_ND, constants, write_run


@pytest.fixture
def command(cli: Command) -> Command:
    """Run ``coopt simulate ARGS`` in an empty folder."""
    return partial(cli, "simulate")


def world(topology: str, nodes: int | None = None, **flags: object) -> World:
    settings = load_config(topology=topology, domains="phys,chem", **flags)  # type: ignore[arg-type]
    return World(load_topology(topology, settings.domains, nodes), settings, constants())


# -- the record ------------------------------------------------------------------------------------


def test_groups_are_students_where_they_are_few_and_native_domains_where_many() -> None:
    few = simulate_all(world("pair"), ["sdpo"], [0, 1])
    many = simulate_all(world("ring", 40), ["sdpo"], [0])
    assert [c.group for c in few.scores] == ["s1", "s1", "s2", "s2"]
    assert [(c.group, c.students) for c in many.scores] == [("native physics", 20)] * 2 + [("native chemistry", 20)] * 2
    assert [r.rank for r in few.ranks] == ["1", "2"]
    assert [(r.rank, r.students) for r in many.ranks] == [(f"quartile {k}", 10) for k in (1, 2, 3, 4)]
    assert many.ranks[0].start > many.ranks[3].start


def test_numbers_are_those_of_the_histories() -> None:
    ring = world("ring", 30)
    histories = {m: [simulate(ring, m, s) for s in (0, 1)] for m in ("sdpo", "always")}
    found = summarise(ring, {m: [Digest.of(h) for h in hs] for m, hs in histories.items()}, [0, 1])
    change = {m: np.array([change_ND(h) for h in hs]) for m, hs in histories.items()}
    improved = [((c >= 0).all(axis=1) & (c > 0).any(axis=1)) for c in change["always"]]
    assert found.pareto[1].share == pytest.approx(np.mean(improved))
    assert found.pareto[1].mutual == np.mean([i.all() for i in improved])
    compared = found.comparisons[0]
    assert compared.difference == pytest.approx((change["always"] - change["sdpo"]).mean(), abs=1e-6)
    assert compared.low < compared.difference < compared.high
    assert compared.unit == "students"
    last = [line for line in found.history if line.method == "always"][-1]
    assert last.score["physics"] == pytest.approx(
        np.mean([h.accuracy_RND[-1, :, 0].mean() for h in histories["always"]]), abs=1e-6
    )
    assert last.open == 1.0
    assert [line.open for line in found.history if line.method == "sdpo"] == [None] * 5


def test_random_opens_as_many_edges_as_cognizance_did() -> None:
    found = simulate_all(world("ring", 400, settings=["rounds.rounds=3"]), ["opcod", "random"], [0])
    opened = {
        m: np.mean([x.open for x in found.history if x.method == m and x.open is not None]) for m in found.methods
    }
    assert opened["random"] == pytest.approx(opened["opcod"], abs=0.05)


# -- labels ----------------------------------------------------------------------------------------


def test_every_table_row_and_note_says_simulated() -> None:
    for results in (
        simulate_all(world("pair"), ["sdpo", "opcod"], [0]),
        simulate_all(world("ring", 30), ["opcod"], [0]),
    ):
        tables = simulated_tables(results)
        assert len(tables) >= 5
        for table in tables:
            assert table.title.startswith(LABEL)
            assert any(results.constants in note and "not measured" in note for note in table.notes)
            assert all("simulated" in row[0] for row in table.rows)
    assert constants_table(constants()).title.startswith(LABEL)


def test_a_reader_of_measured_results_refuses_simulated_ones() -> None:
    results = simulate_all(world("pair"), ["sdpo", "opcod"], [0])
    with pytest.raises(ValidationError):
        Results.model_validate_json(results.model_dump_json())
    with pytest.raises(ValidationError):
        SimulatedResults.model_validate({**results.model_dump(), "simulated": False})


def test_every_format_carries_the_label(command: Command) -> None:
    for style in ("rich", "md", "csv", "latex"):
        done = command("--topology", "ring", "--nodes", "14", "--rounds", "2", "--format", style)
        assert done.code == 0
        assert LABEL in done.out
        assert "opcod (simulated, cognizance)" in done.out.replace("\n", " ") or style == "rich"
    rows = list(csv.reader(io.StringIO(command("--rounds", "2", "--format", "csv").out)))
    assert all(row[0] == "table" or row[0].startswith(LABEL) for row in rows if row)


def test_json_says_simulated_and_is_the_same_every_time(command: Command) -> None:
    first, again = (command("--rounds", "3", "--methods", "sdpo,opcod,random", "--seeds", "2", "--json") for _ in "ab")
    assert first.out == again.out
    answer = json.loads(first.out)
    assert answer["simulated"] is True
    assert answer["constants"] == "coopt/driver/simulate/constants.toml"
    assert answer["seeds"] == [0, 1]
    assert command("--constant", "items.slip=0.02", "--rounds", "1", "--json").out.count("items.slip=0.02") == 1


def test_the_picture_is_labelled_and_the_same_every_time(command: Command, tmp_path: Path) -> None:
    for name in ("a.svg", "b.svg"):
        done = command("--topology", "ring", "--nodes", "20", "--rounds", "4", "--picture", name)
        assert (done.code, f"{name}: written" in done.err) == (0, True)
    first, again = (tmp_path / n for n in ("a.svg", "b.svg"))
    assert first.read_bytes() == again.read_bytes()
    text = first.read_text()
    assert "SIMULATED: ring, 20 students" in text
    assert text.count("(simulated)") >= 4
    assert "open edges" in text


# -- faults ----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["--methods", "sdpo,opkod"], "unknown method 'opkod'. Did you mean 'opcod'?"),
        (["--methods", "sdpo,sdpo"], "takes each method once"),
        (["--format", "html"], "unknown format 'html'"),
        (["--picture", "a.gif"], "the name ends in .svg, .pdf, .png"),
        (["--out", "c.toml"], "Add --calibrate RUN"),
        (["--topology", "complete", "--nodes", "50000"], "Take at most 3,000 students"),
        (["--calibrate", "nowhere"], "no run here"),
        (["--predict", "nowhere", "--picture", "a.svg"], "--picture draws a simulation"),
        (["--constants", "none.toml"], "no such file"),
        (["--gate", "cognisance"], "unknown gate 'cognisance'. Did you mean 'cognizance'?"),
        (["--rounds", "0"], "rounds.rounds"),
        (["--rates", "papers"], "unknown rates 'papers'. Did you mean 'paper'?"),
        (["--rates", "paper", "--predict", "nowhere"], "--rates paper is for simulations"),
    ],
)
def test_faults_are_one_line(command: Command, arguments: list[str], words: str) -> None:
    done = command(*arguments)
    assert done.code == 2
    assert words in done.err
    assert done.err.startswith("coopt: ")
    assert done.err.count("\n") == 1
    assert done.out == ""


def test_no_torch_is_imported() -> None:
    code = (
        "import sys; sys.argv = ['coopt', 'simulate', '--rounds', '1', '--json'];"
        "from coopt.cli.main import main; main(); print('torch' in sys.modules, file=sys.stderr)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stderr.rstrip().endswith("False")


# -- calibration and held-out check ----------------------------------------------------------------


@pytest.mark.slow
def test_calibrate_writes_constants_and_predict_reads_them(
    command: Command, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("coopt.driver.simulate.calibrate.DRAWS", 3)
    with pytest.MonkeyPatch.context() as patch:
        for name, topology in (("fitted", "ring"), ("other", "star")):
            write_run(
                tmp_path / name, constants(), patch, topology=topology, nodes=4, seeds=2, methods=("sdpo", "opcod")
            )
    done = command("--calibrate", "fitted", "--out", "mine.toml")
    assert done.code == 0
    assert "mine.toml: written" in done.err
    assert done.out.count(LABEL) == 2
    head = (tmp_path / "mine.toml").read_text().splitlines()[:5]
    assert head[1:3] == ["# runs: fitted", "# commit of these runs: 0123456789ab"]
    held_out = json.loads(command("--constants", "mine.toml", "--predict", "other", "--json").out)
    assert held_out["simulated"] is True
    assert held_out["held_out"] is True
    assert len(held_out["predictions"]) == 2 * 2 * 4 * 2
    assert set(held_out["scores"][0]["errors"]) == {"simulator", "no change", "mean gain"}
    again = command("--constants", "mine.toml", "--predict", "fitted,other")
    assert "check on runs that the constants were fitted to" in again.out
