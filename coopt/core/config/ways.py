"""How a run makes its specialists: ``model.specialise``, with ``auto`` resolved."""

from __future__ import annotations

from coopt.core.config.schema import Config

FAMILY = "scimini-family"
"""The base of the family of embedded worlds (docs/worlds.md)."""
EMBEDDED = ("scimini", FAMILY)
"""Bases that know the embedded world and nothing else."""
KNOBS = ("deference", "candour", "belief", "confusion", "forms")
"""Settings of ``world`` that only the family's base understands."""
RATIONALES = "rationales:"
WAYS = ("auto", "world", "none", "own_correct", "answers", f"{RATIONALES}FILE")


def way_of(config: Config) -> str:
    """How this run makes its specialists, ``auto`` resolved."""
    if config.model.specialise != "auto":
        return config.model.specialise
    embedded = config.data.source == "scimini" and config.model.path in EMBEDDED
    return "world" if embedded else "own_correct"
