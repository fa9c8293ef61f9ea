"""A packed folder that somebody else made: plain files inside it, and nothing else."""

from __future__ import annotations

import lzma
import tarfile
from collections.abc import Iterator
from io import RawIOBase
from pathlib import Path, PurePosixPath
from typing import IO

from coopt.core.outside.files import MOST_OF_A_RUN, TooMuchError, UnreadableError, opened

_MOST_FILES = 100_000


def files_in(path: Path) -> Iterator[tuple[PurePosixPath, bytes]]:
    """Name and content of each file of a `.tar.xz`, in its order. Raises ``UnreadableError`` before one that lies
    outside, or is no plain file, and when all together are too much."""
    left = MOST_OF_A_RUN
    try:
        with (
            opened(path) as file,
            lzma.open(file) as unpacked,
            # As a stream: then it reads piece by piece also a head, which may say that it is as long as it likes.
            tarfile.open(fileobj=_Bounded(unpacked, 2 * MOST_OF_A_RUN), mode="r|") as tar,
        ):
            for number, member in enumerate(tar):
                name, left = PurePosixPath(member.name), left - member.size
                content = tar.extractfile(member) if member.isfile() else None
                if content is None or name.is_absolute() or ".." in name.parts:
                    raise UnreadableError(f"it holds {member.name}")
                if left < 0 or number >= _MOST_FILES:
                    raise _too_much()
                yield name, content.read()
    except (tarfile.TarError, lzma.LZMAError, EOFError, OverflowError) as error:
        raise UnreadableError(str(error) or type(error).__name__) from None


class _Bounded(RawIOBase):
    """What is unpacked, to be read once and not without end: heads and gaps are no files, and count too."""

    def __init__(self, unpacked: IO[bytes], left: int) -> None:
        super().__init__()
        self._unpacked = unpacked
        self._left = left

    def read(self, size: int = -1, /) -> bytes:
        """The next bytes. Raises ``TooMuchError``."""
        found = self._unpacked.read(size)
        self._left -= len(found)
        if self._left < 0:
            raise _too_much()
        return found


def _too_much() -> TooMuchError:
    return TooMuchError(f"it holds more than {MOST_OF_A_RUN >> 20} MB or {_MOST_FILES:,} files")
