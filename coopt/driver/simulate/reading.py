"""Reading runs: scores, the journal (which edges were open) and break-rate probes.

Methods that the simulator does not have (controls such as shuffled and oracle) are left out; rounds that are not
finished yet are left out too.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from coopt.core.arrays import Floats
from coopt.core.errors import RunError
from coopt.driver.simulate.deciding import SDPO, method_names
from coopt.driver.simulate.observed import Cluster, Course, Observed, Pair, Probe, StartScore, StudentRound
from coopt.graph.topology import Edge, Topology
from coopt.runs.journal import Journal, round_key
from coopt.runs.measures.break_rates import Grids
from coopt.runs.provenance import began_with
from coopt.runs.run import Run

_KNOWN = 0.5  # a question counts as known if more than this share of the answers is right


def read_runs(directories: Sequence[str | Path]) -> Observed:
    """Everything from these runs. Raises ``RunError`` if one is no run or has nothing to tell."""
    observed = Observed()
    for directory in directories:
        before, run = len(observed.steps), Run.open(directory)
        if run.config.adversary:
            raise RunError(
                f"{directory}: it has hostile tutors ({', '.join(run.config.adversary)}), which are not modelled."
            )
        _Reader(run, observed).read()
        if len(observed.steps) == before:
            raise RunError(
                f"{directory}: no finished round of a method that is simulated ({', '.join(method_names())}). Run its"
                " coopt bench command again to resume it."
            )
    return observed


def graph_of(run: Run, seed: int) -> Topology:
    """The graph of a seed: with its hub where the run placed it."""
    hub = Journal(run.journal_path).all("hub").get(str(seed))
    return run.topology.placed(hub) if hub else run.topology


def commits(directories: Sequence[str | Path]) -> str:
    """The commits of the code that made these runs."""
    found = [str((began_with(Path(d)) or {}).get("commit")) for d in directories]
    return ", ".join(dict.fromkeys(c[:12] for c in found))


class _Reader:
    def __init__(self, run: Run, into: Observed) -> None:
        self.run, self.into, self.config = run, into, run.config
        self.name = run.directory.resolve().name
        self.gates = Journal(run.journal_path).all("gates")
        self.domains = run.config.domains
        self.graph = run.topology
        """The graph of the seed that is being read."""

    def read(self) -> None:
        self.into.names.append(self.name)
        for seed in self.config.all_seeds:
            self.graph = graph_of(self.run, seed)
            self._starts(seed)
            self._probes(seed)
            for method in self.config.methods:
                if method in method_names():
                    for student in self.run.topology.students:
                        self._course(seed, method, student)

    def _result(self, seed: int, method: str, round_: int, node: str) -> dict[str, Any] | None:
        path = self.run.scores_path(seed, method, "validation", round_, node)
        return self.run.answers_in(path) if path.is_file() else None

    def _answers(self, seed: int, method: str, round_: int, node: str) -> list[Floats] | None:
        """Mean correctness of every question, domain by domain."""
        result = self._result(seed, method, round_, node)
        if result is None:
            return None
        return [np.mean(result["domains"][d]["correct"], axis=1) for d in self.domains]

    def _scores(self, seed: int, method: str, round_: int, node: str) -> Floats | None:
        answers = self._answers(seed, method, round_, node)
        return None if answers is None else np.array([a.mean() for a in answers])

    def _native(self, student: str) -> int:
        return self.domains.index(self.run.topology.native[student])

    def _starts(self, seed: int) -> None:
        for student in self.run.topology.students:
            scores = self._scores(seed, SDPO, 0, student)
            if scores is not None:
                native = self._native(student)
                cluster = (self.name, seed, student)
                self.into.starts += [StartScore(cluster, float(x), d == native) for d, x in enumerate(scores)]
                self._pairs(cluster, seed)

    def _pairs(self, cluster: Cluster, seed: int) -> None:
        """What an initial student and each of its possible tutors know; two that tutor each other count once."""
        tutee, index = cluster[2], self.graph.index
        own = self._answers(seed, SDPO, 0, tutee) or []
        for tutor in self.graph.tutors_of(tutee):
            if index[tutor] > index[tutee] and self.graph.graph.has_edge(tutee, tutor):
                continue
            other = self._answers(seed, SDPO, 0, tutor) or []
            for mine, theirs in zip(own, other, strict=False):
                first, second = mine > _KNOWN, theirs > _KNOWN
                counts = [first & second, first & ~second, ~first & second, ~first & ~second]
                self.into.pairs.append(Pair(cluster, np.array([int(c.sum()) for c in counts])))

    # -- rounds ------------------------------------------------------------------------------------

    def _course(self, seed: int, method: str, student: str) -> None:
        rounds, cluster = self.config.rounds.rounds, (self.name, seed, student)
        scores = [self._scores(seed, method, r, student) for r in range(rounds + 1)]
        for r in range(1, rounds + 1):
            before, after = scores[r - 1], scores[r]
            tutors = self._open_tutors(seed, method, r, student)
            if before is None or after is None or tutors is None:
                self.into.missing += 1
                continue
            self.into.steps.append(self._step(cluster, method, before, after, tutors))
        start, end = scores[0], scores[-1]
        if start is not None and end is not None:
            self.into.courses.append(Course(cluster, method, start, end, self._native(student)))

    def _step(self, cluster: Cluster, method: str, before: Floats, after: Floats, tutors: list[Floats]) -> StudentRound:
        student, rounds = cluster[2], self.config.rounds
        trained = self.run.topology.trained_on(student, self.domains)
        share = np.array([d in trained for d in self.domains]) / len(trained)
        answers = self.config.data.validation * self.config.sampling.eval_samples
        return StudentRound(
            cluster,
            method,
            before,
            after,
            tutors,
            share,
            self._native(student),
            rounds.steps,
            rounds.rollouts,
            rounds.exclude_self,
            answers,
        )

    def _open_tutors(self, seed: int, method: str, round_: int, tutee: str) -> list[Floats] | None:
        """For each domain the round-start scores of the open tutors; None if the journal or a score is not there."""
        decisions = self.gates.get(round_key(seed, method, round_))
        if decisions is None:
            return None
        found: list[list[float]] = [[] for _ in self.domains]
        for text, decision in decisions.items():
            tutor, end = Edge.parse(text)
            if end != tutee or not decision["open"]:
                continue
            scores = self._scores(seed, method, round_ - 1, tutor)
            if scores is None:
                scores = self._scores(seed, method, 0, tutor)  # a critic is scored once
            if scores is None:
                return None
            open_in = decision.get("domains", self.domains)
            for d, domain in enumerate(self.domains):
                if domain in open_in:
                    found[d].append(float(scores[d]))
        return [np.array(f) for f in found]

    # -- probes ------------------------------------------------------------------------------------

    def _probes(self, seed: int) -> None:
        for student in self.run.topology.students:
            path = self.run.break_rate_path(seed, student)
            own = self._scores(seed, SDPO, 0, student)
            if path.is_file() and own is not None:
                self.into.probes += list(self._probe(seed, student, own, self.run.break_rate(seed, student)))

    def _probe(self, seed: int, student: str, own: Floats, probe: Any) -> Iterator[Probe]:
        for d, domain in enumerate(self.domains):
            found = probe["domains"][domain]
            grids: dict[str, tuple[Grids, Grids]] = {}
            scores: dict[str, float] = {}
            for edge in found["edges"]:
                tutor = Edge.parse(edge).tutor
                theirs = self._scores(seed, SDPO, 0, tutor)
                if theirs is not None:
                    scores[tutor] = float(theirs[d])
                    grids[tutor] = (Grids.of(found, edge, "f", seed), Grids.of(found, edge, "sf", seed))
            before = np.array(found["before"], dtype=float)
            kept = {Edge.parse(e).tutor: cell["kept"] / before.size for e, cell in found["edges"].items()}
            yield Probe(
                cluster=(self.name, seed, student),
                tutee_score=float(own[d]),
                tutor_scores=scores,
                before=before,
                again=np.array(found["again"], dtype=float),
                own=np.array(found["s"], dtype=float),
                f={t: f.after for t, (f, _) in grids.items()},
                both={t: both.after for t, (_, both) in grids.items()},
                kept={t: kept[t] for t in scores},
            )
