"""Files of a run: atomic, torn lines mended, decisions made once."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from coopt.core import store
from coopt.core.errors import DamagedError
from coopt.core.meter import Meter, read_meter
from coopt.runs.journal import Journal, RoundKey, round_key


def test_a_torn_line_is_left_out_and_mended(tmp_path: Path) -> None:
    path = tmp_path / "journal.jsonl"
    journal = Journal(path)
    journal.once("decision", "a", lambda: 1)
    with path.open("a") as file:
        file.write('{"event": "decision", "key": "b", "val')
    again = Journal(path)
    assert again.all("decision") == {"a": 1}
    again.once("decision", "b", lambda: 2)
    assert Journal(path).all("decision") == {"a": 1, "b": 2}


def test_a_decision_is_made_once(tmp_path: Path) -> None:
    def never() -> int:
        raise AssertionError("decided again")

    Journal(tmp_path / "j").once("decision", "k", lambda: {"open": True})
    assert Journal(tmp_path / "j").once("decision", "k", never) == {"open": True}


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


def test_driver_graph_gates_filter_and_metrics_need_no_torch() -> None:
    modules = (
        "coopt.graph.topology, coopt.graph.schedule, coopt.graph.gates.registry, coopt.graph.gates.journaled,"
        "coopt.methods.tutors.anchor,"
        "coopt.methods.tutors.sanitise, coopt.domains.reprompt,"
        " coopt.core.statistics.crossed, coopt.runs.measures.break_rates,"
        "coopt, coopt.runs.measures.pareto, coopt.core.statistics.verdicts, coopt.runs.measures.summary,"
        "coopt.reports.tables, coopt.cli.main, coopt.cli.bench, coopt.driver.bench, coopt.driver.plan.choose"
    )
    heavy = ("torch", "transformers", "peft", "scipy.stats")
    code = f"import {modules}, sys; print([m for m in {heavy} if m in sys.modules])"
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


def test_in_sequential_rounds_a_tutor_speaks_as_it_did_also_when_a_phase_is_made_again(tmp_path: Path) -> None:
    """All of round 2 is there: s2, whose turn comes after that of s1, still tutors it as it was after round 1."""
    from coopt.core.config.load import load_config
    from coopt.driver.choices import Journaled
    from coopt.runs.run import Run

    run = Run(tmp_path, load_config(settings=["rounds.schedule=sequential"]))
    for student in ("s1", "s2"):
        for round_ in (1, 2):
            with store.new_directory(run.phase_dir(0, "opcod", round_, student)):
                pass
    opened = {"open": True, "domains": ["physics"], "gap": 0.1}
    journal = run.journal()
    journal.once("gates", round_key(0, "opcod", 2), lambda: {"s1 -> s2": opened, "s2 -> s1": opened})
    decisions = Journaled(run, 0, journal)
    assert [t.round for t in decisions.open_tutors(run.topology, "opcod", 2, "s1")] == [1]
    assert [t.round for t in decisions.open_tutors(run.topology, "opcod", 2, "s2")] == [2]


# -- damage to a journal -----------------------------------------------------------------------------------


@pytest.fixture
def lines(tmp_path: Path) -> list[str]:
    journal = Journal(tmp_path / "j")
    journal.note("started")
    for key in "abc":
        journal.once("decision", key, lambda k=key: {"of": k, "é": [1.5, None]})  # type: ignore[misc]
    return (tmp_path / "j").read_text().splitlines(keepends=True)


def keys(journal: Journal) -> str:
    return "".join(journal.all("decision"))


@pytest.mark.parametrize("number", range(4))
def test_a_changed_line_is_noticed_dropped_and_decided_again(tmp_path: Path, lines: list[str], number: int) -> None:
    path = tmp_path / "j"
    for place in range(0, len(lines[number]) - 1, 7):
        changed = lines[number][:place] + chr(ord(lines[number][place]) ^ 1) + lines[number][place + 1 :]
        path.write_text("".join([*lines[:number], changed, *lines[number + 1 :]]))
        with pytest.raises(DamagedError, match=f"j: line {number + 1} is not what was written"):
            Journal(path)
        assert keys(Journal(path, mending=True)) == "abc".replace("_abc"[number], "")
    journal = Journal(path, mending=True)
    for key in "abc":
        assert journal.once("decision", key, lambda: "again") == (
            "again" if key == "_abc"[number] else journal.all("decision")[key]
        )
    journal.note("finished")
    assert sorted(keys(Journal(path))) == list("abc")


@pytest.mark.parametrize("number", range(3))
def test_a_missing_line_is_noticed(tmp_path: Path, lines: list[str], number: int) -> None:
    (tmp_path / "j").write_text("".join([*lines[:number], *lines[number + 1 :]]))
    with pytest.raises(DamagedError, match=f"lines before line {number + 1} are missing"):
        Journal(tmp_path / "j")


def test_lines_that_changed_places_are_noticed(tmp_path: Path, lines: list[str]) -> None:
    (tmp_path / "j").write_text("".join([lines[0], lines[2], lines[1], lines[3]]))
    with pytest.raises(DamagedError):
        Journal(tmp_path / "j")


def test_an_earlier_coopts_lines_are_read_and_gone_on_from(tmp_path: Path) -> None:
    path = tmp_path / "j"
    old = [{"event": "decision", "key": k, "time": 1.0, "value": k} for k in "ab"]
    store.rewrite_lines(path, old)
    journal = Journal(path)
    journal.once("decision", "c", lambda: "c")
    assert keys(Journal(path)) == "abc"
    path.write_text(path.read_text().replace('"key"', '"kez"', 1))
    assert keys(Journal(path, mending=True)) == "bc"


def test_journals_one_after_another_in_a_file(tmp_path: Path, lines: list[str]) -> None:
    (tmp_path / "j").write_text("".join(lines * 2))
    assert keys(Journal(tmp_path / "j")) == "abc"


@pytest.mark.parametrize("text", ["\n", "3\n", "[]\n", "{}\n", "[" * 5000 + "\n", "\xff\n", '{"event": 1}\n'])
def test_what_is_no_line_is_damage(tmp_path: Path, text: str) -> None:
    (tmp_path / "j").write_text(text, encoding="latin-1")
    with pytest.raises(DamagedError, match="line 1 is not what was written"):
        Journal(tmp_path / "j")


def test_a_decision_is_made_again_of_something_else(tmp_path: Path) -> None:
    journal = Journal(tmp_path / "j")
    journal.once("decision", "a", lambda: 1, "of one")
    journal.once("decision", "b", lambda: 1)
    assert journal.once("decision", "a", lambda: 2, "of one") == 1
    assert journal.once("decision", "a", lambda: 2) == 1, "of what is not known"
    assert journal.once("decision", "a", lambda: 2, "of another") == 2
    assert journal.once("decision", "b", lambda: 2, "of another") == 1
    assert Journal(tmp_path / "j").all("decision") == {"a": 2, "b": 1}
