"""Checksums of what was written: a seal says what an output's files hold, and what they were made from.

The seal of a folder is its marker ``COMPLETE``; that of a file is a file beside it, ``NAME.seal``. What an earlier
coopt left has none: it is not sealed, which is no damage.
"""

from __future__ import annotations

import hashlib
import json
import os
import time
from collections.abc import Iterable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath
from typing import Any, Literal, NamedTuple

from coopt.core.errors import DamagedError, RunError
from coopt.core.outside.files import MOST_OF_A_RUN, TooMuchError, UnreadableError, opened, read_bytes, read_text
from coopt.core.outside.parse import parse_json

COMPLETE = "COMPLETE"
SEAL = ".seal"
VERSION = 2
"""Of a seal. A marker of version 1 said that a folder is complete and no more."""
_PART = 1 << 25  # bytes of a large file that one thread reads
_READ = 1 << 20
_INLINE = 1 << 26  # bytes for which no threads are started
_LARGE = 1 << 28  # bytes of a file of weights that is read anew only where there is a reason


class FileSum(NamedTuple):
    """``digest``: SHA-256; of a file of several parts that of their digests; of a link what it points to."""

    digest: str
    size: int


class Fault(NamedTuple):
    """A file that is not what was sealed. ``name``: from the folder in which the output lies."""

    name: str
    why: str
    missing: bool = False


@dataclass(frozen=True)
class Seal:
    """What an output holds. ``files``: by their names from the folder in which the output lies (files beside it may be
    among them); ``made_from``: what went into it -> its fingerprint; ``copy``: the text itself of a small file that
    could not be made again."""

    files: Mapping[str, FileSum]
    made_from: Mapping[str, str] = field(default_factory=dict)
    copy: str = ""

    def tree(self) -> dict[str, Any]:
        """As JSON, with a digest of its own."""
        tree: dict[str, Any] = {
            "version": VERSION,
            "files": {name: list(found) for name, found in sorted(self.files.items())},
            "from": dict(self.made_from),
        } | ({"copy": self.copy} if self.copy else {})
        return tree | {"own": own_digest(tree)}

    @property
    def digest(self) -> str:
        return own_digest({k: v for k, v in self.tree().items() if k != "own"})

    def fingerprint(self, output: Path) -> str:
        """Of what lies in a folder, its markers and the files beside it left out: equal weights have equal ones."""
        inside = {n: s for n, s in self.files.items() if n.startswith(f"{output.name}/") and not n.endswith(COMPLETE)}
        return own_digest({name: found.digest for name, found in inside.items()}) if inside else ""


def own_digest(tree: Any) -> str:
    return hashlib.sha256(json.dumps(tree, sort_keys=True).encode()).hexdigest()


def seal_path(output: Path) -> Path:
    """Where the seal of an output lies: in a folder, beside a file."""
    return output / COMPLETE if output.is_dir() else sidecar(output)


def sidecar(file: Path) -> Path:
    """Where the seal of a file lies."""
    return file.with_name(file.name + SEAL)


def read_seal(output: Path) -> Seal | None:
    """The seal of an output; None if it is not sealed. Raises ``DamagedError``."""
    return read_seal_at(seal_path(output), output)


def read_seal_at(path: Path, output: Path) -> Seal | None:
    """As ``read_seal``; the seal lies at ``path``."""
    try:
        tree = parse_json(read_text(path, MOST_OF_A_RUN))
        if tree == {"version": 1}:
            return None
        if tree.pop("own") != own_digest(tree) or tree["version"] != VERSION:
            raise ValueError
        files = {_inside(name): FileSum(*found) for name, found in tree["files"].items()}
        return _typed(Seal(files, tree["from"], tree.get("copy", "")))
    except FileNotFoundError:
        return None
    except (ValueError, KeyError, TypeError, AttributeError):
        raise DamagedError(f"{path}: the seal itself is damaged. {REPAIR}", output) from None


REPAIR = "The same coopt bench command as before makes it again (what else is: coopt check RUN)."


