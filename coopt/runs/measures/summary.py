"""From a finished run on disk to its ``Results``."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress
from functools import cached_property, lru_cache
from itertools import product
from pathlib import Path

import numpy as np

from coopt.core.errors import CooptError, DamagedError
from coopt.core.names import BASE, INIT, ORACLE
from coopt.core.statistics.accuracy import accuracy
from coopt.core.statistics.crossed import ratio
from coopt.core.statistics.design import Array, make_design
from coopt.core.statistics.proportions import proportion_interval
from coopt.core.statistics.samples import majority_at_k, pass_at_k
from coopt.core.statistics.verdicts import Change, change, corrected
from coopt.graph.topology import Edge
from coopt.runs.journal import RoundKey, round_key
from coopt.runs.measures import cost
from coopt.runs.measures.acceptance import committee_cells
from coopt.runs.measures.claims import ALL, Claims, claims_of
from coopt.runs.measures.consensus import consensus_distance
from coopt.runs.measures.hostile import hostile_cells
from coopt.runs.measures.pareto import dominance_cells, pareto_cells
from coopt.runs.measures.probes import break_cells, matched_break_cells
from coopt.runs.measures.readings import rollout_readings, score_reading
from coopt.runs.measures.regrets import regret_cells
from coopt.runs.measures.scores import CRITIC, Scores
from coopt.runs.measures.standings import standings
from coopt.runs.measures.starting_order import by_rank
from coopt.runs.results import (
    ComparisonCell,
    ConsensusCell,
    ConstantCell,
    GateCell,
    OldResultsError,
    RankCell,
    ReadingCell,
    Results,
    ScoreCell,
    results_path,
    stored_results,
)
from coopt.runs.run import Run


def summarise(run: Run) -> Results:
    """Read scores, journal, steps and probes of a run whose tasks are all done."""
    return _Summary(run).results()


def summary_and_changes(run: Run) -> tuple[Results, list[ComparisonCell]]:
    """``summarise`` and ``mean_changes``, for which every file is read once."""
    summary = _Summary(run)
    return summary.results(), summary.mean_changes()


def read_results(directory: str | Path) -> Results:
    """The results of a finished run; of an earlier coopt's, and damaged ones, worked out anew from its answers. Raises
    ``RunError``, which is a ``DamagedError`` if they cannot be."""
    try:
        return _or_smoke(stored_results(directory), directory)
    except (OldResultsError, DamagedError):
        run = Run.open(directory)
        if not run.has_answers():
            raise
        return _anew(run.directory, results_path(run.directory).stat().st_mtime)


def _or_smoke(results: Results, directory: str | Path) -> Results:
    """Results that an earlier coopt wrote do not say whether they are a smoke run's."""
    with suppress(CooptError):
        return results.model_copy(update={"smoke": Run.open(directory).config.smoke})
    return results


@lru_cache(maxsize=64)
def _anew(directory: Path, written: float) -> Results:
    """A sweep asks for the same results again and again."""
    return summarise(Run.open(directory))


def mean_changes(run: Run) -> list[ComparisonCell]:
    """Every method against the initial students, on the mean of all students and domains."""
    return _Summary(run).mean_changes()


