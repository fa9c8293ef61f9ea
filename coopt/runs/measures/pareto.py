"""Pareto improvement over the initial students, and dominance of a method over another (paper Appendix A): as the
scores are, as a probability, and as a verdict."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from coopt.core.names import INIT
from coopt.core.rng import generator
from coopt.core.statistics.crossed import ALPHA, joint_draws
from coopt.core.statistics.design import Array
from coopt.core.statistics.paired import Paired
from coopt.core.statistics.verdicts import MARGIN, SURE_CLUSTERS, Change
from coopt.runs.measures.claims import ALL, Claims
from coopt.runs.results import DominanceCell, ParetoCell, ParetoVerdict

_DRAWS = 2000
_ROUNDING = 1e-9  # means of the same answers added up in another order


def pareto_improves(changes: Sequence[float]) -> bool:
    """No domain got worse and at least one got better."""
    return all(c > -_ROUNDING for c in changes) and any(c > _ROUNDING for c in changes)


BoolDraws = NDArray[np.bool_]
"""One answer per draw."""


def pareto_draws(changes_DB: Array) -> BoolDraws:
    """The point definition in every draw: booleans [draws] from changes [domains, draws]."""
    return np.asarray((changes_DB > -_ROUNDING).all(axis=0) & (changes_DB > _ROUNDING).any(axis=0))


def pareto_verdict(changes: Sequence[Change]) -> ParetoVerdict:
    """``yes``: a gain is shown in some domain, and in each that less than ``MARGIN`` is lost.
    Every domain must pass its own one-sided test, so that no correction is needed (intersection-union, Berger 1982).
    ``no``: a loss is shown. Gains and losses are those of the corrected table. Else it is not settled."""
    verdicts = [c.verdict for c in changes]
    if "worse" in verdicts:
        return "no"
    kept = all(c.found.at_least(SURE_CLUSTERS).p_above(-MARGIN) < ALPHA for c in changes)
    return "yes" if kept and "improves" in verdicts and "too few questions" not in verdicts else "not settled"


def dominance_verdict(whole: Change, domains: Sequence[Change]) -> ParetoVerdict:
    """The same of a method over another. That some domain gains is shown by their mean (``whole``), which the table of
    comparisons claims already, and so is a loss: nothing more is claimed, and no correction grows."""
    if whole.verdict == "worse":
        return "no"
    kept = all(c.found.at_least(SURE_CLUSTERS).p_above(-MARGIN) < ALPHA for c in domains)
    return "yes" if kept and whole.verdict == "improves" else "not settled"


def mutual_verdict(students: Sequence[ParetoVerdict]) -> ParetoVerdict:
    """``yes`` if it is of every student, ``no`` if it is of one."""
    return "no" if "no" in students else "yes" if set(students) == {"yes"} else "not settled"


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
    drawn, cells = _drawn(scores, method, INIT), []
    for student in scores.students:
        own = {d: changes[method, student, d] for d in scores.domains}
        cells.append(
            ParetoCell(
                method=method,
                student=student,
                point=pareto_improves([c.value for c in own.values()]),
                probability=float(drawn[student].mean()),
                verdict=pareto_verdict(list(own.values())),
                native_change=own[native[student]].value,
            )
        )
    everyone = ParetoCell(
        method=method,
        student="mutual",
        point=all(c.point for c in cells),
        probability=mutual(drawn),
        verdict=mutual_verdict([c.verdict for c in cells]),
        share=share(drawn),
    )
    return [*cells, everyone]


def dominance_cells(scores: Paired, method: str, baseline: str, claims: Claims) -> list[DominanceCell]:
    """Definition A.1: whether every student is better off with ``method``; then all together."""
    drawn, cells = _drawn(scores, method, baseline), []
    for student in scores.students:
        own = [claims.apart[method, baseline, student, d] for d in scores.domains]
        whole = claims.comparisons[method, baseline, student if len(scores.students) > 1 else ALL]
        cells.append(
            DominanceCell(
                method=method,
                baseline=baseline,
                student=student,
                differences=[c.value for c in own],
                point=pareto_improves([c.value for c in own]),
                probability=float(drawn[student].mean()),
                verdict=dominance_verdict(whole, own),
            )
        )
    everyone = DominanceCell(
        method=method,
        baseline=baseline,
        student="mutual",
        differences=[],
        point=all(c.point for c in cells),
        probability=mutual(drawn),
        verdict=mutual_verdict([c.verdict for c in cells]),
    )
    return [*cells, everyone]


def _drawn(scores: Paired, method: str, baseline: str) -> dict[str, BoolDraws]:
    """Whether each student is better off, in joint draws of all students' differences."""
    moved = [
        scores.laid_out(scores.per_question(method, s, d) - scores.per_question(baseline, s, d), d)
        for s in scores.students
        for d in scores.domains
    ]
    draws_BK = joint_draws(np.array(moved), scores.design(), _DRAWS, generator("pareto"))
    draws_SDB = draws_BK.T.reshape(len(scores.students), len(scores.domains), _DRAWS)
    return {s: pareto_draws(own) for s, own in zip(scores.students, draws_SDB, strict=True)}
