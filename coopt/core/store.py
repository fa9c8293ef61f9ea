"""Files of a run: every write is atomic, every directory is complete or absent."""

from __future__ import annotations

import json
import os
import secrets
import shutil
import tempfile
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

VERSION = 1
COMPLETE = "COMPLETE"


@contextmanager
def replacing(path: Path) -> Iterator[Path]:
    """A temporary file in the same directory to write to; on success it is flushed to disk and renamed to ``path``."""
    path.parent.mkdir(parents=True, exist_ok=True)
    name = path.with_name(f".{path.name}.{secrets.token_hex(6)}.tmp")
    # Not by tempfile, whose files only their owner may read: colleagues read runs, and the umask says who may.
    os.close(os.open(name, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o666))
    try:
        yield name
        with name.open("rb") as file:
            os.fsync(file.fileno())
        os.replace(name, path)
    except BaseException:
        name.unlink(missing_ok=True)
        raise


def write_text(path: Path, text: str) -> None:
    """Write a whole file, or nothing."""
    with replacing(path) as temporary:
        temporary.write_text(text, encoding="utf-8")


def write_json(path: Path, value: Any) -> None:
    """Strict JSON: a NaN is an error here, not a surprise for the reader."""
    write_text(path, json.dumps(value, allow_nan=False, indent=1, sort_keys=True) + "\n")


def create_json(path: Path, value: Any) -> bool:
    """Write a file that does not exist yet; False if it exists. Of two writers one succeeds (a link is atomic, also on
    NFS), and nobody sees half a file."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=path.parent, prefix=".new-") as folder:
        whole = Path(folder) / path.name
        write_json(whole, value)
        try:
            os.link(whole, path)
        except FileExistsError:
            return False
    return True


def read_json(path: Path) -> Any:
    return json.loads(path.read_text(encoding="utf-8"))


@contextmanager
def new_directory(path: Path) -> Iterator[Path]:
    """Fill a directory under another name; on success mark it complete and rename it to ``path``."""
    yield begin_directory(path)
    complete_directory(path)


def temporary_of(path: Path) -> Path:
    """The name under which a directory is filled."""
    return path.with_name(f"{path.name}.tmp")


def begin_directory(path: Path) -> Path:
    """An empty directory in which to make ``path``."""
    temporary = temporary_of(path)
    shutil.rmtree(temporary, ignore_errors=True)
    temporary.mkdir(parents=True)
    return temporary


def complete_directory(path: Path) -> None:
    """Mark what was made for ``path`` complete and put it there."""
    mark = temporary_of(path) / COMPLETE
    write_json(mark, {"version": VERSION})
    _same_mode(temporary_of(path), mark.stat().st_mode)
    shutil.rmtree(path, ignore_errors=True)  # only an incomplete one can be there
    os.replace(temporary_of(path), path)


def _same_mode(folder: Path, mode: int) -> None:
    """Libraries write some files (safetensors its weights) for their owner alone; here all have one mode."""
    for file in folder.rglob("*"):
        if file.is_file() and not file.is_symlink() and file.stat().st_mode != mode:
            file.chmod(mode)


def is_complete(path: Path) -> bool:
    return (path / COMPLETE).is_file()


def append_lines(path: Path, values: Iterable[Any]) -> None:
    """Append JSON lines in one write, flushed to disk."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("a", encoding="utf-8") as file:
        file.write("".join(json.dumps(v, allow_nan=False, sort_keys=True) + "\n" for v in values))
        file.flush()
        os.fsync(file.fileno())


def rewrite_lines(path: Path, values: Iterable[Any]) -> None:
    """Replace the file by these JSON lines, atomically (also mends a torn last line)."""
    write_text(path, "".join(json.dumps(v, allow_nan=False, sort_keys=True) + "\n" for v in values))


def read_lines(path: Path) -> list[Any]:
    """All whole JSON lines. A torn last line (the writer was killed) is left out."""
    if not path.is_file():
        return []
    text = path.read_text(encoding="utf-8")
    whole = text[: text.rfind("\n") + 1]
    return [json.loads(line) for line in whole.splitlines() if line]
