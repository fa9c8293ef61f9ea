"""A real bench with real trackers, killed in a phase and resumed: every event once, and the same tables."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from coopt.driver.tracking.events import Decided, Event, events
from coopt.driver.tracking.streams import told
from coopt.runs.run import Run
from tests.integration.conftest import SMOKE, Coopt, begin, tables

pytestmark = pytest.mark.slow

READ_TRACKIO = """
import json, sys, trackio
from trackio.sqlite_storage import SQLiteStorage
found = {r.name: SQLiteStorage.get_logs("coopt", r.name) for r in trackio.Api().runs("coopt")}
json.dump(found, sys.stdout, default=str)
"""


def test_a_killed_and_resumed_bench_is_tracked_once(coopt: Coopt, smoke_run: Path, tmp_path: Path) -> None:
    pytest.importorskip("tensorboard")
    pytest.importorskip("trackio")
    begin(tmp_path / "run", smoke_run, Run.open(smoke_run).config)
    command = (*SMOKE, "--out", "run", "--workers", "2", "--set", "gate.kind=always")
    command = (*command, "--set", "tracking.to=tensorboard,trackio")
    store = str(tmp_path / "trackio")
    killed = coopt(*command, COOPT_KILL_AT="step:2", TRACKIO_DIR=store)
    assert killed.returncode == -signal.SIGKILL, killed.stderr
    again = coopt(*command, TRACKIO_DIR=store)
    assert again.returncode == 0, again.stderr
    assert "tracking" not in again.stderr
    assert tables(tmp_path / "run") == tables(smoke_run), "tracking changes no result"
    run = Run.open(tmp_path / "run")
    want = _all_events(run)
    assert {name.split()[0] for name in want} == set(run.config.methods)
    assert all(any("train/loss" in e.values for e in found) for found in want.values())
    _check_tensorboard(run, want)
    _check_trackio(store, want)


def _all_events(run: Run) -> dict[str, list[Event]]:
    decided = Decided(run.journal_path)
    decided.read()
    found = {s.name: list(events(s, decided)) for s in told(run, "tensorboard").streams}
    assert not any(None in es for es in found.values())
    return {name: [e for e in es if e] for name, es in found.items()}


def _check_tensorboard(run: Run, want: dict[str, list[Event]]) -> None:
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    for stream in told(run, "tensorboard").streams:
        folder = run.directory / "tracking/tensorboard" / stream.method / f"seed{stream.seed}" / stream.student
        reader = EventAccumulator(str(folder), size_guidance={"scalars": 0})
        reader.Reload()
        mine = want[stream.name]
        assert set(reader.Tags()["scalars"]) == {tag for e in mine for tag in e.values}
        for tag in reader.Tags()["scalars"]:
            assert [p.step for p in reader.Scalars(tag)] == [e.step for e in mine if tag in e.values], tag


def _check_trackio(store: str, want: dict[str, list[Event]]) -> None:
    done = subprocess.run(
        [sys.executable, "-c", READ_TRACKIO],
        env=os.environ | {"TRACKIO_DIR": store}, capture_output=True, text=True, check=True,
    )  # fmt: skip
    found = {name.split(" ", 2)[2]: rows for name, rows in json.loads(done.stdout).items()}
    assert set(found) == set(want)
    for name, rows in found.items():
        assert [r["step"] for r in rows] == [e.step for e in want[name]]
        assert [set(r) - {"step", "timestamp"} for r in rows] == [set(e.values) for e in want[name]]
