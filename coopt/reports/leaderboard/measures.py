"""From the answers to every number of an entry. ``add`` writes what this gives and ``check`` expects it again."""

from __future__ import annotations

from collections.abc import Mapping
from itertools import product

import numpy as np

from coopt.core.names import BASE, INIT
from coopt.core.statistics.proportions import proportion_interval
from coopt.core.statistics.ranking import Rank
from coopt.core.statistics.verdicts import Change, corrected
from coopt.domains.rows import best_constant
from coopt.reports.leaderboard.answers import AnswersOf, GradedAnswers
from coopt.reports.leaderboard.entry import Constant, Improvement, Measures, Moved, Overall, StudentScore
from coopt.runs.measures.pareto import pareto_cells
from coopt.runs.measures.standings import standing


def measure(answers: GradedAnswers, native: Mapping[str, str]) -> Measures:
    """``native``: student -> the domain that it starts strong in."""
    method = answers.method
    keys = list(product([method], answers.students, answers.domains))
    changes = dict(zip(keys, corrected([answers.change(*k) for k in keys]), strict=True))
    constants = [_constant(answers, d) for d in answers.domains]
    return Measures(
        constants=constants,
        scores=[_score(answers, place, native, changes.get(place)) for place in answers.correct],
        overall=_overall(answers, native, float(np.mean([c.share for c in constants]))),
        improvement=[
            Improvement(student=c.student, point=c.point, probability=c.probability, verdict=c.verdict)
            for c in pareto_cells(answers, method, changes, native)
        ],
    )


def _constant(answers: GradedAnswers, domain: str) -> Constant:
    questions = answers.questions[domain]
    answer, share = best_constant(q.key for q in questions)
    return Constant(domain=domain, answer=answer, share=share, questions=len(questions))


def _score(answers: GradedAnswers, place: AnswersOf, native: Mapping[str, str], moved: Change | None) -> StudentScore:
    found = answers.score(*place)
    low, high = proportion_interval(found)
    return StudentScore(
        who=place.who,
        student=place.student,
        domain=place.domain,
        native=native.get(place.student) == place.domain,
        score=found.value,
        low=low,
        high=high,
        per_seed=list(found.per_seed),
        passed=answers.passed(place),
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


def _overall(answers: GradedAnswers, native: Mapping[str, str], constant: float) -> Overall:
    method, everyone = answers.method, answers.students
    end = answers.mean(method, everyone)
    place = standing(answers, method, Rank(1, 1, 1))
    at_home = [answers.change(method, s, native[s]).value for s in everyone if native.get(s) in answers.domains]
    return Overall(
        score=end.value,
        low=place.low,
        high=place.high,
        start=answers.mean(INIT, everyone).value,
        base=answers.mean(BASE, [BASE]).value,
        constant=constant,
        change=_moved(answers.between(method, INIT, everyone)),
        native_change=float(np.mean(at_home)),
        headroom=place.headroom,
        hypervolume=(place.hypervolume, place.hypervolume_low, place.hypervolume_high),
    )
