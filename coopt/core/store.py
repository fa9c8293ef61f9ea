"""Files of a run: every write is atomic, every directory is complete or absent, and outputs are sealed
(``coopt.core.seals``)."""

from __future__ import annotations

import json
import os
import secrets
import shutil
import tempfile
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, BinaryIO

from coopt.core import seals
from coopt.core.errors import DamagedError
from coopt.core.outside.files import MOST_OF_A_RUN, UnreadableError, decoded, read_text
from coopt.core.outside.parse import parse_lines, parse_own
from coopt.core.outside.shapes import ANY, Shape, fits, lines_of

COMPLETE = seals.COMPLETE
_NOTHING: Mapping[str, str] = {}
_BLOCK = 1 << 16  # bytes that are read at once from the end of a file


@contextmanager
def replacing(path: Path) -> Iterator[Path]:
    """A temporary file in the same directory to write to; on success it is flushed to disk and renamed to ``path``."""
    path.parent.mkdir(parents=True, exist_ok=True)
    name = path.with_name(f".{path.name}.{secrets.token_hex(6)}.tmp")
    # Not by tempfile, whose files only their owner may read: colleagues read runs, and the umask says who may.
    os.close(os.open(name, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o666))
    try:
        yield name
        _to_disk(name)
        os.replace(name, path)
    except BaseException:
        name.unlink(missing_ok=True)
        raise


def _to_disk(path: Path) -> None:
    """Flush a file. Its errors remain ``OSError``: a full disk or a quota may be told here first."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


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


def read_sealed(
    path: Path, output: Path | None = None, shape: Shape = ANY, parse: Callable[[str], Any] = parse_own
) -> Any:
    """The JSON of a file of an output (by default the file is the output). Raises ``DamagedError`` if it is not what
    was written, or no JSON of this shape."""
    content = seals.checked(path, output or path)
    try:
        return fits(parse(decoded(content)), shape)
    except UnreadableError as error:
        raise DamagedError(f"{path}: is damaged: {error}. {seals.REPAIR}", output or path) from None


def read_sealed_lines(path: Path, output: Path, shape: Shape = ANY) -> list[Any]:
    """As ``read_lines``, of a file of an output. Raises ``DamagedError``."""
    try:
        found: list[Any] = read_sealed(path, output, parse=lambda text: lines_of(shape)(parse_lines(text)))
        return found
    except FileNotFoundError:
        return []


def read_kept(path: Path, shape: Shape = ANY) -> Any:
    """The JSON of a small file, else what its seal has kept of it. Raises ``DamagedError``."""
    try:
        return read_sealed(path, shape=shape)
    except (DamagedError, FileNotFoundError) as error:
        try:
            seal = seals.read_seal(path)
        except DamagedError:  # the file itself may be whole: what it says is looked at by whoever asks
            return _unsealed(path, shape, error)
        if seal is None or not seal.copy:
            raise
        try:
            return fits(parse_own(seal.copy), shape)
        except UnreadableError:
            raise DamagedError(f"{path}: is damaged, and so is its copy.", path) from None


def read_or(path: Path, default: Any) -> Any:
    """The JSON of a file that only says how far something is; ``default`` if it cannot be read."""
    try:
        return read_json(path)
    except (FileNotFoundError, DamagedError):
        return default


def _unsealed(path: Path, shape: Shape, error: Exception) -> Any:
    try:
        return read_json(path, shape)
    except (DamagedError, FileNotFoundError):
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


def read_json(path: Path, shape: Shape = ANY) -> Any:
    """The JSON of a file that is not sealed. Raises ``DamagedError``, and ``FileNotFoundError``."""
    return _read(path, lambda text: fits(parse_own(text), shape))


def _read(path: Path, parse: Callable[[str], Any]) -> Any:
    try:
        return parse(read_text(path, MOST_OF_A_RUN))
    except UnreadableError as error:
        raise DamagedError(f"{path}: is damaged: {error}. {seals.REPAIR}", path) from None


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


def remove_directory(path: Path) -> None:
    """Take a directory away at once: whoever is killed meanwhile leaves none of it under its name, and the next call
    takes the rest."""
    gone = path.with_name(f"{path.name}.gone")
    shutil.rmtree(gone, ignore_errors=True)
    with suppress(OSError):  # there is none, or it may not be touched
        os.replace(path, gone)
    shutil.rmtree(gone, ignore_errors=True)


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
    """Append whole lines in one write, flushed to disk, to a file whose end is mended first."""
    path.parent.mkdir(parents=True, exist_ok=True)
    mend_end(path)
    with path.open("a", encoding="utf-8") as file:
        file.write(text)
        file.flush()
        os.fsync(file.fileno())


def mend_end(path: Path) -> None:
    """Let the last line of a file of records be a whole one: half a record (its writer was killed) goes, anything else
    (an editor left out the line end) gets its end."""
    if not path.is_file():
        return
    with path.open("r+b") as file:
        rest = _after_last_line(file)
        if rest.lstrip().startswith(b"{") and not _is_record(rest):
            file.truncate(file.seek(0, os.SEEK_END) - len(rest))
        elif rest:
            file.seek(0, os.SEEK_END)
            file.write(b"\n")


def _after_last_line(file: BinaryIO) -> bytes:
    """What a file holds after its last line end."""
    start = file.seek(0, os.SEEK_END)
    blocks: list[bytes] = []
    while start and not (blocks and b"\n" in blocks[-1]):
        step = min(start, _BLOCK)
        start = file.seek(start - step)
        blocks.append(file.read(step))
    return b"".join(reversed(blocks)).rpartition(b"\n")[2]


def _is_record(line: bytes) -> bool:
    """Whether a line is a whole JSON object: no part of one is."""
    try:
        return isinstance(parse_own(decoded(line)), dict)
    except UnreadableError:
        return False


def rewrite_lines(path: Path, values: Iterable[Any]) -> None:
    """Replace the file by these JSON lines, atomically (also mends a torn last line)."""
    write_text(path, "".join(json.dumps(v, allow_nan=False, sort_keys=True) + "\n" for v in values))


def read_lines(path: Path, shape: Shape = ANY) -> list[Any]:
    """All whole JSON lines; none where there is no file. A torn last line (the writer was killed) is left out. Raises
    ``DamagedError``."""
    found: list[Any] = _read(path, lambda text: lines_of(shape)(parse_lines(text))) if path.exists() else []
    return found
