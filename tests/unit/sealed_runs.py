"""Finished runs without models, made by the real driver: every task leaves what a worker leaves, sealed, and what it
leaves hangs on what it read. And the ways in which a file is damaged."""

from __future__ import annotations

import hashlib
import json
import random
import re
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from coopt.core import store
from coopt.core.config.load import load_config
from coopt.core.config.schema import Config
from coopt.core.phase_files import PhaseFiles
from coopt.driver.bench import finished, run_bench
from coopt.driver.folder import locked, prepare
from coopt.driver.tasks.inputs import check_inputs, check_weights, inputs, made_from
from coopt.driver.tasks.task import BreakRate, Score, Specialise, Task, Train, is_done
from coopt.runs.results import Results
from coopt.runs.run import Run
from tests.unit.small_runs import SKILL, SMALL, scores_of, step_of

ARGUMENTS = ["bench", "--topology", "pair"]


def config_of(**flags: Any) -> Config:
    """Two students, two rounds, sdpo and opcod."""
    settings = {**SMALL, "break_rate.questions": 2, "run.bootstrap": 100, "gate.kind": "always", "rounds.steps": 2}
    settings["rounds.keep_states"] = "true"  # their files are damaged too
    return load_config(**{"methods": ("sdpo", "opcod")} | flags, settings=[f"{k}={v}" for k, v in settings.items()])


class Working:
    """Performs tasks in this process. ``noise``: weights come out otherwise than before, as on a GPU."""

    def __init__(self, run: Run, noise: str = "") -> None:
        self.run = run
        self.noise = noise
        self.performed: list[str] = []

    def __call__(self, tasks: Sequence[Task]) -> None:
        for task in tasks:
            if not is_done(task, self.run):
                check_inputs(task, self.run)
                for phase, part in inputs(task, self.run):
                    if part == "model":
                        check_weights(self.run.phase_dir(*phase) / part)
                self.performed.append(task.label())
                self._do(task)

    def _do(self, task: Task) -> None:
        run, origin = self.run, made_from(task, self.run)
        if isinstance(task, Score):
            result = scores_of(run, task.seed, task.method, task.round, task.student, task.split, SKILL)
            result["seconds"] = time.perf_counter()  # the clock differs each time
            store.write_sealed(task.output(run), store.as_json(result), origin)
        elif isinstance(task, BreakRate):
            texts = run.probe_texts_path(task.seed, task.tutee)
            store.rewrite_lines(texts, [{"item": "q", "domain": "physics", "rollouts": [{"text": "a", "reward": 1.0}]}])
            result = {"version": 1, "domains": {}, "away": {}}
            store.write_sealed(task.output(run), store.as_json(result), origin, [texts])
        else:
            self._train(task, origin)

    def _train(self, task: Task, origin: Mapping[str, str]) -> None:
        files = PhaseFiles(task.output(self.run))
        beside: tuple[Path, ...] = ()
        if isinstance(task, Train):
            store.rewrite_lines(files.steps, [step_of(task.round - 1) | {"clock": time.perf_counter()}])
            store.rewrite_lines(files.rollouts, [{"step": 0, "item": "q", "domain": "physics", "rollouts": []}])
            beside = files.lines
        weights = hashlib.sha256(f"{task.label()}{sorted(origin.items())}{self.noise}".encode()).digest() * 20
        with store.new_directory(files.folder, origin, beside) as folder:
            (folder / "model").mkdir()
            (folder / "model/model.safetensors").write_bytes(weights)
            store.write_json(folder / "model/config.json", {"size": 7})
            if not isinstance(task, Specialise):
                with store.new_directory(folder / "state") as state:
                    (state / "state.safetensors").write_bytes(weights[::-1])
                    store.write_json(state / "step.json", {"step": 12})


def bench(config: Config, folder: Path, noise: str = "") -> tuple[list[str], Results]:
    """The same command: what it did anew, and its results."""
    done = finished(config, folder)
    if done:
        return [], done[1]
    with locked(folder):
        run = prepare(config, folder, ARGUMENTS)
        working = Working(run, noise)
        return working.performed, run_bench(run, working, force=True)


def tables(results: Results) -> dict[str, Any]:
    """Results without what the clock decides."""
    return results.model_dump(exclude={"costs", "run"})


# -- damage --------------------------------------------------------------------------------------------


def _empty(data: bytes) -> bytes | None:
    return b""


def _half(data: bytes) -> bytes | None:
    return data[: len(data) // 2]


def _flip(data: bytes) -> bytes | None:
    if not data:
        return None
    place = random.Random(len(data)).randrange(max(1, len(data) - 1))
    return data[:place] + bytes([data[place] ^ 1]) + data[place + 1 :]


def _digit(data: bytes) -> bytes | None:
    places = [m.start() for m in re.finditer(rb"[0-9]", data)]
    if not places or not data.isascii():
        return None
    place = places[len(places) // 2]
    return data[:place] + str((data[place] - 47) % 10).encode() + data[place + 1 :]


def _other_json(data: bytes) -> bytes | None:
    """The same keys, another value: of a file of lines in its last line."""
    try:
        *before, last = data.decode().splitlines() if data.startswith(b'{"') else [data.decode()]
        tree = json.loads(last)
    except ValueError:
        return None
    if not isinstance(tree, dict) or not tree:
        return b"[[3]]" if tree != [[3]] else b"[[4]]"
    key = sorted(tree)[-1]
    tree[key] = {"list": [5], "dict": {"a": 5}, "str": "other"}.get(type(tree[key]).__name__, 5)
    text = json.dumps(tree) if before else json.dumps(tree, indent=1)
    return ("\n".join([*before, text]) + "\n").encode()


DAMAGE: dict[str, Callable[[bytes], bytes | None]] = {
    "empty": _empty, "half": _half, "flip": _flip, "digit": _digit, "other json": _other_json,
}  # fmt: skip
"""Name -> the content that takes the place of a file's; None where this cannot be done to it."""
DELETED = "deleted"


def damage(path: Path, how: str) -> bool:
    """Do it; False if that is no change."""
    if how == DELETED:
        path.unlink()
        return True
    data = path.read_bytes()
    other = DAMAGE[how](data)
    if other is None or other == data:
        return False
    path.write_bytes(other)
    return True


def kinds(folder: Path) -> dict[str, Path]:
    """One file of every kind that a run has, found by walking: names of students, rounds, seeds and splits left out."""
    found: dict[str, Path] = {}
    for path in sorted(p for p in folder.rglob("*") if p.is_file()):
        place = path.relative_to(folder).as_posix()
        kind = re.sub(r"\b(r?\d+|s\d+|sdpo|opcod|validation|test|init(?=/scores)|base)\b", "*", place)
        found.setdefault(re.sub(r"progress/.*", "progress/*", kind), path.relative_to(folder))
    return found
