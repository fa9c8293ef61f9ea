"""Tables of smoke runs say so at their top."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from coopt.core.tables.table import Format

_OPENINGS = {"md": "> WARNING: ", "latex": "% WARNING: "}


def say_smoke(style: Format) -> None:
    """Before tables that are not for the screen: in the document where it can hold a sentence, else on stderr."""
    from coopt.reports.headline import SMOKE

    if opening := _OPENINGS.get(style):
        print(f"{opening}{SMOKE}\n")
    else:
        print(f"WARNING: {SMOKE}", file=sys.stderr)
