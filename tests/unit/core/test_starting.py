"""How workers start: as helpers that end with their bench; without their server it is one line, and no interrupt."""

from __future__ import annotations

import os
from multiprocessing import context
from typing import Any

import pytest

from coopt.core import processes
from coopt.core.errors import KilledError
from coopt.core.processes import new_pool, process_context
from coopt.core.sweeper import MARK
from coopt.core.temporary import own_folder
from coopt.driver.tasks.cards import pool_on


@pytest.mark.parametrize("error", [EOFError("unexpected EOF"), ConnectionResetError(), BrokenPipeError()])
def test_a_killed_server_is_no_ctrl_c(monkeypatch: pytest.MonkeyPatch, error: Exception) -> None:
    def start(self: object) -> None:
        raise error

    monkeypatch.setattr(context.ForkServerProcess, "start", start)
    process = process_context().Process(target=print)  # type: ignore[attr-defined]
    with pytest.raises(KilledError, match="run the same command again"):
        process.start()


def test_workers_with_gpus_of_their_own_start_as_others_do(monkeypatch: pytest.MonkeyPatch) -> None:
    """As helpers, and with threads that do not spin while they wait."""
    made: list[tuple[int, str | None, str | None]] = []

    def noted(workers: int, how: Any, **more: Any) -> None:
        made.append((workers, os.environ.get(MARK), os.environ.get("OMP_WAIT_POLICY")))

    monkeypatch.setattr(processes, "ProcessPoolExecutor", noted)
    for start in (lambda: new_pool(2, 1), lambda: pool_on(["4", "5"], 1)):
        monkeypatch.setenv("OMP_WAIT_POLICY", "")
        monkeypatch.delenv("OMP_WAIT_POLICY")
        start()
    assert made == [(2, str(own_folder()), "passive")] * 2
