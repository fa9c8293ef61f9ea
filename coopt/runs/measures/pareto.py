"""Pareto improvement (paper Appendix A), as the point definition and as a probability."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from coopt.core.names import INIT
from coopt.core.statistics.bootstrap import Array
from coopt.core.statistics.paired import Paired
from coopt.core.statistics.verdicts import Change
from coopt.runs.results import ParetoCell


def pareto_improves(changes: Sequence[float]) -> bool:
    """No domain got worse and at least one got better."""
    return all(c >= 0 for c in changes) and any(c > 0 for c in changes)


BoolDraws = NDArray[np.bool_]
"""One answer per bootstrap draw."""


def pareto_draws(changes_DB: Array) -> BoolDraws:
    """The point definition in every bootstrap draw: booleans [draws] from changes [domains, draws]."""
    return np.asarray((changes_DB >= 0).all(axis=0) & (changes_DB > 0).any(axis=0))


def share(draws: Mapping[str, BoolDraws]) -> float:
    """Expected share of students that improve."""
    return float(np.mean(list(draws.values())))


def mutual(draws: Mapping[str, BoolDraws]) -> float:
    """Probability that every student improves in the same draw."""
    return float(np.logical_and.reduce(list(draws.values())).mean())


def pareto_cells(
    scores: Paired, method: str, changes: Mapping[tuple[str, str, str], Change], native: Mapping[str, str]
) -> list[ParetoCell]:
    """Every student, then all together. ``changes``: by method, student and domain; ``native``: student -> domain."""
    draws, cells = {}, []
    for student in scores.students:
        own = {d: changes[method, student, d] for d in scores.domains}
        moved = [scores.drawn(method, student, d) - scores.drawn(INIT, student, d) for d in own]
        draws[student] = pareto_draws(np.array(moved))
        verdicts = [c.verdict for c in own.values()]
        cells.append(
            ParetoCell(
                method=method,
                student=student,
                point=pareto_improves([c.value for c in own.values()]),
                probability=float(draws[student].mean()),
                shown="worse" not in verdicts and "improves" in verdicts,
                native_change=own[native[student]].value,
            )
        )
    everyone = ParetoCell(
        method=method,
        student="mutual",
        point=all(c.point for c in cells),
        probability=mutual(draws),
        shown=all(c.shown for c in cells),
        share=share(draws),
    )
    return [*cells, everyone]
