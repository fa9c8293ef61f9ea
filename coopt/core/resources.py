"""Files that are shipped with coopt but live at the top of the repository (topologies, cluster profiles).

In a wheel they are package data under ``coopt/_data``; in a checkout they are read in place.
"""

from __future__ import annotations

from pathlib import Path

_PACKAGE = Path(__file__).resolve().parents[1]


def resource_dir(name: str) -> Path:
    """The directory ``name`` (for example ``topologies``) of this installation."""
    shipped = _PACKAGE / "_data" / name
    return shipped if shipped.is_dir() else _PACKAGE.parent / name