def _typed(seal: Seal) -> Seal:
    """A digest of its own is no proof of who wrote it."""
    names = all(isinstance(s.digest, str) and type(s.size) is int for s in seal.files.values())
    origins = isinstance(seal.made_from, dict) and all(isinstance(v, str) for v in seal.made_from.values())
    if not names or not origins or not isinstance(seal.copy, str):
        raise ValueError
    return seal


def _inside(name: str) -> str:
    """A seal comes with somebody's run: it may speak of files beside it, and of no others."""
    if name.startswith("/") or ".." in PurePosixPath(name).parts:
        raise ValueError
    return name


# -- making seals --------------------------------------------------------------------------------------


def sums(files: Mapping[str, Path]) -> dict[str, FileSum]:
    """The checksums of files, several at once where they are large. Raises ``RunError`` where one may not be
    read, which says nothing of what it holds, and ``OSError``."""
    plain = {name: path for name, path in files.items() if not path.is_symlink()}
    sizes = {name: path.stat().st_size for name, path in plain.items()}
    parts = [(name, start) for name, size in sizes.items() for start in range(0, max(size, 1), _PART)]

    def digest(part: tuple[str, int]) -> bytes:
        return _digest(plain[part[0]], part[1])

    if sum(sizes.values()) <= _INLINE or len(parts) == 1:
        digests = list(map(digest, parts))
    else:
        with ThreadPoolExecutor(min(8, os.cpu_count() or 1)) as pool:
            digests = list(pool.map(digest, parts))
    found: dict[str, list[bytes]] = {}
    for (name, _), own in zip(parts, digests, strict=True):
        found.setdefault(name, []).append(own)
    links = {n: FileSum(f"link {os.readlink(p)}", 0) for n, p in files.items() if p.is_symlink()}
    return links | {name: FileSum(_together(own), sizes[name]) for name, own in found.items()}


def _digest(path: Path, start: int) -> bytes:
    """Of one part of a file."""
    found, left = hashlib.sha256(), _PART
    try:
        with opened(path) as file:
            file.seek(start)
            while left and (block := file.read(min(_READ, left))):
                found.update(block)
                left -= len(block)
    except UnreadableError as error:
        raise RunError(f"{path}: {error}. Make it readable, then run the same command again.") from None
    return found.digest()


def _together(parts: list[bytes]) -> str:
    return parts[0].hex() if len(parts) == 1 else "parts " + hashlib.sha256(b"".join(parts)).hexdigest()


def sum_of(content: bytes) -> FileSum:
    """The checksum of a file that holds this."""
    parts = [hashlib.sha256(content[k : k + _PART]).digest() for k in range(0, max(len(content), 1), _PART)]
    return FileSum(_together(parts), len(content))


def seal_folder(folder: Path, name: str, beside: Iterable[Path], made_from: Mapping[str, str]) -> Seal:
    """The seal of a folder that is to be called ``name``, and of files beside it. What a folder in it has sealed
    already is not read again."""
    known: dict[str, FileSum] = {}
    files = {path.name: path for path in beside}
    for path in _files_in(folder):
        inner = path.parent
        if path.name == COMPLETE and inner != folder and (seal := read_seal(inner)) is not None:
            prefix = inner.parent.relative_to(folder).as_posix()
            known |= {f"{name}/{prefix}/{n}".replace("/./", "/"): found for n, found in seal.files.items()}
        files[f"{name}/{path.relative_to(folder).as_posix()}"] = path
    return Seal(known | sums({n: p for n, p in files.items() if n not in known}), made_from)


def _files_in(folder: Path) -> Iterator[Path]:
    """Files, and links to whatever: what lies behind a link was made elsewhere."""
    for where, folders, names in os.walk(folder):
        yield from (Path(where) / n for n in names)
        yield from (Path(where) / n for n in folders if (Path(where) / n).is_symlink())


# -- looking -------------------------------------------------------------------------------------------


Reading = Literal["all", "once", "quick", "none"]
"""What is read to find damage: everything; not what this process has read before and nobody touched since; not a large
file that nobody touched since it was sealed; sizes alone."""
_Stamp = tuple[int, int, int, int]
_read_before: dict[Path, tuple[_Stamp, FileSum]] = {}
_SETTLED = 2_000_000_000  # nanoseconds after which another change cannot leave a file's times as they are


