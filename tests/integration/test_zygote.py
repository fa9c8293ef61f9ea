"""A forked ``coopt`` (tests/zygote.py) is what a fresh one is."""

from __future__ import annotations

import signal
import subprocess
from pathlib import Path

import psutil
import pytest

from tests.integration.conftest import SMOKE, Coopt, tables, weights
from tests.zygote import zygote

pytestmark = pytest.mark.slow
SMALL = (
    *SMOKE, "--method", "opcod", "--set", "break_rate.questions=0", "--set", "rounds.rounds=1", "--set",
    "rounds.steps=1", "--set", "gate.kind=always",
)  # fmt: skip


def test_a_fork_makes_what_a_fresh_process_makes(coopt: Coopt, tmp_path: Path) -> None:
    for name, fresh in (("forked", False), ("fresh", True)):
        done = coopt(*SMALL, "--out", name, fresh=fresh)
        assert done.returncode == 0, done.stderr
    assert tables(tmp_path / "forked") == tables(tmp_path / "fresh")
    assert weights(tmp_path / "forked") == weights(tmp_path / "fresh") != {}


@pytest.mark.parametrize("arguments", [("topo", "draw", "ring"), ("bench", "--smoke", "--set", "rounds"), ("--help",)])
def test_a_fork_says_what_a_fresh_process_says(coopt: Coopt, arguments: tuple[str, ...]) -> None:
    forked, fresh = coopt(*arguments), coopt(*arguments, fresh=True)
    assert (forked.returncode, forked.stdout, forked.stderr) == (fresh.returncode, fresh.stdout, fresh.stderr)


def test_a_signal_and_a_time_limit_end_a_fork(coopt: Coopt) -> None:
    children = psutil.Process(zygote()._process.pid).children  # by then it is there
    assert coopt(*SMALL, "--out", "run", COOPT_KILL_AT="step:1").returncode == -signal.SIGKILL
    with pytest.raises(subprocess.TimeoutExpired):
        coopt(*SMALL, "--out", "run", timeout=1)
    assert children(recursive=True) == []
    assert coopt("--version").returncode == 0


def test_a_variable_that_is_read_early_needs_a_fresh_process() -> None:
    here = dict(zygote()._environment)
    assert zygote().can(here | {"COOPT_KILL_AT": "step:1", "PYTEST_CURRENT_TEST": "x"})
    assert not zygote().can(here | {"OMP_NUM_THREADS": "7"})
