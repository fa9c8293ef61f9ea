"""A file of JSON lines to which another process appends: what is new in it."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

from coopt.core.outside.files import opened
from coopt.core.outside.parse import parse_own


class Tail:
    """Reads every whole line once. A torn last line waits for its end; a file that was replaced, or became shorter, is
    read again from its beginning."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._offset = 0
        self._inode = -1

    def new(self) -> list[Any]:
        """The records that came since the last call; nothing where there is no file."""
        try:
            with opened(self.path) as file:
                found = os.fstat(file.fileno())
                if found.st_ino != self._inode or found.st_size < self._offset:
                    self._inode, self._offset = found.st_ino, 0
                file.seek(self._offset)
                data = file.read()
        except FileNotFoundError:
            return []
        whole = data[: data.rfind(b"\n") + 1]
        self._offset += len(whole)
        return [parse_own(line.decode("utf-8", errors="replace")) for line in whole.split(b"\n") if line]
