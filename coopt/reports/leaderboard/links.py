"""Where an entry's files lie, as seen from a page or a document."""

from __future__ import annotations

import os
from pathlib import Path
from urllib.parse import quote


def relative(path: Path, folder: Path) -> str:
    """A relative address."""
    return quote(Path(os.path.relpath(path.resolve(), folder.resolve())).as_posix())


def anchor(name: str) -> str:
    """The place of an entry on the page. Names have no characters but letters, digits, spaces and ``_.+-``."""
    return "entry-" + name.replace(" ", "_")
