"""A figure: everything that a document may write of one number, as text by form. The first form is the usual one."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from math import nan

from coopt.core.errors import CooptError
from coopt.core.tables.cells import percent, probability, signed, span

SHOWN = ("improves", "better", "worse")
"""Verdicts that say something."""


class FigureError(CooptError):
    """A key that no archive can answer, or a document whose places cannot be read."""


@dataclass(frozen=True)
class Figure:
    """``forms``: the first is written where a key names none. ``number`` and ``verdict``: what figures are picked by;
    ``parts``: of a count, how many of how many."""

    forms: Mapping[str, str]
    number: float = nan
    verdict: str = ""
    parts: tuple[int, int] | None = None


Figures = dict[str, Callable[[], Figure]]
"""What an archive has, by name; worked out when it is asked for."""


def difference(
    value: float, low: float, high: float, per_seed: Sequence[float] = (), p: float | None = None, verdict: str = ""
) -> Figure:
    """A change or a comparison. Without a verdict it is none that a table corrects."""
    interval = f"{signed(value)} {span(low, high)}"
    forms = {
        "interval": interval,
        "point": signed(value),
        "range": span(low, high),
        "per-seed": _each(per_seed),
        "size": percent(abs(value)),
        "half": f"{signed(value)} ± {percent((high - low) / 2)}",
    }
    if p is not None:
        forms["p"] = "p < 0.001" if p < 0.001 else f"p {probability(p)}"
    if verdict:
        forms |= {"verdict": verdict, "bold": f"**{interval}**" if verdict in SHOWN else interval}
    return Figure(forms, value, verdict)


def point(value: float, per_seed: Sequence[float] = ()) -> Figure:
    """A difference of which nothing but the value may be said."""
    forms = {"point": signed(value), "size": percent(abs(value))}
    return Figure(forms | ({"per-seed": _each(per_seed)} if per_seed else {}), value)


def share(value: float | None, low: float | None = None, high: float | None = None, n: int | None = None) -> Figure:
    """A score or a rate, in percent; None: too few answers for it."""
    if value is None:
        return Figure({"interval": "too few", "n": f"{n or 0:,}"})
    forms = {} if low is None else {"interval": f"{percent(value)} {span(low, high)}", "range": span(low, high)}
    forms |= {"point": percent(value), "whole": percent(value, 0)}
    return Figure(forms | ({} if n is None else {"n": f"{n:,}"}), value)


def times(value: float | None, low: float | None, high: float | None) -> Figure:
    """A ratio; None: too few answers for it."""
    if value is None:
        return Figure({"interval": "too few"})
    forms = {} if low is None else {"interval": f"{value:.2f} [{low:.2f}, {high:.2f}]"}
    return Figure(forms | {"point": f"{value:.2f}"}, value)


def count(part: int, whole: int) -> Figure:
    """So many of so many."""
    found = part / whole if whole else None
    forms = {"of": f"{part:,} of {whole:,}", "part": f"{part:,}", "whole": f"{whole:,}"}
    percents = {f"percent{digits or ''}": percent(found, digits) for digits in (0, 1, 2)}
    return Figure(forms | percents, found if found is not None else nan, parts=(part, whole))


def words(text: str, verdict: str = "") -> Figure:
    return Figure({"words": text}, verdict=verdict)


def seconds(value: float) -> Figure:
    return Figure({"point": f"{value:.2f}"}, value)


def listed(seeds: Sequence[int]) -> str:
    """Seeds as they are said: ``0 and 1``, ``0 to 4``, ``0, 1 and 700 to 702``."""
    runs: list[list[int]] = []
    for before, seed in pairwise([None, *sorted(set(seeds))]):
        if runs and before is not None and seed == before + 1:
            runs[-1].append(seed)
        elif seed is not None:
            runs.append([seed])
    parts = [w for r in runs for w in ([f"{r[0]} to {r[-1]}"] if len(r) > 2 else map(str, r))]
    return " and ".join([", ".join(parts[:-1]), parts[-1]] if len(parts) > 1 else parts)


def _each(per_seed: Sequence[float]) -> str:
    return " ".join(map(signed, per_seed))
