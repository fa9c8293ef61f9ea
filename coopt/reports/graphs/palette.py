"""The colours and short names of native domains in every drawing of a graph."""

from __future__ import annotations

from coopt.core.names import ALIASES

COLOURS = {"physics": "#56B4E9", "chemistry": "#E69F00", "materials": "#2FB98A", "biology": "#DE8FBB", "": "#C4C4C4"}
"""Domain -> fill, '': critics. After Okabe and Ito, told apart by colour-blind readers; black text reads on each."""


def domain_short(domain: str) -> str:
    """``phys`` for physics."""
    return next((short for short, name in ALIASES.items() if name == domain), domain)
