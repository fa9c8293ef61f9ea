"""Whether there may be a GPU, told without torch."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from coopt.core import gpus
from coopt.core.processes import process_context


def test_only_where_there_is_a_device_is_torch_asked(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delitem(sys.modules, "torch", raising=False)
    monkeypatch.setattr(sys, "platform", "linux")
    monkeypatch.setattr(gpus, "_DEVICES", (str(tmp_path / "card"),))
    assert not gpus.may_have_gpu()
    assert process_context().get_start_method() == "forkserver"
    assert "torch" not in sys.modules
    (tmp_path / "card").touch()
    assert gpus.may_have_gpu()


def test_elsewhere_torch_is_asked(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delitem(sys.modules, "torch", raising=False)
    monkeypatch.setattr(gpus, "_DEVICES", ())
    monkeypatch.setattr(sys, "platform", "win32")
    assert gpus.may_have_gpu()
