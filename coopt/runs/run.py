"""A run directory: where everything of a run lies."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from functools import cached_property
from pathlib import Path
from typing import Any, NamedTuple

from coopt.core import store
from coopt.core.config.load import check
from coopt.core.config.schema import Config, GateConfig
from coopt.core.errors import ConfigError, DamagedError, RunError
from coopt.core.names import BASE, INIT
from coopt.core.phase_files import PhaseFiles
from coopt.core.seals import REPAIR
from coopt.core.shapes.answers import PROBE, SCORES
from coopt.core.shapes.steps import PROBE_TEXTS
from coopt.core.statistics.accuracy import accuracy
from coopt.domains.base import Domain
from coopt.domains.load import load_domains
from coopt.graph.files import load_topology
from coopt.graph.topology import Edge, Topology
from coopt.methods.base import Average, Method, Trained
from coopt.methods.registry import everyone, make_method
from coopt.runs.journal import Journal
from coopt.runs.provenance import began_with

CONFIG = "config.json"


def is_run(directory: Path) -> bool:
    """Whether a folder holds a run (whose settings may have to be taken from their seal)."""
    return store.is_kept(directory / CONFIG)


class PhaseKey(NamedTuple):
    """A phase of a run."""

    seed: int
    method: str
    round: int
    tutee: str


class Run:
    """``runs/<name>``: configuration, journal, and one folder a seed.

    seeds/<seed>/init/<student>/model               the specialists
    seeds/<seed>/<method>/r<round>/<student>/       steps.jsonl, rollouts.jsonl, checkpoints, model
    seeds/<seed>/<method>/scores/<split>/r<round>/<student>.json
    seeds/<seed>/break_rate/<tutee>.json            rights and wrongs; beside it <tutee>.texts.jsonl
    jobs/                                           a cluster's jobs (coopt.driver.slurm.jobs)

    Beside a file its seal (NAME.seal), in a folder COMPLETE: what they hold, and what they were made from.
    """

    def __init__(self, directory: Path, config: Config) -> None:
        self.directory = directory
        self.config = config

    @classmethod
    def open(cls, directory: str | Path) -> Run:
        """An existing run. Raises ``RunError``."""
        path = Path(directory)
        if not is_run(path):
            raise RunError(
                f"{path}: no run here (config.json is missing). Runs are the folders that coopt bench names."
            )
        try:
            tree = store.read_kept(path / CONFIG)
        except DamagedError:
            raise RunError(
                f"{path}/{CONFIG}: damaged, and no copy of it is left, so the settings of this run are unknown."
                " Restore it, or give another --out."
            ) from None
        try:
            return cls(path, check(tree))
        except ConfigError as error:
            raise RunError(f"{path}/config.json is not this version's: {error} Give another --out.") from None

    @cached_property
    def domains(self) -> Mapping[str, Domain]:
        return load_domains(self.config)

    @cached_property
    def topology(self) -> Topology:
        """The run's graph."""
        return load_topology(self.config.topology, self.config.domains, self.config.nodes)

    @cached_property
    def cast(self) -> Topology:
        """The run's graph with every node that takes part: its own, and the critics that methods add."""
        return everyone(self.topology, self.config)

    def method(self, name: str) -> Method:
        """A method with its options of this run."""
        return make_method(name, self.config.options)

    def is_informed(self, name: str) -> bool:
        """Whether worked solutions, or the true facts, of training questions reach a method's students: by the method
        itself, by that whose students it averages, or by tutors that read the solutions or hand them over."""
        method = self.method(name)
        if isinstance(method, Average):
            before = self.config.methods[: self.config.methods.index(name)]
            return method.of in before and self.is_informed(method.of)
        graph, gates = self.tutoring(name, self.topology)
        trained = self.trained(name)
        writing = () if trained.reads_peers else gates  # peers that are read themselves write no feedback
        return trained.informed or any(self.informs(graph, edge) for edge in writing)

    def informs(self, graph: Topology, edge: Edge) -> bool:
        """Whether the tutor of an edge hands worked solutions over, or is given them (critics of style ``step``)."""
        style = graph.style_of(edge) or self.config.feedback.style
        return style == "reference" or (style == "step" and edge.tutor in self.cast.critics)

    def trained(self, name: str) -> Trained:
        """A method that trains, with its options of this run."""
        method = self.method(name)
        assert isinstance(method, Trained), f"{name} trains nothing"
        return method

    def settings_of(self, name: str) -> Config:
        """The run's settings as a method trains with them."""
        method = self.method(name)
        return method.configure(self.config) if isinstance(method, Trained) else self.config

    def tutoring(self, name: str, topology: Topology) -> tuple[Topology, Mapping[Edge, GateConfig]]:
        """On ``topology`` the graph on which a method works, and its tutor edges with their gates; no edges for one
        that only averages."""
        method = self.method(name)
        if not isinstance(method, Trained):
            return topology, {}
        graph = method.graph(topology)
        return graph, method.gates(graph, self.config.gate)

    def rounds_of(self, name: str) -> int:
        """How many rounds a method has: the run's, and one if it only averages."""
        return 1 if isinstance(self.method(name), Average) else self.config.rounds.rounds

    def starts(self) -> list[str]:
        """The nodes whose start this run makes: all but endpoints and snapshots of others."""
        return [n.id for n in self.cast.nodes.values() if not n.endpoint and not n.snapshot_of]

    def scored_critics(self) -> list[str]:
        """Critics are scored once, at the start; an endpoint is not scored."""
        return [c for c in self.cast.critics if not self.cast.nodes[c].endpoint]

    @property
    def seeds(self) -> list[int]:
        """The run seeds."""
        return list(self.config.all_seeds)

    @property
    def journal_path(self) -> Path:
        return self.directory / "journal.jsonl"

    def provenance(self) -> Mapping[str, Any]:
        """Where its numbers come from (``coopt.runs.provenance``); empty where nothing readable says so."""
        try:
            return began_with(self.directory) or {}
        except DamagedError:
            return {}

    def journal(self, *, mending: bool = False) -> Journal:
        """The run's journal as it is now; reading changes nothing. ``mending``: as for ``Journal``. Raises
        ``DamagedError``."""
        return Journal(self.journal_path, mending=mending)

    def seed_dir(self, seed: int) -> Path:
        return self.directory / "seeds" / str(seed)

    def phase_dir(self, seed: int, method: str, round_: int, student: str) -> Path:
        """The folder of one student's training in one round; round 0 is its start (for a critic, all there is)."""
        if round_ == 0:
            return self.seed_dir(seed) / INIT / self._start_of(student)
        return self.seed_dir(seed) / method / f"r{round_}" / student

    def _start_of(self, node: str) -> str:
        """Whose start a node is: its own, or that of the student of which it is a snapshot."""
        found = self.cast.nodes.get(node)
        return found.snapshot_of if found and found.snapshot_of else node

    def phases(self) -> Iterator[PhaseKey]:
        """Every phase that the run has or is to have."""
        for seed in self.seeds:
            for method in self.config.methods:
                for round_ in range(1, self.rounds_of(method) + 1):
                    for tutee in self.topology.students:
                        yield PhaseKey(seed, method, round_, tutee)

    def phase_files(self, seed: int, method: str, round_: int, student: str) -> PhaseFiles:
        """What ``phase_dir`` holds, and the files beside it."""
        return PhaseFiles(self.phase_dir(seed, method, round_, student))

    def last_round(self, seed: int, method: str, student: str, at_most: int) -> int:
        """The last round up to ``at_most`` after which the student has weights (fewer if it collapsed)."""
        for round_ in range(at_most, 0, -1):
            if store.is_complete(self.phase_dir(seed, method, round_, student)):
                return round_
        return 0

    def weights(self, seed: int, method: str, round_: int, student: str) -> Path:
        """The student's Hugging Face directory after ``round_``."""
        last = self.last_round(seed, method, student, round_)
        return self.phase_files(seed, method, last, student).model

    def tokens(self, seed: int, method: str, student: str, at_most: int | None = None) -> int:
        """What a student's steps have cost, up to a round: tokens written by it and for it, and trained on."""
        last = self.last_round(seed, method, student, self.rounds_of(method) if at_most is None else at_most)
        steps = [s for r in range(1, last + 1) for s in self.phase_files(seed, method, r, student).read_steps()]
        return sum(sum(step["tokens"].values()) for step in steps)

    def scores_path(self, seed: int, method: str, split: str, round_: int, student: str) -> Path:
        """Scores after ``round_``. Round 0 is the same for every method."""
        if round_ == 0 and method != BASE:
            method, student = INIT, self._start_of(student)
        return self.seed_dir(seed) / method / "scores" / split / f"r{round_}" / f"{student}.json"

    def scores(self, seed: int, method: str, split: str, round_: int, student: str) -> Any:
        """What ``score_policy`` found. Raises ``DamagedError`` if it is not what was written."""
        return self.answers_in(self.scores_path(seed, method, split, round_, student))

    def answers_in(self, path: Path) -> Any:
        """The same of a file, in which every domain of the run has the run's number of answers per question."""
        try:
            found = store.read_sealed(path, shape=SCORES)
        except FileNotFoundError:
            raise DamagedError(f"{path}: is missing, and needed. {REPAIR}", path) from None
        samples = self.config.sampling.eval_samples
        for name in self.config.domains:
            if name not in found["domains"] or len(found["domains"][name]["correct"][0]) != samples:
                what = f"has no {samples} answers to each question of {name}"
                raise DamagedError(f"{path}: is damaged: {what}. {REPAIR}", path)
        return found

    def has_answers(self) -> bool:
        """Whether the final test answers of every student lie in its folder, and not its results alone."""
        last = {m: self.rounds_of(m) for m in self.config.methods} | {INIT: 0}
        return all(
            self.scores_path(seed, who, "test", round_, student).is_file()
            for seed in self.seeds
            for who, round_ in last.items()
            for student in self.topology.students
        )

    def start_scores(self, seed: int) -> dict[str, dict[str, float]]:
        """student -> domain -> validation accuracy of its start, once that is scored."""
        return {s: accuracy(self.scores(seed, INIT, "validation", 0, s)) for s in self.topology.students}

    def break_rate_path(self, seed: int, tutee: str) -> Path:
        return self.seed_dir(seed) / "break_rate" / f"{tutee}.json"

    def break_rate(self, seed: int, tutee: str) -> Any:
        """What ``probe_tutee`` found. Raises ``DamagedError`` if it is not what was written."""
        path = self.break_rate_path(seed, tutee)
        try:
            return store.read_sealed(path, shape=PROBE)
        except FileNotFoundError:
            raise DamagedError(f"{path}: is missing, and needed. {REPAIR}", path) from None

    def probe_texts(self, seed: int, tutee: str) -> list[Any]:
        """What was written in the probe of a tutee; older runs have none."""
        return store.read_sealed_lines(
            self.probe_texts_path(seed, tutee), self.break_rate_path(seed, tutee), PROBE_TEXTS
        )

    def probe_texts_path(self, seed: int, tutee: str) -> Path:
        return self.break_rate_path(seed, tutee).with_suffix(".texts.jsonl")
