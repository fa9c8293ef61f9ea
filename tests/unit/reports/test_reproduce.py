"""An entry run again: what has to be run, what an entry cannot hold, and how what came out compares. That it is really
run is in tests/integration/test_leaderboard.py."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import Any

import pytest

from coopt.core.config.load import load_config
from coopt.core.errors import EntryError
from coopt.domains.load import data_hashes
from coopt.graph.files import load_topology, tables_of, toml_of, topology_names
from coopt.reports.leaderboard.add import add_run
from coopt.reports.leaderboard.check import Checked, check_entry
from coopt.reports.leaderboard.foretold import foretold, made_with, took
from coopt.reports.leaderboard.reproduce import (
    Compared,
    compared,
    config_again,
    reproduction_table,
    run_again,
)
from coopt.runs.run import Run
from tests.unit.conftest import Command, Done
from tests.unit.small_runs import write_run


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Run:
    return write_run(tmp_path_factory.mktemp("again") / "small", seeds=2, seed=7)


@pytest.fixture(scope="module")
def checked(run: Run) -> Checked:
    _, path = add_run(run, run.directory.with_name("entries"))
    return check_entry(path)


def _with(checked: Checked, **entry: Any) -> Checked:
    return dataclasses.replace(checked, entry=checked.entry.model_copy(update=entry))


def _setting(checked: Checked, section: str, **values: Any) -> Checked:
    config = checked.entry.config
    return _with(checked, config=config | {section: config[section] | values})


def test_the_same_run_is_equal_answer_by_answer(checked: Checked, run: Run) -> None:
    again = compared(checked, run)
    assert again.answers == again.same == 2 * 2 * 20 * 4 * (1 + 2 * 2)
    assert {row.outcome for row in again.rows} == {"equal"}
    assert [row.what for row in again.rows[:3]] == ["score", "change", "base: base in physics"]
    assert reproduction_table("small-opcod", again.rows).rows[0][-1] == "equal"


def test_another_run_differs(checked: Checked, tmp_path: Path) -> None:
    again = compared(checked, write_run(tmp_path / "small", {"opcod": 0.2}, seeds=2, seed=7))
    assert again.same < again.answers
    outcomes = {row.what: row.outcome for row in again.rows}
    assert outcomes["score"] == outcomes["opcod: s1 in physics"] == "different"
    assert outcomes["base: base in physics"] == "equal"


def test_a_difference_that_is_shown_counts_within_a_wide_interval_too() -> None:
    """An entry's interval is about other questions, and these are the same."""
    assert Compared("score", 0.5, 0.1, 0.9, 0.6, p=0.001).outcome == "different"
    assert Compared("score", 0.5, 0.1, 0.9, 0.6, p=0.5).outcome == "within interval"


@pytest.mark.parametrize(
    ("found", "outcome"), [(0.5, "equal"), (0.41, "within interval"), (0.59, "within interval"), (0.61, "different")]
)
def test_outcomes(found: float, outcome: str) -> None:
    assert Compared("score", 0.5, 0.4, 0.6, found, p=1.0).outcome == outcome


def test_only_what_the_method_needs_is_run(checked: Checked) -> None:
    def methods(name: str, **gate: Any) -> tuple[str, ...]:
        own = _setting(checked, "gate", **gate)
        every = [*own.entry.config["methods"], name]
        return config_again(_with(own, method=name, config=own.entry.config | {"methods": every})).methods

    assert config_again(checked).methods == ("opcod",)
    assert methods("merge") == ("merge",)
    assert methods("merge_trained") == ("opcod", "merge_trained")
    assert methods("random") == ("opcod", "random")
    assert methods("random", rate=0.5) == ("random",)
    assert methods("sdpo") == ("sdpo",)


def test_it_is_run_on_this_machine(checked: Checked) -> None:
    config = _setting(checked, "cluster", kind="slurm").entry.config
    config = config | {"run": config["run"] | {"device": "cuda"}, "options": {"nobody": {"x": 1}}}
    again = config_again(_with(checked, config=config))
    assert (again.cluster.kind, again.run.device, again.options) == ("none", "auto", {})


MISSING = {
    "rows": ({"data": {"source": "/home/me/mine.jsonl"}}, r"its rows, mine.jsonl \(--data FILE\)"),
    "a mapping": ({"data": {"source": "", "mapping": "/home/me/law.toml"}}, r"the mapping law.toml"),
    "a base": ({"model": {"path": "/home/me/qwen"}}, r"its base model, qwen \(--model DIR\)"),
    "specialists": ({"model": {"students": {"physics": "/a/p"}}}, r"the ready specialists of physics"),
    "a gate": ({"gate": {"kind": "/home/me/gates.py:Mine"}}, r"the gate gates.py:Mine"),
    "solutions": ({"data": {"solutions": "/home/me/s.jsonl"}}, r"the worked solutions s.jsonl"),
}


@pytest.mark.parametrize("what", MISSING)
def test_what_an_entry_cannot_hold_is_named_in_one_line(checked: Checked, what: str) -> None:
    settings, message = MISSING[what]
    changed = checked
    for section, values in settings.items():
        changed = _setting(changed, section, **values)
    with pytest.raises(
        EntryError, match=f"cannot be run from the entry alone: it does not hold .*{message}"
    ) as refused:
        config_again(changed)
    assert "\n" not in str(refused.value)
    assert "/home/me" not in str(refused.value).replace(str(checked.path), "")


