"""Tracking: what is logged of a run, once each, whatever is killed when; a tracker that fails costs one line."""

from __future__ import annotations

import json
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from coopt.core import store
from coopt.core.config.identity import identity
from coopt.core.config.load import load_config
from coopt.core.errors import ConfigError
from coopt.core.tail import Tail
from coopt.driver.folder import default_name
from coopt.driver.tracking.beside import check_tracking, tracked
from coopt.driver.tracking.events import Decided, Event, events
from coopt.driver.tracking.follow import Follower, follow
from coopt.driver.tracking.streams import Stream, Told, told
from coopt.runs.journal import round_key
from coopt.runs.measures.steps import numbers, summed
from coopt.runs.run import Run
from tests.unit.small_runs import write_run

RECORD = {
    "step": 3, "loss": 0.5, "correct": 6.0, "rollouts": 8, "feedback_on": True, "away": {"s2": "\x1b[31mgone"},
    "tokens": {"rollout": 60, "feedback": 20, "trained": 20}, "seconds": {"rollout": 1.0, "total": 2.0},
    "outcomes": {"s2": {"kept": 3}, "s3": {"kept": 1}}, "told": {}, "importance": {"mean": None},
}  # fmt: skip
GATES = {"s2 -> s1": {"open": True, "gap": 0.25, "flip": 0.1, "reason": "cognizant"},
         "s1 -> s2": {"open": False, "gap": None, "flip": 0.0, "reason": "text"}}  # fmt: skip


@pytest.fixture
def run(tmp_path: Path) -> Run:
    """A finished run of two rounds of one step, with its decisions."""
    made = write_run(tmp_path / "small", methods=("sdpo", "opcod"), settings=["rounds.steps=1"])
    journal = made.journal()
    for method in made.config.methods:
        for round_ in (1, 2):
            key = round_key(0, method, round_)
            journal.once("gates", key, lambda m=method: GATES if m == "opcod" else {})  # type: ignore[misc]
            journal.once("collapsed", key, lambda: [])
    return made


def stream_of(run: Run, student: str = "s1", method: str = "opcod") -> Stream:
    return next(s for s in told(run, "x").streams if (s.method, s.student) == (method, student))


def arrived(run: Run, stream: Stream) -> list[Event | None]:
    decided = Decided(run.journal_path)
    decided.read()
    found: list[Event | None] = []
    for event in events(stream, decided):
        found.append(event)
        if event is None:
            break
    return found


def test_the_setting_is_no_part_of_what_a_run_is() -> None:
    plain, shown = load_config(), load_config(settings=["tracking.to=tensorboard,trackio"])
    assert shown.tracking.to == ("tensorboard", "trackio")
    assert load_config(settings=["tracking.to=none"]) == plain
    assert default_name(shown) == default_name(plain)
    assert "tracking" not in plain.model_dump(mode="json"), "an archived run is written as before there was tracking"
    assert "tracking" not in identity(shown)
    with pytest.raises(ConfigError, match="'tensorboard', 'trackio' or 'wandb'"):
        load_config(tracking={"to": "tensorbord"})


