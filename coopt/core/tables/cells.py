"""How numbers are written in tables."""

from __future__ import annotations

from coopt.core.statistics.ranking import Rank

NONE = "–"


def percent(value: float | None, digits: int = 1) -> str:
    return NONE if value is None else f"{100 * value:.{digits}f}"


def signed(value: float | None) -> str:
    return NONE if value is None else f"{100 * value:+.1f}"


def span(low: float | None, high: float | None, form: str = ".1f") -> str:
    return NONE if low is None or high is None else f"[{100 * low:{form}}, {100 * high:{form}}]"


def domain_of(name: str, native: bool) -> str:
    """A domain, marked where it is the student's own."""
    return f"{name} (native)" if native else name


def yes(value: bool) -> str:
    return "yes" if value else "no"


def probability(value: float | None) -> str:
    return NONE if value is None else "< 0.001" if value < 0.001 else f"{value:.3f}"


def places(rank: Rank | None) -> list[str]:
    """Two cells: the rank, and the places that are possible."""
    return [str(rank.rank), f"{rank.first}-{rank.last}"] if rank else [NONE, NONE]


def duration(seconds: float) -> str:
    """``3 min 20 s``."""
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    if hours:
        return f"{hours} h {minutes} min"
    return f"{minutes} min {rest} s" if minutes else f"{rest} s"
