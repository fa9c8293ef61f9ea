"""The smoke bench as a user runs it: on the CPU and on the card, in float32 and in bfloat16."""

from __future__ import annotations

import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

from benchmarks.gpu.found import Found
from benchmarks.gpu.models import Size
from coopt.core import store
from coopt.runs.results import stored_results
from coopt.runs.run import Run

SHORT = ("--method", "sdpo", "--set", "break_rate.questions=0", "--set", "rounds.rounds=1", "--set", "data.test=8")


def measure(size: Size) -> Found:
    found = Found()
    with tempfile.TemporaryDirectory() as folder:
        specialists = f"model.specialists='{folder}/specialists'"
        cases = {"cpu float32": ("cpu", "float32"), f"{size.device.type} bfloat16": (size.device.type, "bfloat16")}
        if not size.dry:
            cases["cuda float32"] = ("cuda", "float32")
        runs = {
            name: bench(size, Path(folder) / name.replace(" ", "-"), *how, specialists) for name, how in cases.items()
        }
        for name, done in runs.items():
            found.most(f"exit code of the smoke bench: {name}", done.returncode, 0)
            if done.returncode:
                found.figures[f"last line: {name}"] = (done.stderr.strip().splitlines() or ["–"])[-1]
        if not size.dry and not any(done.returncode for done in runs.values()):
            ours, theirs = (Path(folder) / "cuda-float32", Path(folder) / "cpu-float32")
            found.least("share of equal rollouts, cuda and cpu, float32", equal_texts(ours, theirs), 0.9)
            found.least("verdicts equal, cuda and cpu, float32", float(verdicts(ours) == verdicts(theirs)), 1)
    return found


def bench(size: Size, out: Path, device: str, dtype: str, specialists: str) -> subprocess.CompletedProcess[str]:
    settings = (f"run.device={device}", f"model.dtype={dtype}", specialists)
    arguments = [x for s in settings for x in ("--set", s)]
    arguments += SHORT if size.dry else ()
    return subprocess.run(
        [sys.executable, "-m", "coopt", "bench", "--smoke", "--out", str(out), *arguments],
        capture_output=True,
        text=True,
        timeout=400,
        check=False,
    )


def verdicts(run: Path) -> list[Any]:
    """What the run says of every change and comparison."""
    results = stored_results(run)
    return [*(c.verdict for c in results.pareto), *(c.verdict for c in results.comparisons)]


def equal_texts(a: Path, b: Path) -> float:
    """The share of the first step's rollouts whose texts are equal; later ones follow from other weights."""
    found = [[x for p in sorted(_rollouts(run)) for x in _texts(p)] for run in (a, b)]
    same = sum(x == y for x, y in zip(found[0], found[1], strict=True))
    return same / max(len(found[0]), 1)


def _rollouts(run: Path) -> list[Path]:
    opened = Run.open(run)
    seed = opened.config.seed
    return [opened.phase_files(seed, m, 1, s).rollouts for m in opened.config.methods for s in opened.topology.students]


def _texts(path: Path) -> list[str]:
    first = [group for group in store.read_lines(path) if group["step"] == 0]
    return [rollout["text"] for group in first for rollout in group["rollouts"]]
