"""A failed write is told in one way, whoever tried to write."""

from __future__ import annotations

import errno
import os
from pathlib import Path

import pytest
from safetensors import SafetensorError

from coopt.core import store
from coopt.core.full import cannot_write


@pytest.mark.parametrize(
    "error",
    [
        OSError(errno.ENOSPC, "No space left on device", "/run/x"),
        OSError(errno.EDQUOT, "Disk quota exceeded", "/run/x"),
        OSError(errno.EROFS, "Read-only file system", "/run/x"),
        SafetensorError("Error while serializing: I/O error: No space left on device (os error 28)"),
        RuntimeError("[enforce fail at inline_container.cc:664] . unexpected pos 64 vs 0"),
    ],
)
def test_what_is_said(error: Exception) -> None:
    said = cannot_write(error)
    assert said is not None
    assert "\n" not in said
    assert "make room or choose another --out, then run the same command again" in said


@pytest.mark.parametrize(
    "error", [FileNotFoundError(errno.ENOENT, "No such file"), RuntimeError("CUDA error"), ValueError("I/O error")]
)
def test_other_errors_are_no_full_disk(error: Exception) -> None:
    assert cannot_write(error) is None


def test_a_file_where_a_folder_should_be_is_no_traceback(tmp_path: Path) -> None:
    """As of ``coopt export RUN --out FILE``."""
    (tmp_path / "file").write_text("")
    with pytest.raises(FileExistsError) as found:
        store.write_text(tmp_path / "file" / "outcomes.csv", "")
    said = cannot_write(found.value)
    assert said is not None
    assert said.startswith(f"File exists ({tmp_path}/file). ")
    assert "give another path" in said


@pytest.mark.parametrize("code", [errno.ENOSPC, errno.EDQUOT])
def test_a_disk_may_say_that_it_is_full_when_a_file_is_flushed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, code: int
) -> None:
    """As network file systems do, which take what is written and see later whether there is room."""

    def full(descriptor: int) -> None:
        raise OSError(code, os.strerror(code))

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(OSError, match=os.strerror(code)) as error:
        store.write_text(tmp_path / "results.json", "{}")
    assert "make room" in str(cannot_write(error.value))
    assert list(tmp_path.iterdir()) == []


def test_a_real_one() -> None:
    full = Path("/dev/full")
    if not full.exists():
        pytest.skip("no /dev/full here")
    with pytest.raises(OSError, match="No space") as error:
        full.write_text("x")
    assert cannot_write(error.value) is not None
