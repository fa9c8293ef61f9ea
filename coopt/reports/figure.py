"""Figures to a file: which formats, and the same results as the same bytes. matplotlib is imported when it is asked
for."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from coopt.errors import ConfigError

SUFFIXES = (".svg", ".pdf", ".png")


def check_figure(option: str, path: Path) -> None:
    """Refuse what cannot be drawn before anything is computed. Raises ``ConfigError``."""
    if path.suffix not in SUFFIXES:
        raise ConfigError(f"{option} {path}: the name ends in {', '.join(SUFFIXES)}.")


def new_figure(width: float, height: float) -> Any:
    """An empty figure, inches."""
    import matplotlib
    from matplotlib.figure import Figure

    matplotlib.use("Agg")
    matplotlib.rcParams["svg.hashsalt"] = "coopt"  # the same results are the same file
    matplotlib.rcParams["svg.fonttype"] = "none"  # text stays text
    return Figure(figsize=(width, height), layout="constrained")


def save(figure: Any, path: Path) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(path, metadata={"Date": None} if path.suffix == ".svg" else None)
