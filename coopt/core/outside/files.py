"""Files that somebody else may have written: ordinary ones, as large as is meant, in UTF-8."""

from __future__ import annotations

import codecs
import gzip
import os
import stat
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO

MOST_BYTES = 1 << 24
"""Of a file of settings or of a graph."""
MOST_OF_A_RUN = 1 << 29
"""Bytes of a file of a run."""


class UnreadableError(ValueError):
    """What is wrong with a file or a text, as the rest of a sentence that begins with its name and a colon."""


class TooMuchError(UnreadableError):
    """A text that is larger or deeper than anything that is meant to be read here."""


def from_home(name: str | Path) -> Path:
    """The path that somebody gave, `~` and `~NAME` being homes of users that there are."""
    try:
        return Path(name).expanduser()
    except RuntimeError:
        return Path(name)


def read_bytes(path: Path, most: int | None = MOST_BYTES, *, links: bool = True) -> bytes:
    """What an ordinary file holds. Folders, pipes and devices are refused unread; without ``links`` links too. ``most``
    None: however large. Raises ``UnreadableError``, and ``FileNotFoundError`` where there is none."""
    with opened(path, links=links) as file:
        size = os.fstat(file.fileno()).st_size
        # A file may grow while it is read.
        content = file.read() if most is None else file.read(most + 1) if size <= most else b""
    if most is not None and (size > most or len(content) > most):
        raise _too_large(most)
    return content


def read_text(path: Path, most: int | None = MOST_BYTES) -> str:
    """What an ordinary file of UTF-8 text holds. Raises as ``read_bytes``."""
    return decoded(read_bytes(path, most))


def read_unpacked(path: Path, most: int) -> str:
    """As ``read_text``, of a file that is packed if its name ends in `.gz`; ``most``: bytes of what was packed."""
    if not path.name.lower().endswith(".gz"):
        return read_text(path, most)
    try:
        with opened(path) as file, gzip.open(file) as packed:
            content = packed.read(most + 1)
    except (EOFError, zlib.error, gzip.BadGzipFile) as error:
        raise UnreadableError(f"not a complete gzip file ({error})") from None
    if len(content) > most:
        raise _too_large(most, " when unpacked")
    return decoded(content)


def read_end(path: Path, most: int = 1 << 16) -> str:
    """The last bytes of a log as text, whatever they are; empty where there is nothing to read."""
    try:
        with opened(path) as file:
            file.seek(max(0, os.fstat(file.fileno()).st_size - most))
            return file.read(most).decode("utf-8", errors="replace")
    except (UnreadableError, FileNotFoundError):
        return ""


def decoded(content: bytes) -> str:
    """UTF-8 text, with or without a mark at its beginning. Raises ``UnreadableError``."""
    if content[:2] in (codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE):
        raise UnreadableError("the text is UTF-16. Save it as UTF-8 (iconv -f UTF-16 -t UTF-8)")
    try:
        return content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = content.count(b"\n", 0, error.start) + 1
        raise UnreadableError(f"not UTF-8 text (byte {content[error.start]:#04x} in line {line})") from None


def ordinary(path: Path) -> Path:
    """The path of a file that others open. Raises ``UnreadableError`` as ``read_bytes``."""
    with opened(path):
        return path


@contextmanager
def opened(path: Path, *, links: bool = True) -> Iterator[BinaryIO]:
    """An ordinary file, open. Errors of reading it, too, are ``UnreadableError``."""
    try:
        # Not to wait for a pipe's writer.
        descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK | (0 if links else os.O_NOFOLLOW))
        with os.fdopen(descriptor, "rb") as file:
            if not stat.S_ISREG(os.fstat(descriptor).st_mode):
                raise UnreadableError("not an ordinary file")
            yield file
    except (FileNotFoundError, gzip.BadGzipFile):
        raise
    except NotADirectoryError as error:  # a file stands where a folder of its path should be
        raise FileNotFoundError(*error.args) from None
    except IsADirectoryError:
        raise UnreadableError("is a folder, not a file") from None
    except OSError as error:
        if not links and path.is_symlink():
            raise UnreadableError("a link. Give the file itself") from None
        raise UnreadableError(f"cannot be read ({error.strerror or error})") from None
    except ValueError as error:  # a name with a zero byte
        if isinstance(error, UnreadableError):
            raise
        raise UnreadableError(f"cannot be read ({error})") from None


def _too_large(most: int, when: str = "") -> TooMuchError:
    shown = f"{most >> 20} MB" if most % (1 << 20) == 0 else f"{most:,} bytes"
    return TooMuchError(f"it has more than {shown}{when}")