def test_what_is_given_instead_is_taken(checked: Checked) -> None:
    changed = _setting(_setting(checked, "data", source="rows"), "model", path="/x/qwen")
    config = config_again(changed, data="here.jsonl", model="there")
    assert (config.data.source, config.model.path) == ("here.jsonl", "there")
    kept = config_again(checked, data="here.jsonl", model="there")
    assert (kept.data.source, kept.model.path) == ("scimini", "scimini"), "the embedded world is the entry's"


def test_a_method_that_is_not_here(checked: Checked) -> None:
    with pytest.raises(EntryError, match="method mine is not installed here"):
        config_again(_with(checked, method="mine"))


def test_other_questions_are_refused_before_anything_is_run(checked: Checked, tmp_path: Path) -> None:
    with pytest.raises(EntryError, match="the questions here are not the entry's"):
        run_again(_setting(checked, "world", rows=500), tmp_path, None, [])  # type: ignore[arg-type]
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("name", topology_names())
def test_a_graph_comes_back_from_its_tables(name: str, tmp_path: Path) -> None:
    """Those with critics of their own, reviews, hubs and rules too."""
    domains = ("physics", "chemistry", "materials", "biology")
    topology = load_topology(name, domains)
    (tmp_path / "own.toml").write_text(toml_of(tables_of(topology)))
    again = load_topology(str(tmp_path / "own.toml"), domains)
    assert tables_of(again) == tables_of(topology)
    assert (again.nodes, again.edges, again.reviews) == (topology.nodes, topology.edges, topology.reviews)
    assert (again.settings, again.varies, again.hub) == (topology.settings, topology.varies, topology.hub)


def test_the_entrys_questions_are_those_of_its_settings(checked: Checked) -> None:
    config = load_config(preset="mini", settings=["world.rows=400", "data.test=20", "data.validation=10"])
    assert data_hashes(Run(Path(), config).domains) == checked.entry.data


def test_the_commands_exit_code_says_whether_it_differs(
    cli: Command, checked: Checked, run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def command(found: Run) -> Done:
        monkeypatch.setattr("coopt.reports.leaderboard.reproduce.run_again", lambda *_, **__: found)
        return cli("leaderboard", "reproduce", str(checked.path))

    same = command(run)
    assert (same.code, same.err) == (0, "")
    assert "equal: 1,600 of 1,600 answers agree with the entry." in same.out
    other = command(write_run(tmp_path / "small", {"opcod": 0.2}, seeds=2, seed=7))
    assert (other.code, other.err) == (1, "")
    assert "different: " in other.out


def test_how_long_it_took_is_said_beforehand(checked: Checked) -> None:
    cost = checked.entry.costs[0].model_copy(update={"steps": 600, "seconds_per_step": 1.25})
    said = took(_with(checked, costs=[cost]).entry)
    assert said.startswith("The entry records 12 min 30 s of training steps on one worker (600 steps of opcod)")
    assert "only averages" in took(_with(checked, costs=[]).entry)


def _made(checked: Checked, *records: dict[str, Any]) -> list[str]:
    (one,) = checked.entry.provenance
    return made_with(_with(checked, provenance=[one.model_copy(update=r) for r in records]).entry)


def test_what_it_was_made_with_stands_beside_what_is_here(checked: Checked, monkeypatch: pytest.MonkeyPatch) -> None:
    here = {"packages": {"coopt": "0.1.0", "torch": "2.13.0"}, "gpus": [], "commit": "a" * 40, "dirty": ""}
    monkeypatch.setattr("coopt.reports.leaderboard.foretold.environment", lambda: here)
    monkeypatch.setattr("coopt.reports.leaderboard.foretold.code_state", dict)
    parts = f"coopt 0.1.0 at commit {'a' * 12}, torch 2.13.0, no GPU"
    assert _made(checked, here) == [f"Made with: {parts}.", f"Here: {parts}. The same."]
    other = here | {"packages": {"coopt": "0.1.0", "torch": "2.11.0"}, "gpus": ["H100"]}
    before, now = _made(checked, here, other)
    assert before == f"Made with: {parts}; or coopt 0.1.0 at commit {'a' * 12}, torch 2.11.0, H100."
    assert now.endswith("Not the same: torch, GPUs.")
    assert _made(checked, here | {"dirty": "+1"})[1].endswith("Not the same: coopt.")
    hostile = {"packages": {"torch": "\x1b[31m" * 999}, "commit": "\n" * 99, "gpus": ["\r" * 999]}
    before, _ = _made(checked, here | hostile)
    assert len(before) < 300
    assert before.isprintable()


def test_what_counts_as_the_same_is_said_with_its_tolerance(checked: Checked, run: Run) -> None:
    assert any("within 0.0001 percentage points" in line for line in foretold(checked.entry))
    note = reproduction_table("small-opcod", compared(checked, run).rows).notes[0]
    assert all(
        words in note
        for words in ("The same means equal (within 0.0001 percentage points", "p >= 0.05,", "is different")
    )
