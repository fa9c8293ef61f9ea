"""Files of a run: atomic, torn lines mended, decisions made once."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from coopt.core import store
from coopt.core.meter import Meter, read_meter
from coopt.runs.journal import Journal, RoundKey, round_key


def test_a_torn_line_is_left_out_and_mended(tmp_path: Path) -> None:
    path = tmp_path / "journal.jsonl"
    journal = Journal(path)
    journal.once("gates", "a", lambda: 1)
    with path.open("a") as file:
        file.write('{"event": "gates", "key": "b", "val')
    again = Journal(path)
    assert again.all("gates") == {"a": 1}
    again.once("gates", "b", lambda: 2)
    assert Journal(path).all("gates") == {"a": 1, "b": 2}


def test_a_decision_is_made_once(tmp_path: Path) -> None:
    def never() -> int:
        raise AssertionError("decided again")

    Journal(tmp_path / "j").once("gates", "k", lambda: {"open": True})
    assert Journal(tmp_path / "j").once("gates", "k", never) == {"open": True}


@pytest.mark.parametrize("edge", ["", "/s1 -> s2", "/up/stream -> s2"])
def test_the_key_of_a_round_is_read_back(edge: str) -> None:
    """Also with an edge after it, whatever its nodes are called."""
    key = round_key(3, "merge_trained", 12)
    assert RoundKey.parse(key + edge) == (3, "merge_trained", 12, edge.removeprefix("/"))
    assert RoundKey.parse(key) == RoundKey(3, "merge_trained", 12)


def test_a_directory_is_complete_or_absent(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError), store.new_directory(tmp_path / "d") as folder:
        (folder / "nowhere" / "half").write_text("x")
    assert not (tmp_path / "d").exists()
    with store.new_directory(tmp_path / "d") as folder:
        (folder / "whole").write_text("x")
    assert store.is_complete(tmp_path / "d")
    assert [p.name for p in tmp_path.iterdir()] == ["d"]


def test_json_refuses_nan_and_keeps_the_old_file(tmp_path: Path) -> None:
    store.write_json(tmp_path / "x.json", {"a": 1})
    with pytest.raises(ValueError, match="not JSON compliant"):
        store.write_json(tmp_path / "x.json", {"a": float("nan")})
    assert store.read_json(tmp_path / "x.json") == {"a": 1}
    assert [p.name for p in tmp_path.iterdir()] == ["x.json"]


def test_meter(tmp_path: Path) -> None:
    path = tmp_path / "m.json"
    assert read_meter(path).share == 0
    meter = Meter(path, 4)
    meter.add(1, 100)
    assert read_meter(path)[:2] == (0.25, 100)
    assert 0 <= read_meter(path).seconds < 60


def test_graph_gates_filter_and_metrics_need_no_torch() -> None:
    modules = (
        "coopt.graph.topology, coopt.graph.schedule, coopt.graph.gates.registry, coopt.graph.gates.journaled,"
        "coopt.methods.tutors.anchor,"
        "coopt.methods.tutors.sanitise, coopt.domains.reprompt,"
        " coopt.core.statistics.crossed, coopt.runs.measures.break_rates,"
        "coopt, coopt.runs.measures.pareto, coopt.core.statistics.verdicts, coopt.runs.measures.summary,"
        "coopt.reports.tables, coopt.cli.main"
    )
    code = f"import {modules}, sys; print([m for m in ('torch', 'transformers', 'peft') if m in sys.modules])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


@pytest.mark.parametrize(("schedule", "expected"), [("simultaneous", 1), ("sequential", 2)])
def test_which_weights_a_tutor_has(tmp_path: Path, schedule: str, expected: int) -> None:
    """In round 2, after s1 has trained: s2 is tutored by the round-start s1, or by the newest."""
    from coopt.core.config.load import load_config
    from coopt.driver.choices import Journaled
    from coopt.methods.tutors.assign import OpenTutor
    from coopt.runs.run import Run

    run = Run(tmp_path, load_config(settings=[f"rounds.schedule={schedule}"]))
    for round_ in (1, 2):
        with store.new_directory(run.phase_dir(0, "opcod", round_, "s1")):
            pass
    gates = {
        "s1 -> s2": {"open": True, "domains": ["physics"], "gap": 0.1},
        "s2 -> s1": {"open": False, "domains": [], "gap": 0.3},
    }
    journal = run.journal()
    journal.once("gates", round_key(0, "opcod", 2), lambda: gates)
    decisions = Journaled(run, 0, journal)
    tutors = decisions.open_tutors(run.topology, "opcod", 2, "s2")
    assert tutors == (OpenTutor("s1", expected, ("physics",), 0.1, reviewers=("s2",)),)
    assert decisions.open_tutors(run.topology, "opcod", 2, "s1") == ()
