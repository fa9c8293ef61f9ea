"""Figures to a file: which formats, and the same results as the same bytes. Vega draws them, without a network; it is
loaded when a figure is drawn."""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING, Any

from coopt.core.errors import ConfigError

if TYPE_CHECKING:
    from coopt.reports.charts import Figure

SUFFIXES = (".svg", ".pdf", ".png")
PIXELS_PER_INCH = 200


def check_figure(option: str, path: Path) -> None:
    """Refuse what cannot be drawn before anything is computed. Raises ``ConfigError``."""
    if path.suffix not in SUFFIXES:
        raise ConfigError(f"{option} {path}: the name ends in {', '.join(SUFFIXES)}.")


def save(figure: Figure, path: Path) -> None:
    """Write it; its suffix says the format."""
    import vl_convert

    from coopt.reports.charts import spec
    from coopt.reports.theme import PRINT

    how: dict[str, Any] = {"config": PRINT, "allowed_base_urls": []}
    path.parent.mkdir(parents=True, exist_ok=True)
    if path.suffix == ".svg":
        path.write_text(vl_convert.vegalite_to_svg(spec(figure), **how), encoding="utf-8")
    elif path.suffix == ".pdf":
        path.write_bytes(_in_order(vl_convert.vegalite_to_pdf(spec(figure), **how)))
    else:
        path.write_bytes(vl_convert.vegalite_to_png(spec(figure), ppi=PIXELS_PER_INCH, **how))


def _in_order(pdf: bytes) -> bytes:
    """The same document, its dictionaries of references sorted: vl-convert writes them in an order of chance."""
    entries = re.compile(rb"(?:^ +/\w+ \d+ 0 R\n)+", re.MULTILINE)
    return entries.sub(lambda found: b"".join(sorted(found[0].splitlines(keepends=True))), pdf)
