"""A worker that cannot be started because its server was killed: one line, and no interrupt."""

from __future__ import annotations

from multiprocessing import context

import pytest

from coopt.core.errors import KilledError
from coopt.core.processes import process_context


@pytest.mark.parametrize("error", [EOFError("unexpected EOF"), ConnectionResetError(), BrokenPipeError()])
def test_a_killed_server_is_no_ctrl_c(monkeypatch: pytest.MonkeyPatch, error: Exception) -> None:
    def start(self: object) -> None:
        raise error

    monkeypatch.setattr(context.ForkServerProcess, "start", start)
    process = process_context().Process(target=print)  # type: ignore[attr-defined]
    with pytest.raises(KilledError, match="run the same command again"):
        process.start()
