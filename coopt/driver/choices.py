"""What is decided while a run goes on: journaled by its driver, and foreseen by its plan."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from functools import cached_property, partial
from typing import Any

from coopt.core import store
from coopt.core.errors import DamagedError
from coopt.core.fault_points import fault_point
from coopt.core.names import INIT, ORACLE
from coopt.core.statistics.accuracy import accuracy
from coopt.core.statistics.design import Design, make_design
from coopt.driver.first_look import Say, look
from coopt.driver.tasks.inputs import scored_weights
from coopt.graph.gates.cognizance import COGNIZANCE_REASONS
from coopt.graph.gates.journaled import decide_edges
from coopt.graph.hub import choose_hub
from coopt.graph.schedule import phases
from coopt.graph.topology import Edge, Topology
from coopt.methods.tutors.assign import OpenTutor
from coopt.runs.journal import Journal, RoundKey, round_key
from coopt.runs.measures.effects import probed_effects
from coopt.runs.measures.scores import Scores
from coopt.runs.run import Run


@dataclass(frozen=True)
class Foreseen:
    """For a plan: every gate open and nobody collapses, except where the run has decided already."""

    run: Run
    seed: int
    journal: Journal
    _known: dict[str, tuple[Topology, dict[str, list[OpenTutor]]]] = field(
        default_factory=dict, init=False, repr=False, compare=False
    )
    """method -> the graph of its last round, and ``_all_open`` on it."""

    def graph(self) -> Topology:
        hub = self.journal.all("hub").get(str(self.seed))
        return self.run.topology.placed(hub) if hub else self.run.topology

    def probed(self, graph: Topology) -> None: ...

    def begin_round(self, graph: Topology, method: str, round_: int) -> None: ...

    def is_trained(self, method: str, round_: int, student: str) -> bool:
        return student not in self.journal.all("collapsed").get(round_key(self.seed, method, round_), [])

    def open_tutors(self, graph: Topology, method: str, round_: int, tutee: str) -> tuple[OpenTutor, ...]:
        decided = self.journal.all("gates").get(round_key(self.seed, method, round_))
        if decided is not None:
            return decided_tutors(self.run, graph, RoundKey(self.seed, method, round_), tutee, decided)
        return tuple(self._all_open(graph, method).get(tutee, ()))

    def _all_open(self, graph: Topology, method: str) -> dict[str, list[OpenTutor]]:
        """tutee -> its tutors with every gate open; worked out once for all that are trained on a graph in turn."""
        known = self._known.get(method)
        if known is None or known[0] is not graph:
            found: dict[str, list[OpenTutor]] = {}
            for edge in self.run.trained(method).gates(graph, self.run.config.gate):
                found.setdefault(edge.tutee, []).append(OpenTutor(edge.tutor, 0, self.run.config.domains))
            known = self._known[method] = graph, found
        return known[1]

    def end_phase(self, method: str, round_: int, tutees: Sequence[str]) -> None: ...

    def end_method(self, method: str) -> None: ...

    def best_round(self, method: str, student: str) -> int:
        """Before the scores are there, one that costs another score: the last but one."""
        last = self.run.rounds_of(method)
        scored = (self.run.scores_path(self.seed, method, "validation", r, student) for r in range(last + 1))
        with suppress(DamagedError):
            if all(path.is_file() for path in scored):
                return Scores(self.run).best_round(self.seed, method, student)
        return max(1, last - 1)


@dataclass(frozen=True)
class Journaled:
    """For a driver: decided from what is on disk and written into the journal, so that a restarted run does not decide
    again."""

    run: Run
    seed: int
    journal: Journal
    force: bool = True
    """Train also if no answer of any student can be read."""
    say: Say | None = None
    """Is told what the students' first answers look like."""

    def graph(self) -> Topology:
        topology = self.run.topology
        if self.say or not self.force:
            look(self.run, self.seed, force=self.force, say=self.say or (lambda line: None))
        if not topology.hub:
            return topology
        choose = partial(choose_hub, topology, seed=self.seed)
        hub: str = self.journal.once("hub", str(self.seed), lambda: choose(self._start()), self._origin(INIT, 0))
        return topology.placed(hub)

    def probed(self, graph: Topology) -> None:
        """Journal the edges whose endpoint stayed away while it was probed: their rates then have no answers. And what
        the configured gate says of the initial students, on every edge: the probe's grouping."""
        run, seed = self.run, self.seed
        for student in run.topology.students if run.config.break_rate.questions else ():
            for edge, reason in run.break_rate(seed, student).get("away", {}).items():
                what = {"from_step": 0, "reason": reason}
                self.journal.once("unavailable", f"{seed}/probe/{edge}", lambda it=what: it)  # type: ignore[misc]
        origin = self._origin("opcod", 0)
        self.journal.once(
            "probe_gates", str(seed), lambda: self._decide("opcod", graph, self._start(), 0, "probe"), origin
        )

    def begin_round(self, graph: Topology, method: str, round_: int) -> None:
        key, scores = round_key(self.seed, method, round_), self._scores(method, round_ - 1)
        origin = self._origin(method, round_ - 1, _tutor_round(self.run, method, round_ - 1))
        if origin and method != "opcod" and self._draws(graph, method):
            origin += f"-{self._open_share()}"
        self.journal.once("gates", key, lambda: self._gates(graph, method, round_, scores), origin)
        self._find_collapsed(method, round_, scores)
        fault_point("between_gate_and_phase")

    def is_trained(self, method: str, round_: int, student: str) -> bool:
        return student not in self.journal.all("collapsed")[round_key(self.seed, method, round_)]

    def open_tutors(self, graph: Topology, method: str, round_: int, tutee: str) -> tuple[OpenTutor, ...]:
        where = RoundKey(self.seed, method, round_)
        gates = self.journal.all("gates")[round_key(*where[:3])]
        return decided_tutors(self.run, graph, where, tutee, gates)

    def end_phase(self, method: str, round_: int, tutees: Sequence[str]) -> None:
        """Journal the edges whose tutor stayed away: the student went on without its feedback for the round. What the
        round before left for this one is needed no more."""
        for tutee in tutees:
            if round_ > 1 and not self.run.config.rounds.keep_states:
                store.remove_directory(self.run.phase_files(self.seed, method, round_ - 1, tutee).state)
            first: dict[str, dict[str, Any]] = {}
            for step in self.run.phase_files(self.seed, method, round_, tutee).read_steps():
                for name, reason in step.get("away", {}).items():
                    first.setdefault(name, {"from_step": step["step"], "reason": reason})
            for name, what in sorted(first.items()):
                key = f"{round_key(self.seed, method, round_)}/{Edge(name, tutee)}"
                self.journal.once("unavailable", key, lambda it=what: it)  # type: ignore[misc]

    def end_method(self, method: str) -> None:
        last = self.run.rounds_of(method)
        self._find_collapsed(method, last + 1, self._scores(method, last))

    def best_round(self, method: str, student: str) -> int:
        return Scores(self.run).best_round(self.seed, method, student)

    def _start(self) -> dict[str, Any]:
        return self._scores(INIT, 0)

    def _scores(self, method: str, round_: int) -> dict[str, Any]:
        """node -> result of ``score_policy`` on the validation split: of students after ``round_``, of critics ever."""
        scores = {s: self._validation(method, round_, s) for s in self.run.topology.students}
        return scores | {c: self._validation(method, 0, c) for c in self.run.scored_critics()}

    def _validation(self, method: str, round_: int, student: str) -> Any:
        return self.run.scores(self.seed, method, "validation", round_, student)

    def _origin(self, method: str, *rounds: int) -> str:
        """A fingerprint of whose answers a decision is made from: the students' after these rounds, and critics'."""
        run = self.run
        found = [scored_weights(run, self.seed, method, r, run.topology.students) for r in dict.fromkeys(rounds)]
        found.append(scored_weights(run, self.seed, INIT, 0, run.scored_critics()))
        return "-".join(found) if all(found) else ""

    def _draws(self, graph: Topology, method: str) -> bool:
        """Whether a gate of a method is a coin, whose rate is that of another method."""
        gates = self.run.trained(method).gates(graph, self.run.config.gate)
        return any(gate.kind == "random" for gate in gates.values())

    def _gates(self, graph: Topology, method: str, r: int, scores: dict[str, Any]) -> dict[str, Any]:
        """The decision on every edge of a round."""
        speaking, purpose = _tutor_round(self.run, method, r - 1), f"{method}/r{r}"
        if speaking == r - 1:
            return self._decide(method, graph, scores, r, purpose)
        # Who is tutored is compared as it is now with the others as they speak.
        students = self.run.topology.students
        then = scores | {s: self._validation(method, speaking, s) for s in students}
        told = {s: self._decide(method, graph, then | {s: scores[s]}, r, purpose) for s in students}
        edges = self.run.trained(method).gates(graph, self.run.config.gate)
        return {str(e): told[e.tutee][str(e)] for e in edges}

    def _decide(self, method: str, graph: Topology, known: Mapping[str, Any], r: int, purpose: str) -> dict[str, Any]:
        config = self.run.config
        return decide_edges(
            self.run.trained(method).gates(graph, config.gate),
            graph,
            known,
            domains=config.domains,
            draws=config.run.bootstrap,
            seed=self.seed,
            round_=r,
            matched_rate=self._open_share() if r else None,
            purpose=purpose,
            designs=self._designs,
            probed=partial(probed_effects, self.run, self.seed),
        )

    @cached_property
    def _designs(self) -> dict[str, Design]:
        """Of the validation questions of each domain."""
        domains = self.run.domains
        return {d: make_design([[i.clusters for i in domains[d].items("validation")]]) for d in self.run.config.domains}

    def _open_share(self) -> float | None:
        """The share of its edges that the cognizance gate opened in opcod of this seed, over the rounds; None if it
        decided on none."""
        keys = ((RoundKey.parse(key), d) for key, d in self.journal.all("gates").items())
        rounds = [d for key, d in keys if (key.seed, key.method) == (self.seed, "opcod")]
        decided = [d for decisions in rounds for d in decisions.values() if d["reason"] in COGNIZANCE_REASONS]
        found = [d["open"] for d in decided]
        return sum(found) / len(found) if found else None

    def _find_collapsed(self, method: str, r: int, scores: dict[str, Any]) -> None:
        """Journal the students that are not trained on from round ``r``."""
        key = round_key(self.seed, method, r)
        self.journal.once("collapsed", key, lambda: self._collapsed(method, r, scores), self._origin(method, 0, r - 1))

    def _collapsed(self, method: str, r: int, scores: dict[str, Any]) -> list[str]:
        """Students whose mean validation accuracy lies more than ``collapse_drop`` under their start."""
        fallen = []
        for student in self.run.topology.students:
            start, now = accuracy(self._validation(method, 0, student)), accuracy(scores[student])
            drop = sum(start[d] - now[d] for d in start) / len(start)
            before = self.run.last_round(self.seed, method, student, r - 1) < r - 1  # it stopped in an earlier round
            if drop > self.run.config.rounds.collapse_drop or before:
                fallen.append(student)
        return fallen