def faults(output: Path, seal: Seal, part: str = "", reading: Reading = "all") -> list[Fault]:
    """Files of an output that are not what was sealed. ``part``: only those in this folder of it."""
    prefix = f"{output.name}/{part}/" if part else ""
    found, read = [], {}
    for name, was in seal.files.items():
        if not (name.startswith(prefix) or name == prefix.rstrip("/")):
            continue
        path = output.parent / name
        if not os.path.lexists(path):
            found.append(Fault(name, "is missing", True))
        elif was.digest.startswith("link "):
            if not path.is_symlink() or f"link {os.readlink(path)}" != was.digest:
                found.append(Fault(name, "is another link"))
        elif not path.is_file():
            found.append(Fault(name, "is not a file"))
        elif path.stat().st_size != was.size:
            found.append(Fault(name, f"has {path.stat().st_size:,} bytes instead of {was.size:,}"))
        elif reading in ("all", "once") or (
            reading == "quick" and (was.size < _LARGE or _is_newer(path, seal_path(output)))
        ):
            read[name] = path
    now = _sums_once(read) if reading == "once" else sums(read)
    found += [Fault(n, "is not what was written (its checksum differs)") for n in read if now[n] != seal.files[n]]
    return sorted(found)


def _sums_once(files: Mapping[str, Path]) -> dict[str, FileSum]:
    """As ``sums``, but what was read before is not read again."""
    stamps = {name: _stamp(path) for name, path in files.items()}
    known = {n: _read_before[p][1] for n, p in files.items() if p in _read_before and _read_before[p][0] == stamps[n]}
    found = sums({name: path for name, path in files.items() if name not in known})
    now = time.time_ns()
    for name, own in found.items():
        if max(stamps[name][:2]) < now - _SETTLED:
            _read_before[files[name]] = stamps[name], own
    return known | found


def _stamp(path: Path) -> _Stamp:
    found = path.stat()
    return found.st_mtime_ns, found.st_ctime_ns, found.st_size, found.st_ino


def _is_newer(path: Path, than: Path) -> bool:
    return path.stat().st_mtime_ns > than.stat().st_mtime_ns


def check(output: Path, part: str = "", reading: Reading = "all") -> None:
    """Raises ``DamagedError`` if files of an output (those in a folder of it) are not what was sealed."""
    seal = read_seal(output)
    if seal is None:
        if part and output.is_dir() and not (output / part).exists():
            raise DamagedError(f"{output / part}: is missing, and needed. {REPAIR}", output)
        return
    for fault in faults(output, seal, part, reading):
        raise DamagedError(f"{output.parent / fault.name}: {fault.why}. {REPAIR}", output)


def checked(path: Path, output: Path, seal: Path | None = None) -> bytes:
    """The content of a file of an output, which must be what was sealed, if it was. Raises ``DamagedError``,
    ``RunError`` where it is larger than is read, which making it again would not change, and ``FileNotFoundError``
    where nothing says that it should be there."""
    found = read_seal_at(seal or seal_path(output), output)
    was = found.files.get(path.relative_to(output.parent).as_posix()) if found else None
    try:
        content = read_bytes(path, MOST_OF_A_RUN)
    except TooMuchError as error:
        if was is not None and was.size == path.stat().st_size:
            raise RunError(
                f"{path}: {error}, as it was written. Transcripts may be deleted: docs/reliability.md."
            ) from None
        raise DamagedError(f"{path}: is damaged: {error}. {REPAIR}", output) from None
    except UnreadableError as error:
        raise DamagedError(f"{path}: is damaged: {error}. {REPAIR}", output) from None
    except FileNotFoundError:
        if was is None:
            raise
        raise DamagedError(f"{path}: is missing. {REPAIR}", output) from None
    if was is not None and sum_of(content) != was:
        raise DamagedError(f"{path}: is not what was written (its checksum differs). {REPAIR}", output)
    return content
