"""Every part of the GPU acceptance goes through on a CPU with tiny shapes, so none is broken when a GPU is there."""

from __future__ import annotations

import subprocess
import sys

import pytest

from benchmarks.gpu.__main__ import PARTS, ROOT, perform
from benchmarks.gpu.found import Accepted, Check, Found
from benchmarks.gpu.models import Size

QUICK = ("numerics", "decoding", "step", "losses", "adapters")


@pytest.mark.slow
@pytest.mark.parametrize("part", QUICK)
def test_a_part_passes_dry(part: str) -> None:
    found = perform(part, Size(dry=True))
    assert found.state == "passed", [c for c in found.checks if not c.holds]


@pytest.mark.heavy
@pytest.mark.parametrize("part", [p for p in PARTS if p not in QUICK])
def test_a_part_passes_dry_with_what_is_installed(part: str) -> None:
    command = [sys.executable, "-m", "benchmarks.gpu", part, "--dry"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=900, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    assert done.stdout.splitlines()[-1] == "1 of 1 parts passed"


def test_a_part_without_checks_or_with_one_that_does_not_hold_has_failed() -> None:
    assert Found().state == "failed"
    assert Found(checks=[Check(what="x", value=1, bound=2)]).state == "passed"
    assert Found(checks=[Check(what="x", value=float("nan"), bound=2)]).state == "failed"
    assert Found(checks=[Check(what="x", value=1, bound=2, at_least=True)]).state == "failed"
    assert Found(checks=[Check(what="x", value=1, bound=2)], why="ended").state == "failed"
    made = Accepted(machine={}, dry=True, parts={"a": Found(), "b": Found(left_out=True)})
    assert made.last_line() == "0 of 2 parts passed; failed: a; left out: b"


def test_without_a_gpu_it_says_so() -> None:
    command = [sys.executable, "-m", "benchmarks.gpu"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=100, check=False)
    assert (done.returncode, done.stderr.strip()) == (
        1, "no GPU is seen by torch here. On a CPU: python -m benchmarks.gpu --dry",
    )  # fmt: skip
