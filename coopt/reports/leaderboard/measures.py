"""From outcomes to every number of an entry. ``add`` writes what this gives and ``check`` expects it again."""

from __future__ import annotations

from collections.abc import Mapping
from itertools import product

import numpy as np

from coopt.core.statistics.bootstrap import interval
from coopt.core.statistics.verdicts import Change, corrected
from coopt.domains.rows import best_constant
from coopt.reports.leaderboard.entry import Constant, Improvement, Measures, Moved, Overall, Score
from coopt.reports.leaderboard.outcomes import Outcomes, Place
from coopt.runs.measures.pareto import pareto_cells
from coopt.runs.measures.standings import standings
from coopt.runs.run import BASE, INIT


def measure(outcomes: Outcomes, native: Mapping[str, str]) -> Measures:
    """``native``: student -> the domain that it starts strong in."""
    method = outcomes.method
    keys = list(product([method], outcomes.students, outcomes.domains))
    changes = dict(zip(keys, corrected([outcomes.change(*k) for k in keys]), strict=True))
    constants = [_constant(outcomes, d) for d in outcomes.domains]
    return Measures(
        constants=constants,
        scores=[_score(outcomes, place, native, changes.get(place)) for place in outcomes.correct],
        overall=_overall(outcomes, native, float(np.mean([c.share for c in constants]))),
        improvement=[
            Improvement(student=c.student, point=c.point, probability=c.probability, shown=c.shown)
            for c in pareto_cells(outcomes, method, changes, native)
        ],
    )


def _constant(outcomes: Outcomes, domain: str) -> Constant:
    questions = outcomes.questions[domain]
    answer, share = best_constant(q.key for q in questions)
    return Constant(domain=domain, answer=answer, share=share, questions=len(questions))


def _score(outcomes: Outcomes, place: Place, native: Mapping[str, str], moved: Change | None) -> Score:
    values = outcomes.per_question(*place)
    low, high = interval(outcomes.drawn(*place))
    return Score(
        who=place.who,
        student=place.student,
        domain=place.domain,
        native=native.get(place.student) == place.domain,
        score=float(values.mean()),
        low=low,
        high=high,
        per_seed=[float(v) for v in values.mean(axis=1)],
        passed=outcomes.passed(place),
        change=_moved(moved) if moved else None,
    )


def _moved(change: Change) -> Moved:
    return Moved(
        value=change.value,
        low=change.low,
        high=change.high,
        per_seed=list(change.per_seed),
        p=change.p,
        verdict=change.verdict,
    )


def _overall(outcomes: Outcomes, native: Mapping[str, str], constant: float) -> Overall:
    method, everyone = outcomes.method, outcomes.students
    end = outcomes.mean(method, everyone)
    place = next(c for c in standings(outcomes) if c.who == method)
    at_home = [outcomes.change(method, s, native[s]).value for s in everyone if native.get(s) in outcomes.domains]
    return Overall(
        score=end.value,
        low=end.low,
        high=end.high,
        start=outcomes.mean(INIT, everyone).value,
        base=outcomes.mean(BASE, [BASE]).value,
        constant=constant,
        change=_moved(outcomes.between(method, INIT, everyone)),
        native_change=float(np.mean(at_home)),
        headroom=place.headroom,
        hypervolume=(place.hypervolume, place.hypervolume_low, place.hypervolume_high),
    )
