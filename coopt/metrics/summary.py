"""From a finished run on disk to its ``Results``."""

from __future__ import annotations

from functools import cached_property
from typing import Any

import numpy as np

from coopt.methods.base import ORACLE
from coopt.metrics import cost
from coopt.metrics.acceptance import committee_cells
from coopt.metrics.accuracy import accuracy
from coopt.metrics.bootstrap import Array, interval, interval_of_ratio, resample_weights
from coopt.metrics.consensus import consensus_distance
from coopt.metrics.hostile import hostile_cells
from coopt.metrics.pareto import mutual, pareto_draws, pareto_improves, share
from coopt.metrics.probes import break_cells
from coopt.metrics.ranks import by_rank
from coopt.metrics.results import (
    ComparisonCell,
    ConsensusCell,
    ConstantCell,
    GateCell,
    ParetoCell,
    RankCell,
    Results,
    ScoreCell,
)
from coopt.metrics.verdicts import Change, change
from coopt.rng import generator
from coopt.running import store
from coopt.running.run import BASE, INIT, Run

CRITIC = "critic"
"""Who stands in the tables with a critic's own scores."""


def summarise(run: Run) -> Results:
    """Read scores, journal, steps and probes of a run whose tasks are all done."""
    return _Summary(run).results()


def mean_changes(run: Run) -> list[ComparisonCell]:
    """Every method against the initial students, on the mean of all students and domains."""
    summary = _Summary(run)
    return [summary.comparison(m, INIT, "all", summary.students) for m in run.config.methods]


