"""Files of a run: every write is atomic, every directory is complete or absent, and outputs are sealed
(``coopt.core.seals``)."""

from __future__ import annotations

import json
import os
import secrets
import shutil
import tempfile
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from coopt.core import seals
from coopt.core.errors import DamagedError

COMPLETE = seals.COMPLETE
_NOTHING: Mapping[str, str] = {}


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
    write_text(path, as_json(value))


def as_json(value: Any) -> str:
    """The text of a JSON file."""
    return json.dumps(value, allow_nan=False, indent=1, sort_keys=True) + "\n"


def write_sealed(
    path: Path, text: str, made_from: Mapping[str, str] = _NOTHING, beside: Iterable[Path] = (), *, kept: bool = False
) -> None:
    """Write a whole file and its seal, which also holds for the files ``beside`` it. ``kept``: the seal holds the text,
    for ``read_kept``."""
    content = text.encode()
    files = seals.sums({p.name: p for p in beside}) | {path.name: seals.sum_of(content)}
    with replacing(path) as temporary:
        temporary.write_bytes(content)
        # The seal comes first: a file without one would be an earlier coopt's, which is believed.
        write_json(seals.sidecar(path), seals.Seal(files, made_from, text if kept else "").tree())


def read_sealed(path: Path, output: Path | None = None, parse: Callable[[str], Any] = json.loads) -> Any:
    """The JSON of a file of an output (by default the file is the output). Raises ``DamagedError`` if it is not what
    was written, or no JSON."""
    try:
        return parse(seals.checked(path, output or path).decode())
    except DamagedError:
        raise
    except (ValueError, RecursionError):
        raise DamagedError(f"{path}: is torn, or no JSON. {seals.REPAIR}", output or path) from None


def read_sealed_lines(path: Path, output: Path) -> list[Any]:
    """As ``read_lines``, of a file of an output. Raises ``DamagedError``."""
    try:
        found: list[Any] = read_sealed(path, output, _lines)
        return found
    except FileNotFoundError:
        return []


def read_kept(path: Path) -> Any:
    """The JSON of a small file, else what its seal has kept of it. Raises ``DamagedError``."""
    try:
        return read_sealed(path)
    except (DamagedError, FileNotFoundError) as error:
        try:
            seal = seals.read_seal(path)
        except DamagedError:  # the file itself may be whole: what it says is looked at by whoever asks
            return _unsealed(path, error)
        if seal is None or not seal.copy:
            raise
        return json.loads(seal.copy)


def read_or(path: Path, default: Any) -> Any:
    """The JSON of a file that only says how far something is; ``default`` if it cannot be read."""
    try:
        return read_json(path)
    except (FileNotFoundError, ValueError, RecursionError):
        return default


def _unsealed(path: Path, error: Exception) -> Any:
    try:
        return read_json(path)
    except (ValueError, RecursionError, FileNotFoundError):
        what = "missing" if isinstance(error, FileNotFoundError) else "damaged"
        raise DamagedError(f"{path}: is {what}, and its copy is damaged.", path) from None


def is_kept(path: Path) -> bool:
    """Whether ``read_kept`` has something to read."""
    return path.is_file() or seals.sidecar(path).is_file()


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
def new_directory(path: Path, made_from: Mapping[str, str] = _NOTHING, beside: Iterable[Path] = ()) -> Iterator[Path]:
    """Fill a directory under another name; on success seal it and rename it to ``path``. ``beside``: files beside it
    that belong to it and are sealed with it."""
    yield begin_directory(path)
    complete_directory(path, made_from, beside)


def temporary_of(path: Path) -> Path:
    """The name under which a directory is filled."""
    return path.with_name(f"{path.name}.tmp")


def begin_directory(path: Path) -> Path:
    """An empty directory in which to make ``path``."""
    temporary = temporary_of(path)
    shutil.rmtree(temporary, ignore_errors=True)
    temporary.mkdir(parents=True)
    return temporary


def complete_directory(path: Path, made_from: Mapping[str, str] = _NOTHING, beside: Iterable[Path] = ()) -> None:
    """Mark what was made for ``path`` complete, by its seal, and put it there."""
    seal = seals.seal_folder(temporary_of(path), path.name, [p for p in beside if p.is_file()], made_from)
    mark = temporary_of(path) / COMPLETE
    write_json(mark, seal.tree())
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
    append_text(path, "".join(json.dumps(v, allow_nan=False, sort_keys=True) + "\n" for v in values))


def append_text(path: Path, text: str) -> None:
    """Append whole lines in one write, flushed to disk."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("a", encoding="utf-8") as file:
        file.write(text)
        file.flush()
        os.fsync(file.fileno())


def rewrite_lines(path: Path, values: Iterable[Any]) -> None:
    """Replace the file by these JSON lines, atomically (also mends a torn last line)."""
    write_text(path, "".join(json.dumps(v, allow_nan=False, sort_keys=True) + "\n" for v in values))


def read_lines(path: Path) -> list[Any]:
    """All whole JSON lines. A torn last line (the writer was killed) is left out."""
    return _lines(path.read_text(encoding="utf-8")) if path.is_file() else []


def _lines(text: str) -> list[Any]:
    whole = text[: text.rfind("\n") + 1]
    return [json.loads(line) for line in whole.splitlines() if line]
