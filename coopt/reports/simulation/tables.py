"""The tables of a simulation, of a calibration, and of a held-out check. Every title says that it is simulated."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from coopt.core.tables.cells import NONE, domain_of, percent, signed, span
from coopt.core.tables.table import Table
from coopt.driver.simulate.calibrate import Calibration
from coopt.driver.simulate.constants import Constants, allowed_range, constant_keys
from coopt.driver.simulate.predict import MEAN_GAIN, NO_CHANGE, SIMULATOR, PredictionScore
from coopt.driver.simulate.results import RoundLine, SimulatedResults
from coopt.driver.simulate.summary import FEW, method_label

LABEL = "SIMULATED"
_ROUNDS_SHOWN = 12
_FEW_CLUSTERS = 10


def simulated_tables(results: SimulatedResults) -> list[Table]:
    """Every table that has something to show, in reading order."""
    tables = [
        score_table(results),
        pareto_table(results),
        comparison_table(results),
        rank_table(results),
        round_table(results),
        feedback_table(results),
    ]
    return [t for t in tables if t.rows]


def _title(what: str, results: SimulatedResults) -> str:
    return f"{LABEL}: {what} ({results.topology}, {results.students:,} students)"


def _source(results: SimulatedResults) -> str:
    """The note under every table: what the numbers come from."""
    return f"Simulated, not measured. Constants: {results.constants}; feedback rates: {results.feedback_rates}."


def _settings(results: SimulatedResults) -> str:
    seeds = results.seeds
    listed = f"{seeds[0]}-{seeds[-1]}" if len(seeds) > 1 else f"{seeds[0]}"
    return (
        f"A stochastic model of students (docs/simulator.md) on {results.edges:,} tutor edges; {results.rounds} rounds"
        f" x {results.steps} steps, gate {results.gate}, seeds {listed}."
    )


def score_table(results: SimulatedResults) -> Table:
    """Scores by student, or by native domain where there are many."""
    rows = [
        [
            method_label(c.method, results.gate),
            c.group,
            f"{c.students:,}",
            domain_of(c.domain, c.native),
            percent(c.start),
            percent(c.end),
            signed(c.change),
            span(c.low, c.high, "+.1f"),
            percent(c.worse),
        ]
        for c in results.scores
    ]
    columns = ["method", "student", "n", "domain", "start", "end", "change", "middle 80 %", "worse, %"]
    if results.students > FEW:
        columns[1] = "students"
    notes = [
        _source(results),
        _settings(results),
        "Scores are the model's exact competences: there is no noise of questions in them. middle 80 %: of the changes"
        " of single students, over all seeds; worse: share of students (and seeds) that end lower.",
    ]
    return Table(_title("scores, percent", results), columns, rows, notes)


def pareto_table(results: SimulatedResults) -> Table:
    """Pareto share of students, mutual verdict, native losses."""
    rows = [
        [
            method_label(c.method, results.gate),
            percent(c.share),
            "yes" if c.mutual == 1 else "no" if c.mutual == 0 else f"in {percent(c.mutual, 0)} % of seeds",
            signed(c.native_change),
            percent(c.native_loss),
            percent(c.collapsed),
        ]
        for c in results.pareto
    ]
    columns = ["method", "students improved, %", "mutual", "native change", "native loss, %", "collapsed, %"]
    note = (
        "Improved: no domain lower, one higher (Pareto); mutual: every student; native loss: students that end lower in"
        " their native domain; collapsed: training stopped."
    )
    return Table(_title("Pareto verdicts", results), columns, rows, [_source(results), note])


def comparison_table(results: SimulatedResults) -> Table:
    """Every method against the first."""
    rows = [
        [
            f"{method_label(c.method, results.gate)} - {method_label(c.baseline, results.gate)}",
            signed(c.difference),
            span(c.low, c.high, "+.1f"),
            signed(c.native_difference),
            c.verdict,
            c.unit,
        ]
        for c in results.comparisons
    ]
    columns = ["methods", "difference", "95 %", "native difference", "verdict", "resampled"]
    note = (
        "Means over students and domains, same starts, questions and seeds. Intervals cover the model's randomness, not"
        " its constants; over students they ignore that neighbours depend on one another."
    )
    return Table(_title("methods compared, percent", results), columns, rows, [_source(results), note])


def rank_table(results: SimulatedResults) -> Table:
    """Gain by initial rank."""
    rows = [
        [method_label(c.method, results.gate), c.rank, f"{c.students:,}", percent(c.start), signed(c.change)]
        for c in results.ranks
    ]
    columns = ["method", "initial rank", "students", "start", "change"]
    note = "Ranked by the mean of the domains at the start, the strongest first."
    return Table(_title("gain by initial rank, percent", results), columns, rows, [_source(results), note])


def round_table(results: SimulatedResults) -> Table:
    """Open edges, scores and consensus over rounds; at most a dozen rounds a method."""
    rows = [_round_row(line, results) for line in results.history if line.round in _shown(results.rounds)]
    columns = ["method", "round", "open edges, %", "tutored, %"]
    columns += [*results.domains, "consensus distance"]
    note = (
        "Open edges and tutored students (with an open tutor) in the round that leads to these scores. Consensus"
        " distance: percent of questions, mean of the domains, on which of two random students one is right and the"
        " other wrong."
    )
    return Table(_title("rounds", results), columns, rows, [_source(results), note])


def _round_row(line: RoundLine, results: SimulatedResults) -> list[str]:
    started = line.round == 0
    return [
        method_label(line.method, results.gate),
        str(line.round),
        percent(line.open),
        NONE if started else percent(line.tutored),
        *(percent(line.score[d]) for d in results.domains),
        percent(float(np.mean(list(line.disagreement.values())))),
    ]


def _shown(rounds: int) -> set[int]:
    return set(np.linspace(0, rounds, min(rounds + 1, _ROUNDS_SHOWN)).round().astype(int).tolist())


def feedback_table(results: SimulatedResults) -> Table:
    """What feedback mended and broke."""
    rows = [
        [method_label(c.method, results.gate), f"{c.right:,.0f}", percent(c.broken, 2), percent(c.mended, 2)]
        for c in results.feedback
    ]
    columns = ["method", "right rollouts told", "broken, %", "mended, %"]
    note = (
        "Rollouts of tutored students over the whole run: right ones that feedback broke, wrong ones that it mended,"
        " both in percent of the right ones and beyond what they do without feedback (negative: fewer)."
    )
    return Table(_title("feedback", results), columns, rows, [_source(results), note])


# -- calibration and held-out check ----------------------------------------------------------------


def constants_table(constants: Constants) -> Table:
    """Every constant with its interval, and what the data do not tell."""
    fit = constants.fit
    rows = []
    for key in constant_keys():
        group, _, name = key.partition(".")
        low, high = fit.intervals.get(key, (None, None))
        why = fit.not_identified.get(key)
        rows.append(
            [
                key,
                f"{getattr(getattr(constants, group), name):.4g}",
                NONE if low is None or high is None else f"[{low:.4g}, {high:.4g}]",
                f"[{allowed_range(key)[0]:g}, {allowed_range(key)[1]:g}]",
                _identified(key, why, low, high),
            ]
        )
    columns = ["constant", "value", "95 %", "allowed", "identified"]
    runs = ", ".join(fit.runs) or "no runs (set by hand)"
    return Table(f"{LABEL}: constants of the model", columns, rows, [f"From {runs}. {constants.name}".strip()])


def _identified(key: str, why: str | None, low: float | None, high: float | None) -> str:
    if why:
        return f"not identified: {why}"
    if low is None or high is None:
        return NONE
    at_limit = any(max(abs(low - end), abs(high - end)) < 1e-3 for end in allowed_range(key))
    return "yes, at its limit" if at_limit else "yes"


def explained_table(calibration: Calibration) -> Table:
    """How well the learning rule explains the gains it was fitted to."""
    rows = [
        [e.part, str(e.gains), f"{e.r2:.2f}", percent(e.rmse, 2), signed(e.mean), percent(e.spread, 2)]
        for e in calibration.explained
    ]
    columns = ["gains", "n", "R2", "RMSE", "mean gain", "spread"]
    notes = [
        "Gains in accuracy per round, student and domain, from the measured scores at the round's start and the"
        " journaled gates. R2 is against the mean of the line; spread: standard deviation of the gains.",
        f"Intervals resample {calibration.clusters} clusters (a student of a seed)."
        + (" So few make them rough." if calibration.clusters < _FEW_CLUSTERS else ""),
    ]
    if calibration.missing:
        notes.append(f"{calibration.missing} student-rounds are not on disk and were left out.")
    return Table(f"{LABEL}: how well the model explains real gains, percent", columns, rows, notes)


def prediction_table(scores: Sequence[PredictionScore], constants: Constants, held_out: bool) -> Table:
    """Predicted against measured gains, beside the naive predictors."""
    rows = [
        [
            s.part,
            str(s.gains),
            signed(s.measured),
            signed(s.predicted),
            *(percent(s.errors[k], 2) for k in (SIMULATOR, NO_CHANGE, MEAN_GAIN)),
            span(s.low, s.high, "+.2f"),
            percent(s.covered, 0),
            s.verdict,
        ]
        for s in scores
    ]
    columns = ["part", "n", "measured gain", "predicted", "RMSE", f"RMSE {NO_CHANGE}", f"RMSE {MEAN_GAIN}"]
    columns += ["advantage, 95 %", "covered, %", "verdict"]
    fitted = ", ".join(constants.fit.runs) or "no runs"
    kind = "held-out check" if held_out else "check on runs that the constants were fitted to"
    note = (
        f"Change of validation score from start to end; each run is played from its own measured starts. Constants from"
        f" {fitted}. {MEAN_GAIN}: of those runs, by method. advantage: RMSE of the better naive predictor minus the"
        " simulator's, seeds resampled (none from one seed). covered: measured gains within the middle 95 % of the"
        " simulated ones."
    )
    return Table(f"{LABEL}: {kind}, percent", [*columns], rows, [note])
