"""How a run makes its specialists: ``model.specialise``, with ``auto`` resolved."""

from __future__ import annotations

from coopt.core.config.schema import Config

RATIONALES = "rationales:"
WAYS = ("auto", "world", "none", "own_correct", "answers", f"{RATIONALES}FILE")


def way_of(config: Config) -> str:
    """How this run makes its specialists, ``auto`` resolved."""
    if config.model.specialise != "auto":
        return config.model.specialise
    embedded = config.data.source == "scimini" and config.model.path == "scimini"
    return "world" if embedded else "own_correct"