def test_a_missing_package_is_named_with_its_extra(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    (tmp_path / "wandb").mkdir()  # what wandb leaves where it was used is no package
    monkeypatch.syspath_prepend(str(tmp_path))
    monkeypatch.setattr(sys, "path", [str(tmp_path)])
    for name in ("tensorboard", "wandb"):
        with pytest.raises(ConfigError, match=rf"needs the package {name}.*pip install 'coopt\[{name}\]'"):
            check_tracking(load_config(tracking={"to": name}).tracking)


def test_numbers_of_a_record_and_nothing_else() -> None:
    found = numbers(RECORD)
    assert found["reward"] == 0.75
    assert found["tokens_per_second"] == 50.0
    assert found["away"] == 1.0
    assert found["outcomes/s2/kept"] == 3.0
    assert "step" not in found
    assert all(isinstance(v, float) for v in found.values())
    assert not any("gone" in name for name in found), "no text of others"
    assert summed(RECORD)["outcomes_kept"] == 4.0
    assert summed(RECORD)["seconds_rollout"] == 1.0


def test_a_tail_reads_every_whole_line_once(tmp_path: Path) -> None:
    path = tmp_path / "steps.jsonl"
    tail = Tail(path)
    assert tail.new() == []
    path.write_text('{"step": 0}\n{"st')
    assert tail.new() == [{"step": 0}]
    assert tail.new() == []
    with path.open("a") as file:
        file.write('ep": 1}\n')
    assert tail.new() == [{"step": 1}]
    store.rewrite_lines(path, [{"step": 0}])  # what a resumed phase does
    store.append_lines(path, [{"step": 1}, {"step": 2}])
    assert [r["step"] for r in tail.new()] == [0, 1, 2]


def test_all_of_a_stream_in_its_order(run: Run) -> None:
    found = arrived(run, stream_of(run))
    assert None not in found
    kinds = [(e.step, sorted({name.split("/")[0] for name in e.values})) for e in found if e]
    best = [(1, ["test"])] if len(found) == 10 else []  # the round that was best, where it was not the last
    assert kinds == [
        (0, ["validation"]), (0, ["test"]), (0, ["gate"]), (1, ["train"]), (1, ["validation"]),
        (1, ["gate"]), (2, ["train"]), (2, ["validation"]), *best, (2, ["test"]),
    ]  # fmt: skip
    assert found[2] is not None
    assert found[2].values == {"gate/s2/open": 1.0, "gate/s2/gap": 0.25, "gate/s2/flip": 0.1}
    assert found[0] is not None
    assert set(found[0].values) == {"validation/physics", "validation/chemistry", "validation/mean"}


def test_what_is_not_there_yet_is_waited_for(run: Run) -> None:
    stream = stream_of(run)
    whole = arrived(run, stream)
    phase = run.phase_files(0, "opcod", 2, "s1")
    (phase.folder / store.COMPLETE).unlink()
    phase.steps.unlink()
    assert arrived(run, stream) == [*whole[:6], None]
    run.scores_path(0, "opcod", "validation", 1, "s1").unlink()
    assert arrived(run, stream) == [*whole[:4], None]
    run.journal_path.unlink()
    assert arrived(run, stream) == [None]


def test_a_collapsed_student_has_no_steps(run: Run, tmp_path: Path) -> None:
    lines = store.read_lines(run.journal_path)
    for line in lines:
        if line["event"] == "collapsed" and line["key"] == round_key(0, "opcod", 2):
            line["value"] = ["s1"]
    store.rewrite_lines(run.journal_path, lines)
    found = arrived(run, stream_of(run))
    assert None not in found
    assert sum(any(n.startswith("train/") for n in e.values) for e in found if e) == 1


class Kept:
    """A tracker that keeps what it was told, as a server would."""

    def __init__(self) -> None:
        self.runs: dict[str, list[Event]] = {}

    def open(self, stream: Stream, logged: int) -> KeptRun:
        return KeptRun(self.runs.setdefault(stream.name, []))


class KeptRun:
    def __init__(self, found: list[Event]) -> None:
        self.found = found
        self.held = len(found)

    def log(self, number: int, event: Event) -> None:
        assert number == len(self.found)
        self.found.append(event)

    def flush(self) -> None: ...

    def close(self) -> None: ...


def growing(run: Run, stream: Stream) -> Iterator[None]:
    """The run's files as they come, one after another; a resumed phase does its first step again."""
    hidden = {p: p.read_bytes() for p in run.directory.rglob("*") if p.is_file() and p.name != "config.json"}
    for path in hidden:
        path.unlink()
    whole = sorted(hidden, key=lambda p: ("journal" not in p.name, "init" not in str(p), str(p)))
    for path in whole:
        path.parent.mkdir(parents=True, exist_ok=True)
        if path.name == "s1.steps.jsonl":
            path.write_bytes(hidden[path][:-7])  # torn
            yield
            store.rewrite_lines(path, [])
            yield
        path.write_bytes(hidden[path])
        yield


@pytest.mark.parametrize("killed_every", [0, 1, 3])
def test_no_event_is_lost_or_logged_twice(run: Run, killed_every: int) -> None:
    what = told(run, "kept")
    want = {s.name: arrived(run, s) for s in what.streams}
    kept = Kept()
    follower = Follower(what, kept)
    for moment, _ in enumerate(growing(run, what.streams[0])):
        follower.look()
        if killed_every and moment % killed_every == 0:
            follower = Follower(what, kept)  # begins anew, from what the tracker holds
    follower.look()
    assert kept.runs == want


def test_a_tracker_that_fails_or_hangs_costs_one_line(
    run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Real processes, whose tracker is a module of that name which fails when it is imported, or never returns."""
    broken = tmp_path / "broken"
    broken.mkdir()
    for name, body in {
        "trackio": "import os\nraise SystemExit('no server at ' + os.environ['MY_API_KEY'] + '\\x1b[2J\\nmore')",
        "wandb": "import time\ntime.sleep(600)",
    }.items():
        (broken / f"{name}.py").write_text(body)
    monkeypatch.setattr("coopt.driver.tracking.beside._PATIENCE", 2.0)
    monkeypatch.setattr(sys, "path", [str(broken), *sys.path])
    monkeypatch.setenv("MY_API_KEY", "s3cret-value")
    config = run.config.model_copy(update={"tracking": load_config(tracking={"to": "trackio,wandb"}).tracking})
    lines: list[str] = []
    with tracked(Run(run.directory, config), lines.append):
        until = time.monotonic() + 300
        while not lines:  # of the one that fails; the other says nothing
            assert time.monotonic() < until
            time.sleep(0.05)
    assert sorted(lines) == [
        "tracking.to = trackio: SystemExit: no server at ***�[2J. The bench goes on without it.",
        "tracking.to = wandb: not done 2 s after the end, so stopped. The run is complete.",
    ]
    assert not any(b"s3cret" in p.read_bytes() for p in run.directory.rglob("*") if p.is_file())


def test_a_bench_that_fails_leaves_at_once(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    config = run.config.model_copy(update={"tracking": load_config(tracking={"to": "tensorboard"}).tracking})
    with pytest.raises(ZeroDivisionError), tracked(Run(run.directory, config), lambda line: None):
        raise ZeroDivisionError


def finished(what: Told) -> None:
    over = threading.Event()
    over.set()
    follow(what, over)


def test_tensorboard_reads_every_event_once_also_after_a_second_start(run: Run) -> None:
    pytest.importorskip("tensorboard")
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    what = told(run, "tensorboard")
    folder = what.folder / "tensorboard/opcod/seed0/s1"
    want = [e for e in arrived(run, stream_of(run)) if e]
    live = None
    for _ in range(2):
        finished(what)
        live = live or EventAccumulator(str(folder), size_guidance={"scalars": 0})
        for reader in (live, EventAccumulator(str(folder), size_guidance={"scalars": 0})):
            reader.Reload()
            tags = {name for e in want for name in e.values}
            assert set(reader.Tags()["scalars"]) == tags
            for tag in tags:
                points = [(p.step, pytest.approx(p.value, rel=1e-6)) for p in reader.Scalars(tag)]
                assert points == [(e.step, e.values[tag]) for e in want if tag in e.values]
    text = live.Tensors("settings/text_summary" if "settings/text_summary" in live.Tags()["tensors"] else "settings")
    settings = json.loads(text[0].tensor_proto.string_val[0].decode().strip("`"))
    assert settings["tracked"] == {"seed": 0, "method": "opcod", "student": "s1", "native": "physics"}
    assert settings["settings"]["rounds"]["steps"] == 1
    assert "critics" not in settings["settings"]


READ_TRACKIO = """
import json, sys
import trackio
from trackio.sqlite_storage import SQLiteStorage
runs = {r.name: SQLiteStorage.get_logs("coopt", r.name) for r in trackio.Api().runs("coopt")}
config = {r.name: r.config for r in trackio.Api().runs("coopt")}
json.dump([runs, config], sys.stdout, default=str)
"""


def test_trackio_holds_every_event_once_also_after_a_second_start(
    run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pytest.importorskip("trackio")
    monkeypatch.setenv("TRACKIO_DIR", str(tmp_path / "trackio"))
    config = run.config.model_copy(update={"tracking": load_config(tracking={"to": "trackio"}).tracking})
    shown = Run(run.directory, config)
    want = {s.name: [e for e in arrived(run, s) if e] for s in told(shown, "trackio").streams}
    for _ in range(2):
        lines: list[str] = []
        with tracked(shown, lines.append):
            pass
        assert lines == []
        done = subprocess.run([sys.executable, "-c", READ_TRACKIO], capture_output=True, text=True, check=True)
        runs, configs = json.loads(done.stdout)
        assert {n.split(" ", 2)[2] for n in runs} == set(want)
        assert {n.split(" ", 2)[0] for n in runs} == {"small"}
        for name, rows in runs.items():
            held = [{k: v for k, v in row.items() if k not in ("timestamp", "step")} for row in rows]
            assert [r["step"] for r in rows] == [e.step for e in want[name.split(" ", 2)[2]]]
            assert held == [e.values for e in want[name.split(" ", 2)[2]]]
            assert configs[name]["settings"]["rounds"]["steps"] == 1
            assert configs[name]["_Group"] == "small"


@pytest.mark.heavy
def test_wandb_offline_is_given_every_event_once(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("wandb")
    monkeypatch.setenv("WANDB_MODE", "offline")
    config = run.config.model_copy(update={"tracking": load_config(tracking={"to": "wandb"}).tracking})
    for kept in (4, 4):  # streams; the second start adds nothing
        lines: list[str] = []
        with tracked(Run(run.directory, config), lines.append):
            pass
        assert lines == []
        logged: dict[str, Any] = store.read_json(run.directory / "tracking/wandb.json")
        assert len(logged) == kept
    assert list((run.directory / "tracking/wandb").glob("offline-run-*/run-*.wandb"))
