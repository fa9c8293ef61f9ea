"""What every picture made with matplotlib shares: the formats, and bytes that nothing but the data decides."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from coopt.errors import ConfigError

SUFFIXES = (".svg", ".pdf", ".png")
RC = {
    "svg.fonttype": "none",  # names stay text: searchable, and the same bytes on every machine
    "svg.hashsalt": "coopt",
    "font.family": "sans-serif",
    "text.parse_math": False,  # a name may hold a dollar sign
    "figure.facecolor": "white",
}


def check_picture(path: Path, flag: str) -> None:
    """Refuse a picture that cannot be written before anything is computed. Raises ``ConfigError``."""
    if path.suffix not in SUFFIXES:
        raise ConfigError(f"{flag} {path}: a picture ends in {', '.join(SUFFIXES)}.")
    if not path.parent.is_dir():
        raise ConfigError(f"{flag} {path}: no folder {path.parent}. Make it, or choose another.")


def metadata(path: Path) -> dict[str, Any]:
    """No date and no version."""
    known: dict[str, dict[str, Any]] = {
        ".svg": {"Date": None, "Creator": "coopt"},
        ".pdf": {"CreationDate": None, "ModDate": None, "Creator": "coopt", "Producer": "coopt"},
        ".png": {"Software": "coopt"},
    }
    return known[path.suffix]
