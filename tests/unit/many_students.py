"""Results of any number of students on a complete graph, made up: every table of a report has something to show."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import permutations

import numpy as np

from coopt.methods.rollouts import OUTCOMES
from coopt.runs.measures.probes import ALL_EDGES, ANY_STATE
from coopt.runs.results import (
    AuthorCell,
    BreakCell,
    CommitteeCell,
    ComparisonCell,
    ConsensusCell,
    ConstantCell,
    CostCell,
    DominanceCell,
    FeedbackCell,
    GateCell,
    HostileCell,
    JudgeCell,
    ParetoCell,
    RankCell,
    RateCell,
    ReadingCell,
    Results,
    ScoreCell,
    StandingCell,
)

DOMAINS = ("physics", "chemistry")
METHODS = ("sdpo", "opcod", "oracle")
_VERDICTS = ("improves", "no difference shown", "worse")
_SETTLED = ("yes", "no", "not settled")


def many_students(count: int, methods: Sequence[str] = METHODS, domains: Sequence[str] = DOMAINS) -> Results:
    """A run of ``count`` students, s1 to s{count}, over three seeds and two rounds."""
    return _Made(count, methods, domains).results()


class _Made:
    def __init__(self, count: int, methods: Sequence[str], domains: Sequence[str]) -> None:
        self.students = [f"s{k + 1}" for k in range(count)]
        self.edges = [f"{a} -> {b}" for a, b in permutations(self.students, 2)]
        self.methods, self.domains = list(methods), list(domains)
        self.rng = np.random.default_rng(count)

    def results(self) -> Results:
        return Results(
            run="made",
            topology="complete",
            domains=self.domains,
            methods=self.methods,
            seeds=[0, 1, 2],
            native={s: self.domains[k % len(self.domains)] for k, s in enumerate(self.students)},
            constants=[ConstantCell(domain=d, answer="A", share=0.3, questions=100) for d in self.domains],
            scores=list(self._scores()),
            pareto=list(self._pareto()),
            dominance=list(self._dominance()),
            comparisons=list(self._comparisons()),
            standings=[self._standing(k, w) for k, w in enumerate(("init", *self.methods))],
            gates=list(self._gates()),
            feedback=list(self._feedback()),
            break_rates=list(self._break_rates()),
            costs=[self._cost(m, on) for m in self.methods for on in ("on", "off")],
            ranks=list(self._ranks()),
            consensus=[
                ConsensusCell(method=m, round=r, distance=0.4, low=0.3, high=0.5)
                for m in self.methods
                for r in range(3)
            ],
            hostile=[self._hostile(e) for e in self.edges if e.startswith("s2 ")],
            committees=[CommitteeCell(method="fair", mistakes=50, training_items=20, authors=list(self._authors()))],
            readings=list(self._readings()),
            no_own_correct=0.1,
        )

    def _share(self) -> float:
        return float(self.rng.uniform(0.05, 0.9))

    def _around(self, value: float) -> tuple[float, float]:
        return value - 0.04, value + 0.05

    def _scores(self) -> Iterator[ScoreCell]:
        for who in ("base", "init", *self.methods):
            for k, student in enumerate(["base"] if who == "base" else self.students):
                for domain in self.domains:
                    score, moved = self._share(), float(self.rng.uniform(-0.2, 0.3))
                    low, high = self._around(score)
                    trained = who in self.methods
                    yield ScoreCell(
                        who=who, student=student, domain=domain, native=self.domains[k % len(self.domains)] == domain,
                        score=score, low=low, high=high, per_seed=[score] * 3, questions=100, samples=8,
                        change=moved if trained else None,
                        change_low=moved - 0.04 if trained else None, change_high=moved + 0.05 if trained else None,
                        change_per_seed=[moved - 0.01, moved, moved + 0.01] if trained else [],
                        verdict=_VERDICTS[k % 3] if trained else "", detectable=0.05 if trained else None,
                        majority=min(1.0, score + 0.01), passed=min(1.0, score + 0.08),
                        best_by_validation=score if trained else None,
                    )  # fmt: skip

    def _pareto(self) -> Iterator[ParetoCell]:
        for method in self.methods:
            for k, student in enumerate((*self.students, "mutual")):
                yield ParetoCell(
                    method=method, student=student, point=k % 2 == 0, probability=self._share(),
                    verdict=_SETTLED[k % 3],  # type: ignore[arg-type]
                    native_change=None if student == "mutual" else self._share(),
                    share=self._share() if student == "mutual" else None,
                )  # fmt: skip

    def _dominance(self) -> Iterator[DominanceCell]:
        for method in self.methods[1:]:
            for k, student in enumerate((*self.students, "mutual")):
                yield DominanceCell(
                    method=method, baseline=self.methods[0], student=student, point=k % 2 == 0,
                    differences=[] if student == "mutual" else [self._share() - 0.4 for _ in self.domains],
                    probability=self._share(), verdict=_SETTLED[k % 3],  # type: ignore[arg-type]
                )  # fmt: skip

    def _comparisons(self) -> Iterator[ComparisonCell]:
        for method in self.methods[1:]:
            for k, student in enumerate((*self.students, "all")):
                value = self._share() - 0.4
                low, high = self._around(value)
                yield ComparisonCell(
                    method=method, baseline=self.methods[0], student=student, difference=value, low=low, high=high,
                    per_seed=[value] * 3, verdict=("better", "no difference shown", "worse")[k % 3], p=self._share(),
                    of_oracle=(0.5, 0.4, 0.6) if method == "opcod" else None,
                )  # fmt: skip

    def _standing(self, place: int, who: str) -> StandingCell:
        return StandingCell(
            who=who, rank=place + 1, rank_first=1, rank_last=place + 2, score=0.5, low=0.4, high=0.6,
            hypervolume=0.5, hypervolume_low=0.4, hypervolume_high=0.6, headroom=(0.5, 0.4, 0.6),
        )  # fmt: skip

    def _gates(self) -> Iterator[GateCell]:
        for round_ in (1, 2):
            for edge in self.edges:
                gap = self._share()
                yield GateCell(
                    seed=0, method="opcod", round=round_, edge=edge, open=gap > 0.4, reason="cognizant", gap=gap,
                    gap_low=gap - 0.02, gap_high=gap + 0.02, flip=0.1,
                )  # fmt: skip

    def _feedback(self) -> Iterator[FeedbackCell]:
        for edge in self.edges:
            kept = int(self.rng.integers(1, 90))
            outcomes = dict.fromkeys(OUTCOMES, 2) | {"kept": kept}
            yield FeedbackCell(
                method="opcod", edge=edge, messages=sum(outcomes.values()) + 3, outcomes=outcomes, revealed=3, leaked=1,
                unread=3, voted_down=1,
            )  # fmt: skip

    def _break_rates(self) -> Iterator[BreakCell]:
        places = [(ALL_EDGES, "open", d) for d in ("all", "0-1", "2-4", "5-6", "7")]
        places += [(e, s, "all") for e in self.edges for s in ("open", ANY_STATE)]
        for edge, gate, difficulty in places:
            for context in ("paper", "sf", "f"):
                yield BreakCell(edge=edge, gate=gate, context=context, difficulty=difficulty, rates=self._rates())

    def _rates(self) -> dict[str, RateCell]:
        found = {}
        for name in ("break", "break_control", "break_more", "fix", "fix_control", "fix_more"):
            rate = self._share()
            low, high = self._around(rate)
            found[name] = RateCell(answers=80, questions=40, rate=rate, low=low, high=high)
        return found

    def _cost(self, method: str, on: str) -> CostCell:
        return CostCell(
            method=method, feedback=on, steps=20, seconds_per_step=1.5,
            shares={"rollout": 0.4, "feedback": 0.3, "teacher": 0.1, "student": 0.1, "other": 0.1},
            generated_tokens_per_second=1000.0, trained_tokens_per_second=2000.0, distinct_share=0.3,
            peak_memory_gib=1.5,
        )  # fmt: skip

    def _ranks(self) -> Iterator[RankCell]:
        for method in self.methods:
            for k in range(len(self.students)):
                names = [self.students[k], self.students[-1 - k], self.students[k]]
                gain = self._share() - 0.4
                low, high = self._around(gain)
                yield RankCell(
                    method=method, rank=k + 1, students=names, gain=gain, low=low, high=high, per_seed=[gain] * 3,
                    verdict=_VERDICTS[k % 3],
                )  # fmt: skip

    def _hostile(self, edge: str) -> HostileCell:
        return HostileCell(
            method="opcod", edge=edge, kind="misleading", rounds_open=1, rounds=2, messages=40, kept=10, voted_down=2,
            revealed=4, leaked=int(self.rng.integers(0, 5)),
        )  # fmt: skip

    def _authors(self) -> Iterator[AuthorCell]:
        for author in self.students:
            judges = [
                JudgeCell(judge=j, readable=20, mean_score=3.1, above=9) for j in sorted(self.students) if j != author
            ]
            yield AuthorCell(author=author, written=25, accepted=11, mean_score=3.2, judges=judges)

    def _readings(self) -> Iterator[ReadingCell]:
        for who in self.methods:
            for student in self.students:
                for domain, round_ in ((*self.domains[:1], None), ("", 1)):
                    yield ReadingCell(
                        who=who, student=student, domain=domain, round=round_, answers=800, unparsed=self._share(),
                        unfinished=self._share(), tokens=60,
                    )  # fmt: skip
