"""Files that are shipped with coopt but live at the top of the repository (topologies, cluster profiles), and where
what can be made again is kept.

In a wheel the former are package data under ``coopt/_data``; in a checkout they are read in place.
"""

from __future__ import annotations

import os
from pathlib import Path

_PACKAGE = Path(__file__).resolve().parents[1]


def resource_dir(name: str) -> Path:
    """The directory ``name`` (for example ``topologies``) of this installation."""
    shipped = _PACKAGE / "_data" / name
    return shipped if shipped.is_dir() else _PACKAGE.parent / name


def cache_dir(name: str) -> Path:
    """The folder ``name`` in the user's cache (XDG). It may not be there yet."""
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "coopt" / name