def decided_tutors(
    run: Run, graph: Topology, where: RoundKey, tutee: str, gates: Mapping[str, Any]
) -> tuple[OpenTutor, ...]:
    """The tutors whose edge into a tutee was opened, each with the round after which its weights are taken.

    simultaneous: the round-start snapshot. sequential: what the tutor has published when the tutee's turn comes; that
    is looked up in the schedule and not on disk, where a round that is made again finds its own end.
    """
    seed, method, round_, _ = where
    turns = {s: k for k, phase in enumerate(phases(graph, run.config.rounds.schedule)) for s in phase}
    tutors = []
    for name in dict.fromkeys([*graph.tutors_of(tutee), tutee, ORACLE]):
        edge = Edge(name, tutee)
        decision = gates.get(str(edge))
        if decision and decision["open"]:
            had_its_turn = turns.get(name, len(turns)) < turns[tutee]
            newest = _tutor_round(run, method, round_ if had_its_turn else round_ - 1)
            spoke, reviewers = run.last_round(seed, method, name, newest), tuple(graph.reviewers_of(name))
            domains = tuple(decision.get("domains", run.config.domains))
            tutors.append(OpenTutor(name, spoke, domains, decision["gap"], graph.style_of(edge), reviewers))
    return tuple(tutors)


def _tutor_round(run: Run, method: str, newest: int) -> int:
    """After which round a tutor's weights are taken; ``newest``: as the run's schedule has it."""
    return 0 if run.trained(method).frozen_tutors else newest