class _Summary:
    def __init__(self, run: Run) -> None:
        self.run = run
        self.config = run.config
        self.seeds = run.seeds
        self.students = run.topology.students
        self.scores = Scores(run)
        self.journal = run.journal()

    def results(self) -> Results:
        steps = cost.read_steps(self.run)
        native = dict(self.run.topology.native)
        gates, feedback, scores = self._gates(), cost.feedback_cells(steps), self._scores()
        return Results(
            run=self.run.directory.name,
            smoke=self.config.smoke,
            topology=self.run.topology.name,
            domains=list(self.config.domains),
            methods=list(self.config.methods),
            seeds=self.seeds,
            native=native,
            constants=self._constants(),
            scores=scores,
            pareto=[c for m in self.config.methods for c in pareto_cells(self.scores, m, self._claims.changes, native)],
            dominance=[c for pair in self._compared() for c in dominance_cells(self.scores, *pair, self._claims)],
            comparisons=self._comparisons(),
            standings=standings(self.scores, self._claims.pairs) if self.config.methods else [],
            gates=gates,
            feedback=feedback,
            break_rates=break_cells(self.run, self.journal) if self.config.break_rate.questions else [],
            regrets=regret_cells(self.run) if self.config.break_rate.questions else [],
            matched=matched_break_cells(self.run, self.journal) if self.config.break_rate.questions else [],
            costs=cost.cost_cells(steps, self.config.methods),
            no_own_correct=cost.no_own_correct(steps),
            ranks=self._ranks(),
            consensus=self._consensus() if len(self.students) > 1 else [],
            committees=committee_cells(steps),
            hostile=hostile_cells(gates, feedback, self.config.adversary),
            readings=[*self._readings(scores), *rollout_readings(steps)],
            unavailable={k: v["reason"] for k, v in self.journal.all("unavailable").items()},
        )

    # -- scores ------------------------------------------------------------------------------------

    @cached_property
    def _claims(self) -> Claims:
        """Everything that the tables claim, corrected as one family."""
        by_rank = self._by_rank if len(self.students) > 2 else {}
        gains = {key: change(values_SQ, self.scores.design()) for key, (_, values_SQ) in by_rank.items()}
        return claims_of(self.scores, self._compared(), gains)

    def _scores(self) -> list[ScoreCell]:
        cells = [self._cell(BASE, BASE, d) for d in self.config.domains]
        cells += [self._cell(CRITIC, c, d) for c in self.scores.scored_critics() for d in self.config.domains]
        for who in (INIT, *self.config.methods):
            cells += [self._cell(who, s, d) for s in self.students for d in self.config.domains]
        return cells

    def _cell(self, who: str, student: str, domain: str) -> ScoreCell:
        found = self.scores.score(who, student, domain)
        low, high = proportion_interval(found)
        moved = self._claims.changes.get((who, student, domain))
        results = self.scores.final(who, student, domain)
        kept = all("answers" in r for r in results)
        return ScoreCell(
            who=who,
            student=student,
            domain=domain,
            native=self.run.topology.native.get(student) == domain,
            score=found.value,
            low=low,
            high=high,
            per_seed=list(found.per_seed),
            questions=found.questions,
            samples=self.config.sampling.eval_samples,
            change=moved.value if moved else None,
            change_low=moved.low if moved else None,
            change_high=moved.high if moved else None,
            change_per_seed=list(moved.per_seed) if moved else [],
            verdict=moved.verdict if moved else "",
            p=moved.p if moved else None,
            detectable=moved.detectable if moved else None,
            majority=float(np.mean([majority_at_k(r["correct"], r["answers"]) for r in results])) if kept else None,
            passed=float(np.mean([pass_at_k(r["correct"]) for r in results])),
            best_by_validation=self._best_by_validation(who, student, domain) if moved else None,
            collapsed=self._collapsed(who, student) if moved else [],
        )

    def _readings(self, scores: Sequence[ScoreCell]) -> list[ReadingCell]:
        places = [(c.who, c.student, c.domain) for c in scores]
        found = [score_reading(*place, self.scores.final(*place)) for place in places]
        return [cell for cell in found if cell]

    def _best_by_validation(self, method: str, student: str, domain: str) -> float:
        found = []
        for seed in self.seeds:
            best = self.scores.best_round(seed, method, student)
            found.append(accuracy(self.scores.file(seed, method, best, student))[domain])
        return float(np.mean(found))

    def _collapsed(self, method: str, student: str) -> list[str]:
        found = []
        for seed in self.seeds:
            fallen = self.journal.all("collapsed")
            rounds = [
                r
                for r in range(1, self.scores.last(method) + 2)
                if student in fallen.get(round_key(seed, method, r), [])
            ]
            if rounds:  # found at the start of a round: it fell in the one before
                found.append(f"seed {seed} at step {(rounds[0] - 1) * self.config.rounds.steps}")
        return found

    def _constants(self) -> list[ConstantCell]:
        cells = []
        for name, domain in self.run.domains.items():
            answer, share = domain.constant("test")
            cells.append(ConstantCell(domain=name, answer=answer, share=share, questions=len(domain.items("test"))))
        return cells

    # -- verdicts ----------------------------------------------------------------------------------

    def _compared(self) -> list[tuple[str, str]]:
        """Every later method with the first one and those that it is meant to be set against. With adversaries also
        with the honest tutors."""
        if not self.config.methods:
            return []
        baseline, *others = self.config.methods
        pairs = [(m, baseline) for m in others]
        pairs += [(m, b) for m in others for b in self.run.method(m).against if b in others and b != m]
        if "honest" in others:  # what the adversaries cost
            pairs += [(m, "honest") for m in others if self.run.method(m).adversaries and m != "honest"]
        return list({frozenset(pair): pair for pair in reversed(pairs)}.values())[::-1]

    def _comparisons(self) -> list[ComparisonCell]:
        """On the mean of the domains: per student and over all."""
        return [self._comparison(*key, moved) for key, moved in self._claims.comparisons.items()]

    def mean_changes(self) -> list[ComparisonCell]:
        """Every method against the initial students."""
        methods, everyone = self.config.methods, self.students
        found = corrected([self.scores.between(m, INIT, everyone) for m in methods])
        return [self._comparison(m, INIT, ALL, c) for m, c in zip(methods, found, strict=True)]

    def _comparison(self, method: str, baseline: str, name: str, moved: Change) -> ComparisonCell:
        words = {"improves": "better", "worse": "worse"}
        return ComparisonCell(
            method=method,
            baseline=baseline,
            student=name,
            difference=moved.value,
            low=moved.low,
            high=moved.high,
            per_seed=list(moved.per_seed),
            verdict=words.get(moved.verdict, moved.verdict),
            p=moved.p,
            p_alone=moved.found.p_value(),
            of_oracle=self._of_oracle(method, baseline, name),
        )

    def _of_oracle(self, method: str, baseline: str, name: str) -> tuple[float, float, float] | None:
        if ORACLE not in self.config.methods or ORACLE in (method, baseline):
            return None
        group = self.students if name == ALL else [name]
        most = self.scores.paired(ORACLE, baseline, group)
        shown = self._claims.comparisons.get((ORACLE, baseline, name)) or change(most, self.scores.design())
        if shown.verdict != "improves":
            return None
        found = ratio(self.scores.paired(method, baseline, group), most, self.scores.design())
        return (found.value, found.low, found.high) if found else None

    # -- many students ---------------------------------------------------------------------------

    @cached_property
    def _by_rank(self) -> dict[tuple[str, int], tuple[list[str], Array]]:
        """Method and initial rank -> who it was in each seed, and what they gained [seeds, questions of all domains].
        Ranks are by initial validation scores: by the test scores, chance would make the first lose and the last
        gain."""
        starts = [[accuracy(self.scores.file(k, INIT, 0, s, "validation")) for k in self.seeds] for s in self.students]
        order = by_rank(np.array([[np.mean(list(a.values())) for a in seeds] for seeds in starts]))
        found = {}
        for method in self.config.methods:
            moved = {s: self.scores.paired(method, INIT, [s]) for s in self.students}
            for k, who in enumerate(order):
                names = [self.students[i] for i in who]
                found[method, k + 1] = (names, np.array([moved[n][seed] for seed, n in enumerate(names)]))
        return found

    def _ranks(self) -> list[RankCell]:
        return [
            RankCell(
                method=method,
                rank=rank,
                students=self._by_rank[method, rank][0],
                gain=c.value,
                low=c.low,
                high=c.high,
                per_seed=list(c.per_seed),
                verdict=c.verdict,
                p=c.p,
            )
            for (method, rank), c in self._claims.gains.items()
        ]

    def _consensus(self) -> list[ConsensusCell]:
        cells = []
        design = make_design(
            [[i.clusters for i in self.run.domains[d].items("validation")] for d in self.config.domains]
        )
        for method in self.config.methods:
            for round_ in range(self.scores.last(method) + 1):
                answers = [
                    [
                        [
                            self.scores.file(seed, method, round_, s, "validation")["domains"][d].get("answers")
                            for s in self.students
                        ]
                        for seed in self.seeds
                    ]
                    for d in self.config.domains
                ]
                found = consensus_distance(answers, design)
                if found is not None:
                    low, high = proportion_interval(found)
                    cells.append(ConsensusCell(method=method, round=round_, distance=found.value, low=low, high=high))
        return cells

    # -- gates -------------------------------------------------------------------------------------

    def _gates(self) -> list[GateCell]:
        cells = []
        found = {RoundKey.parse(key): decisions for key, decisions in self.journal.all("gates").items()}
        # In the run's order: a decision that was taken again stands where it stood.
        for seed, method in product(self.seeds, self.config.methods):
            for round_ in sorted(key.round for key in found if key[:2] == (seed, method)):
                decisions = found[RoundKey(seed, method, round_)]
                for edge, decision in decisions.items():
                    fields = {k: v for k, v in decision.items() if k in GateCell.model_fields}
                    if Edge.parse(edge).tutor != ORACLE:
                        cells.append(GateCell(seed=seed, method=method, round=round_, edge=edge, **fields))
        return cells
