"""From simulated histories to the record that tables and picture are made from."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import NamedTuple

import numpy as np

from coopt.core.arrays import Bools, Floats, Ints
from coopt.core.rng import generator
from coopt.core.statistics.bootstrap import interval, resampled_means
from coopt.driver.simulate.deciding import OPCOD
from coopt.driver.simulate.dynamics import World, simulate
from coopt.driver.simulate.history import History
from coopt.driver.simulate.results import (
    Compared,
    FeedbackLine,
    ParetoGroup,
    RankGroup,
    RoundLine,
    ScoreGroup,
    SimulatedResults,
)

FEW = 12
"""Up to this many students the tables have a line for each."""
_MIDDLE = (10, 90)
_DRAWS = 2000
_WORDS = {"improves": "better", "worse": "worse"}


class _Spread(NamedTuple):
    """Of the students of a round: their mean, and the ends of their middle."""

    mean_D: Floats
    low_D: Floats
    high_D: Floats

    @classmethod
    def of(cls, accuracy_SD: Floats) -> _Spread:
        low_D, high_D = np.percentile(accuracy_SD, _MIDDLE, axis=0)
        return cls(accuracy_SD.mean(axis=0), low_D, high_D)


class Digest(NamedTuple):
    """What is kept of a history: students only, arrays over S students, D domains and R + 1 rounds."""

    start_SD: Floats
    end_SD: Floats
    score_RD: Floats
    low_RD: Floats
    high_RD: Floats
    disagreement_RD: Floats
    edges_R: Ints
    open_R: Ints
    tutored_R: Floats
    told: Floats
    collapsed: float

    @classmethod
    def of(cls, history: History) -> Digest:
        students_N = history.nodes.students_N
        rounds = [_Spread.of(accuracy_ND[students_N].astype(float)) for accuracy_ND in history.accuracy_RND]
        return cls(
            start_SD=history.accuracy_RND[0][students_N].astype(float),
            end_SD=history.accuracy_RND[-1][students_N].astype(float),
            score_RD=np.array([r.mean_D for r in rounds]),
            low_RD=np.array([r.low_D for r in rounds]),
            high_RD=np.array([r.high_D for r in rounds]),
            disagreement_RD=history.disagreement_RD,
            edges_R=history.edges_R,
            open_R=history.open_R,
            tutored_R=history.tutored_R,
            told=history.told_R.sum(axis=0),
            collapsed=float((history.collapsed_N > 0)[students_N].mean()),
        )

    @property
    def change_SD(self) -> Floats:
        return self.end_SD - self.start_SD


Digests = Mapping[str, Sequence[Digest]]
"""Method -> one digest a seed."""


def simulate_all(
    world: World, methods: Sequence[str], seeds: Sequence[int], tick: Callable[[str], None] = lambda what: None
) -> SimulatedResults:
    """Play every method on every seed. ``tick`` is told what begins."""
    digests: dict[str, list[Digest]] = {m: [] for m in methods}
    for seed in seeds:
        rate = None
        for method in methods:
            tick(f"{method}, seed {seed}")
            history = simulate(world, method, seed, matched_rate=rate)
            digests[method].append(Digest.of(history))
            if method == OPCOD:
                rate = history.open_share
    return summarise(world, digests, seeds)


def summarise(world: World, digests: Digests, seeds: Sequence[int]) -> SimulatedResults:
    """The record of these digests."""
    config, topology = world.config, world.topology
    names = list(digests)
    native_SD = world.nodes.native_ND[world.nodes.students_N]
    assert world.feedback is not None
    return SimulatedResults(
        constants=world.constants.name,
        feedback_rates=world.feedback.name,
        topology=topology.name,
        students=len(topology.students),
        edges=topology.graph.number_of_edges(),
        domains=list(config.domains),
        methods=names,
        seeds=list(seeds),
        rounds=config.rounds.rounds,
        steps=config.rounds.steps,
        gate=f"{config.gate.kind} (tau {config.gate.tau}, scope {config.gate.scope})",
        scores=[cell for m in names for cell in _scores(world, m, digests[m], native_SD)],
        pareto=[_pareto(m, digests[m], native_SD) for m in names],
        comparisons=[_compared(m, names[0], digests, native_SD) for m in names[1:]],
        ranks=[cell for m in names for cell in _ranks(m, digests[m])],
        history=[line for m in names for line in _history(m, digests[m], config.domains)],
        feedback=[line for m in names for line in _feedback(m, digests[m])],
    )


def method_label(method: str, gate: str) -> str:
    """How tables name a method: nobody takes it for a measured one."""
    inside = f", {gate.partition(' ')[0]}" if method == OPCOD else ""
    return f"{method} (simulated{inside})"


# -- scores ----------------------------------------------------------------------------------------


def _groups(world: World) -> Iterator[tuple[str, Bools]]:
    """Each student where they are few, else all and those of each native domain: (name, which [S])."""
    native_S = world.nodes.native_N[world.nodes.students_N]
    students = world.topology.students
    if len(students) <= FEW:
        for k, name in enumerate(students):
            yield name, np.arange(len(students)) == k
        return
    for d, domain in enumerate(world.config.domains):
        if (native_S == d).any():
            yield f"native {domain}", native_S == d


def _scores(world: World, method: str, digests: Sequence[Digest], native_SD: Bools) -> Iterator[ScoreGroup]:
    for name, which_S in _groups(world):
        for d, domain in enumerate(world.config.domains):
            start = np.array([x.start_SD[which_S, d] for x in digests])
            change = np.array([x.change_SD[which_S, d] for x in digests])
            low, high = np.percentile(change, _MIDDLE)
            yield ScoreGroup(
                method=method,
                group=name,
                domain=domain,
                native=bool(native_SD[which_S, d].all()),
                students=int(which_S.sum()),
                start=float(start.mean()),
                end=float((start + change).mean()),
                change=float(change.mean()),
                low=float(low),
                high=float(high),
                worse=float((change < 0).mean()),
            )


def _pareto(method: str, digests: Sequence[Digest], native_SD: Bools) -> ParetoGroup:
    improved = [(x.change_SD >= 0).all(axis=1) & (x.change_SD > 0).any(axis=1) for x in digests]
    native = np.array([x.change_SD[native_SD] for x in digests])
    return ParetoGroup(
        method=method,
        share=float(np.mean([i.mean() for i in improved])),
        mutual=float(np.mean([i.all() for i in improved])),
        native_change=float(native.mean()),
        native_loss=float((native < 0).mean()),
        collapsed=float(np.mean([x.collapsed for x in digests])),
    )


def _compared(method: str, baseline: str, digests: Digests, native_SD: Bools) -> Compared:
    """Intervals over seeds where there are enough of them, else over the students of the seeds together."""
    pairs = list(zip(digests[method], digests[baseline], strict=True))
    gained = np.array([(a.end_SD - b.end_SD).mean(axis=1) for a, b in pairs])
    native = np.array([(a.end_SD - b.end_SD)[native_SD].mean() for a, b in pairs])
    unit = "seeds" if len(pairs) >= 5 else "students"
    values = gained.mean(axis=1) if unit == "seeds" else gained.mean(axis=0)
    low, high = interval(resampled_means(values, _DRAWS, generator("simulate", unit, len(values))))
    word = "improves" if low > 0 else "worse" if high < 0 else "no difference shown"
    return Compared(
        method=method,
        baseline=baseline,
        difference=float(gained.mean()),
        low=low,
        high=high,
        native_difference=float(native.mean()),
        unit="seeds" if unit == "seeds" else "students",
        verdict=_WORDS.get(word, word),
    )


def _ranks(method: str, digests: Sequence[Digest]) -> Iterator[RankGroup]:
    """By initial rank: one line a rank where students are few, else quartiles, the strongest first."""
    students = len(digests[0].start_SD)
    parts = min(students, FEW) if students <= FEW else 4
    orders = [np.argsort(-x.start_SD.mean(axis=1), kind="stable") for x in digests]
    for k in range(parts):
        chosen = [np.array_split(order, parts)[k] for order in orders]
        start = np.array([x.start_SD[c].mean() for x, c in zip(digests, chosen, strict=True)])
        change = np.array([x.change_SD[c].mean() for x, c in zip(digests, chosen, strict=True)])
        name = str(k + 1) if students <= FEW else f"quartile {k + 1}"
        yield RankGroup(
            method=method, rank=name, students=len(chosen[0]), start=float(start.mean()), change=float(change.mean())
        )


# -- rounds ----------------------------------------------------------------------------------------


def _history(method: str, digests: Sequence[Digest], domains: Sequence[str]) -> Iterator[RoundLine]:
    means = {k: np.mean([getattr(x, k) for x in digests], axis=0) for k in ("score_RD", "low_RD", "high_RD")}
    differ_RD = np.mean([x.disagreement_RD for x in digests], axis=0)
    edges_R, open_R = (np.sum([getattr(x, k) for x in digests], axis=0) for k in ("edges_R", "open_R"))
    tutored_R = np.mean([x.tutored_R for x in digests], axis=0)

    def by_domain(row: Floats) -> dict[str, float]:
        return dict(zip(domains, map(float, row), strict=True))

    for r in range(len(edges_R)):
        yield RoundLine(
            method=method,
            round=r,
            open=float(open_R[r] / edges_R[r]) if edges_R[r] else None,
            tutored=float(tutored_R[r]),
            score=by_domain(means["score_RD"][r]),
            low=by_domain(means["low_RD"][r]),
            high=by_domain(means["high_RD"][r]),
            disagreement=by_domain(differ_RD[r]),
        )


def _feedback(method: str, digests: Sequence[Digest]) -> Iterator[FeedbackLine]:
    right, broken, mended = np.mean([x.told for x in digests], axis=0)
    if right > 0:
        yield FeedbackLine(
            method=method, right=float(right), broken=float(broken / right), mended=float(mended / right)
        )
