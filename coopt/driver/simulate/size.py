"""Graphs that would not fit are refused before they are built."""

from __future__ import annotations

from coopt.core.errors import ConfigError

LARGEST_DENSE = 3000
"""Students of a graph in which everybody is joined to everybody: nine million edges, about 6 GiB while it is built."""
DENSE = ("complete", "random_matching", "two_cliques")


def check_size(topology: str, nodes: int | None) -> None:
    """Refuse a dense topology of too many students. Raises ``ConfigError``."""
    if nodes is not None and topology in DENSE and nodes > LARGEST_DENSE:
        raise ConfigError(
            f"--nodes {nodes}: {topology} has {nodes * (nodes - 1):,} edges. Take at most {LARGEST_DENSE:,} students,"
            " or a sparse graph (--topology random_regular)."
        )
