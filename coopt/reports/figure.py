"""Figures to a file: which formats, and the same results as the same bytes. matplotlib is imported when it is asked
for."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from coopt.core.errors import ConfigError

SUFFIXES = (".svg", ".pdf", ".png")
RC = {
    "svg.fonttype": "none",  # names stay text: searchable, and the same bytes on every machine
    "svg.hashsalt": "coopt",
    "font.family": "sans-serif",
    "text.parse_math": False,  # a name may hold a dollar sign
    "figure.facecolor": "white",
}


def check_figure(option: str, path: Path) -> None:
    """Refuse what cannot be drawn before anything is computed. Raises ``ConfigError``."""
    if path.suffix not in SUFFIXES:
        raise ConfigError(f"{option} {path}: the name ends in {', '.join(SUFFIXES)}.")


def new_figure(width: float, height: float) -> Any:
    """An empty figure, inches."""
    import matplotlib
    from matplotlib.figure import Figure

    matplotlib.use("Agg")
    matplotlib.rcParams.update(RC)  # type: ignore[arg-type]  # the stub wants literals as keys
    return Figure(figsize=(width, height), layout="constrained")


def save(figure: Any, path: Path) -> None:
    """Write it; its suffix says the format."""
    path.parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(path, dpi=200, metadata=metadata(path))


def metadata(path: Path) -> dict[str, Any]:
    """No date and no version: nothing but the figure decides the bytes."""
    known: dict[str, dict[str, Any]] = {
        ".svg": {"Date": None, "Creator": "coopt"},
        ".pdf": {"CreationDate": None, "ModDate": None, "Creator": "coopt", "Producer": "coopt"},
        ".png": {"Software": "coopt"},
    }
    return known[path.suffix]
