"""Finished benches as one small file each: what their tables are made of, without weights and transcripts.

So a sweep can be made in several goes on machines that share no disk, and its results published with a repository. A
bench that was brought back from its file can be read but not continued: its weights are elsewhere.
"""

from __future__ import annotations

import io
import lzma
import shutil
import tarfile
from pathlib import Path

from coopt.core import store
from coopt.core.errors import RunError
from coopt.core.outside.archive import files_in
from coopt.core.outside.files import UnreadableError, read_bytes
from coopt.driver.sweep.cells import Cell

_FOLDERS = {"model", "state", "progress", "jobs"}
_ENDINGS = (".rollouts.jsonl", ".texts.jsonl", ".advantages.jsonl", ".checkpoints", ".tmp", ".lock", ".log")
"""What is left out: nothing of it is read for a table."""


def archive_of(cell: Cell, folder: Path) -> Path:
    """Where a cell's file lies."""
    return folder / cell.arm.name / f"seed-{cell.seed}.tar.xz"


def keep(cell: Cell, folder: Path) -> Path:
    """Write a finished cell's file. The same results give the same bytes."""
    path = archive_of(cell, folder)
    with (
        store.replacing(path) as temporary,
        lzma.open(temporary, "wb") as packed,
        tarfile.open(fileobj=packed, mode="w", format=tarfile.PAX_FORMAT) as tar,
    ):
        for file in sorted(p for p in cell.directory.rglob("*") if p.is_file()):
            name = file.relative_to(cell.directory)
            if _FOLDERS.isdisjoint(name.parts) and not any(part.endswith(_ENDINGS) for part in name.parts):
                content = read_bytes(file, None)
                member = tarfile.TarInfo(name.as_posix())  # no owner, no time
                member.size = len(content)
                tar.addfile(member, io.BytesIO(content))
    return path


def bring(cell: Cell, folder: Path) -> bool:
    """Put what a cell's file holds into its folder, if the cell has none yet. Raises ``RunError``.

    The file is untrusted: plain files inside the folder are taken from it, and nothing else.
    """
    path = archive_of(cell, folder)
    if cell.directory.exists() or not path.is_file():
        return False
    temporary = store.begin_directory(cell.directory)
    try:
        for name, content in files_in(path):
            (temporary / name).parent.mkdir(parents=True, exist_ok=True)
            (temporary / name).write_bytes(content)
    except (UnreadableError, FileExistsError, IsADirectoryError, NotADirectoryError) as error:
        shutil.rmtree(temporary)
        raise RunError(
            f"{path}: not the file of a finished bench ({error}). Delete it: the same command runs the bench again."
        ) from None
    temporary.rename(cell.directory)
    return True
