"""Who may read the files of a run: whom the umask says, whatever wrote them."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file

from coopt.core import store
from coopt.core.meter import Meter, note_error
from tests.integration.conftest import run_coopt

pytestmark = pytest.mark.slow


def umask() -> int:
    now = os.umask(0)
    os.umask(now)
    return now


def wrong(folder: Path, mask: int) -> list[str]:
    """Files and folders whose mode is not what the umask leaves."""
    found = []
    for path in sorted(folder.rglob("*")):
        want = (0o777 if path.is_dir() else 0o666) & ~mask
        if path.stat().st_mode & 0o777 != want:
            found.append(f"{path.relative_to(folder)}: {path.stat().st_mode & 0o777:o}, not {want:o}")
    return found


def test_every_file_of_a_run_has_the_mode_of_the_umask(smoke_run: Path, tmp_path: Path) -> None:
    """Settings, journal, scores, weights, checkpoint state, records, meters, results; the export and the page."""
    done = run_coopt("export", str(smoke_run), "--out", "kept/export", at=tmp_path)
    assert done.returncode == 0, done.stderr
    done = run_coopt("report", str(smoke_run), "--html", "kept/page.html", at=tmp_path)
    assert done.returncode == 0, done.stderr
    assert wrong(smoke_run, umask()) == []
    assert wrong(tmp_path, umask()) == []


@pytest.mark.parametrize("mask", [0o022, 0o002, 0o077])
def test_what_writes_files_asks_the_umask(tmp_path: Path, mask: int) -> None:
    before = os.umask(mask)
    try:
        folder = tmp_path / "run"
        store.write_json(folder / "a.json", 1)
        store.write_json(folder / "a.json", 2)
        store.create_json(folder / "b.json", 1)
        store.append_lines(folder / "c.jsonl", [1])
        store.rewrite_lines(folder / "c.jsonl", [1])
        with store.new_directory(folder / "d") as inside:
            store.write_text(inside / "e", "")
            save_file({"x": torch.zeros(2)}, inside / "f.safetensors")
        Meter(folder / "f.json", 1).add(1)
        note_error(folder / "f.json", ValueError("x"))
    finally:
        os.umask(before)
    assert wrong(tmp_path, mask) == []
    assert len(list(tmp_path.rglob("*"))) == 10