class _Summary:
    def __init__(self, run: Run) -> None:
        self.run = run
        self.config = run.config
        self.seeds = run.seeds
        self.students = run.topology.students
        self.journal = run.journal()

    def results(self) -> Results:
        steps = cost.read_steps(self.run)
        gates, feedback = self._gates(), cost.feedback_cells(steps)
        return Results(
            run=self.run.directory.name,
            topology=self.run.topology.name,
            domains=list(self.config.domains),
            methods=list(self.config.methods),
            seeds=self.seeds,
            native=dict(self.run.topology.native),
            constants=self._constants(),
            scores=self._scores(),
            pareto=[cell for m in self.config.methods for cell in self._pareto(m)],
            comparisons=self._comparisons(),
            gates=gates,
            feedback=feedback,
            break_rates=break_cells(self.run, self.journal) if self.config.break_rate.questions else [],
            costs=cost.cost_cells(steps, self.config.methods),
            no_own_correct=cost.no_own_correct(steps),
            ranks=self._ranks() if len(self.students) > 1 else [],
            consensus=self._consensus() if len(self.students) > 1 else [],
            committees=committee_cells(steps),
            hostile=hostile_cells(gates, feedback, self.config.adversary),
            unavailable={k: v["reason"] for k, v in self.journal.all("unavailable").items()},
        )

    # -- scores ------------------------------------------------------------------------------------

    def _file(self, seed: int, who: str, round_: int, student: str, split: str = "test") -> Any:
        who = INIT if who == CRITIC else who
        return store.read_json(self.run.scores_path(seed, who, split, round_, student))

    def _last(self, who: str) -> int:
        return 0 if who in (BASE, INIT, CRITIC) else self.run.rounds_of(who)

    def _per_question(self, who: str, student: str, domain: str) -> Array:
        """Mean correctness [seeds, questions] on the test split."""
        grids = []
        for seed in self.seeds:
            result = self._file(seed, who, self._last(who), student)
            grids.append(np.mean(result["domains"][domain]["correct"], axis=1))
        return np.array(grids)

    @cached_property
    def _weights(self) -> dict[str, Array]:
        """Bootstrap weights per domain, the same for every student, method and seed."""
        weights = {}
        for name, domain in self.run.domains.items():
            count = len(domain.items("test"))
            weights[name] = resample_weights(count, self.config.run.bootstrap, generator("summary", name))
        return weights

    def _change(self, method: str, student: str, domain: str) -> Change:
        difference = self._per_question(method, student, domain) - self._per_question(INIT, student, domain)
        return change(difference, self._weights[domain])

    def _scores(self) -> list[ScoreCell]:
        cells = [self._cell(BASE, BASE, d) for d in self.config.domains]
        cells += [self._cell(CRITIC, c, d) for c in self._scored_critics() for d in self.config.domains]
        for who in (INIT, *self.config.methods):
            cells += [self._cell(who, s, d) for s in self.students for d in self.config.domains]
        return cells

    def _scored_critics(self) -> list[str]:
        """Critics with test scores in every seed (older runs have none)."""
        paths = {
            c: [self.run.scores_path(seed, INIT, "test", 0, c) for seed in self.seeds]
            for c in self.run.scored_critics()
        }
        return [c for c, files in paths.items() if all(f.is_file() for f in files)]

    def _cell(self, who: str, student: str, domain: str) -> ScoreCell:
        values = self._per_question(who, student, domain)
        low, high = interval(self._weights[domain] @ values.mean(axis=0))
        trained = who not in (BASE, INIT, CRITIC)
        moved = self._change(who, student, domain) if trained else None
        return ScoreCell(
            who=who,
            student=student,
            domain=domain,
            native=self.run.topology.native.get(student) == domain,
            score=float(values.mean()),
            low=low,
            high=high,
            per_seed=[float(v) for v in values.mean(axis=1)],
            questions=values.shape[1],
            samples=self.config.sampling.eval_samples,
            change=moved.value if moved else None,
            change_low=moved.low if moved else None,
            change_high=moved.high if moved else None,
            change_per_seed=list(moved.per_seed) if moved else [],
            verdict=moved.verdict if moved else "",
            best_by_validation=self._best_by_validation(who, student, domain) if trained else None,
            collapsed=self._collapsed(who, student) if trained else [],
        )

    def _best_by_validation(self, method: str, student: str, domain: str) -> float:
        scores = []
        for seed in self.seeds:
            best = best_round(self.run, seed, method, student)
            scores.append(accuracy(self._file(seed, method, best, student))[domain])
        return float(np.mean(scores))

    def _collapsed(self, method: str, student: str) -> list[str]:
        found = []
        for seed in self.seeds:
            fallen = self.journal.all("collapsed")
            rounds = [r for r in range(1, self._last(method) + 2) if student in fallen.get(f"{seed}/{method}/r{r}", [])]
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

    def _pareto(self, method: str) -> list[ParetoCell]:
        draws, cells = {}, []
        for student in self.students:
            changes = {d: self._change(method, student, d) for d in self.config.domains}
            draws[student] = pareto_draws(np.array([self._drawn(method, student, d) for d in self.config.domains]))
            verdicts = [c.verdict for c in changes.values()]
            cells.append(
                ParetoCell(
                    method=method,
                    student=student,
                    point=pareto_improves([c.value for c in changes.values()]),
                    probability=float(draws[student].mean()),
                    shown="worse" not in verdicts and "improves" in verdicts,
                    native_change=changes[self.run.topology.native[student]].value,
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

    def _drawn(self, method: str, student: str, domain: str) -> Array:
        difference = self._per_question(method, student, domain) - self._per_question(INIT, student, domain)
        drawn: Array = self._weights[domain] @ difference.mean(axis=0)
        return drawn

    def _comparisons(self) -> list[ComparisonCell]:
        """Every later method against the first one, on the mean of the domains: per student and over all. With
        adversaries also against the honest tutors."""
        if not self.config.methods:
            return []
        baseline, *others = self.config.methods
        pairs = [(m, baseline) for m in others]
        if "honest" in others:  # what the adversaries cost
            pairs += [(m, "honest") for m in others if self.run.method(m).adversaries]
        who = {s: [s] for s in self.students} | ({"all": self.students} if len(self.students) > 1 else {})
        return [self.comparison(m, b, name, group) for m, b in pairs for name, group in who.items()]

    def comparison(self, method: str, baseline: str, name: str, group: list[str]) -> ComparisonCell:
        """A method against another one, or against the initial students, on the mean of ``group``."""
        differences, weights = self._paired(method, baseline, group)
        moved = change(differences, weights)
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
            of_oracle=self._of_oracle(method, baseline, group),
        )

    def _paired(self, method: str, baseline: str, group: list[str]) -> tuple[Array, Array]:
        """Differences [seeds, questions of all domains], the mean over ``group``, and their bootstrap weights."""
        domains = self.config.domains
        parts = {
            d: np.mean([self._per_question(method, s, d) - self._per_question(baseline, s, d) for s in group], axis=0)
            for d in domains
        }
        # Domains count alike whatever their number of questions: scale, then lay side by side.
        total = sum(p.shape[1] for p in parts.values())
        scaled = np.concatenate([parts[d] * total / (len(domains) * parts[d].shape[1]) for d in domains], axis=1)
        weights = np.concatenate([self._weights[d] * parts[d].shape[1] / total for d in domains], axis=1)
        return scaled, weights

    def _of_oracle(self, method: str, baseline: str, group: list[str]) -> tuple[float, float, float] | None:
        if ORACLE not in self.config.methods or ORACLE in (method, baseline):
            return None
        differences, weights = self._paired(method, baseline, group)
        most, _ = self._paired(ORACLE, baseline, group)
        if change(most, weights).verdict != "improves":
            return None
        span = interval_of_ratio(weights @ differences.mean(axis=0), weights @ most.mean(axis=0))
        return (float(differences.mean() / most.mean()), *span) if span else None

    # -- many students ---------------------------------------------------------------------------

    def _ranks(self) -> list[RankCell]:
        """Gain by initial rank: the mean of the domains, students ranked in each seed by their initial validation
        scores (ranked by the test scores, chance would make the first lose and the last gain)."""
        starts = [[accuracy(self._file(k, INIT, 0, s, "validation")) for k in self.seeds] for s in self.students]
        order = by_rank(np.array([[np.mean(list(a.values())) for a in seeds] for seeds in starts]))
        cells = []
        for method in self.config.methods:
            moved = {s: self._paired(method, INIT, [s]) for s in self.students}
            weights = moved[self.students[0]][1]
            for k, who in enumerate(order):
                names = [self.students[i] for i in who]
                differences = np.array([moved[name][0][seed] for seed, name in enumerate(names)])
                found = change(differences, weights)
                cells.append(
                    RankCell(
                        method=method,
                        rank=k + 1,
                        students=names,
                        gain=found.value,
                        low=found.low,
                        high=found.high,
                        per_seed=list(found.per_seed),
                        verdict=found.verdict,
                    )
                )
        return cells

    def _consensus(self) -> list[ConsensusCell]:
        draws = self.config.run.bootstrap
        cells = []
        for method in self.config.methods:
            for round_ in range(self._last(method) + 1):
                answers = [
                    [
                        [
                            self._file(seed, method, round_, s, "validation")["domains"][d].get("answers")
                            for s in self.students
                        ]
                        for seed in self.seeds
                    ]
                    for d in self.config.domains
                ]
                found = consensus_distance(answers, draws)
                if found is not None:
                    distance, low, high = found
                    cells.append(ConsensusCell(method=method, round=round_, distance=distance, low=low, high=high))
        return cells

    # -- gates -------------------------------------------------------------------------------------

    def _gates(self) -> list[GateCell]:
        cells = []
        for key, decisions in self.journal.all("gates").items():
            seed, method, round_ = key.split("/")
            if int(seed) in self.seeds and method in self.config.methods:
                for edge, decision in decisions.items():
                    fields = {k: v for k, v in decision.items() if k in GateCell.model_fields}
                    if edge.split(" -> ")[0] != ORACLE:
                        cells.append(
                            GateCell(seed=int(seed), method=method, round=int(round_[1:]), edge=edge, **fields)
                        )
        return cells


def best_round(run: Run, seed: int, method: str, student: str) -> int:
    """The round after which the student's mean validation accuracy was best (0: its start)."""
    last = run.last_round(seed, method, student, run.rounds_of(method))

    def mean(round_: int) -> float:
        scores = accuracy(store.read_json(run.scores_path(seed, method, "validation", round_, student)))
        return sum(scores.values()) / len(scores)

    return max(range(last + 1), key=lambda r: (mean(r), r))
