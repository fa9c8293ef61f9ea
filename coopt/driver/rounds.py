"""Algorithm 1 of the paper, for any number of students on any graph, as the tasks of a run in their order.

The driver performs the lists of tasks one after another, and the plan and the status count them. What a list holds may
hang on what the lists before it have found (which gates are open, who collapsed, which round was best): that is asked
of ``Choices``. A killed driver goes through the lists again; what is on disk is not done again. The loop over steps
inside one ``Train`` is ``coopt.methods.phase.train_phase``.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Protocol

from coopt.core.names import BASE, INIT
from coopt.driver.tasks.task import BreakRate, Merge, Score, Specialise, Task, Train
from coopt.graph.schedule import phases
from coopt.graph.topology import Topology
from coopt.methods.base import Average
from coopt.methods.tutors.assign import OpenTutor
from coopt.runs.run import Run

Launch = Callable[[Sequence[Task]], None]
"""Performs tasks, at the same time where it can, and returns when all their outputs are there."""


class Choices(Protocol):
    """What one seed's tasks hang on. Asked in the order of the run, each when the tasks before it are done."""

    def graph(self) -> Topology:
        """The seed's graph, its hub placed by the scores of the initial students."""
        ...

    def probed(self, graph: Topology) -> None:
        """The edges of the initial students have been probed."""
        ...

    def begin_round(self, graph: Topology, method: str, round_: int) -> None:
        """All scores after the round before are there."""
        ...

    def is_trained(self, method: str, round_: int, student: str) -> bool:
        """Whether a student is trained in a round: not after it collapsed."""
        ...

    def open_tutors(self, graph: Topology, method: str, round_: int, tutee: str) -> tuple[OpenTutor, ...]:
        """The tutors whose edge into a tutee is open, as they speak at this moment of the round."""
        ...

    def end_phase(self, method: str, round_: int, tutees: Sequence[str]) -> None:
        """These tutees have trained."""
        ...

    def end_method(self, method: str) -> None:
        """All rounds of a method are done and scored."""
        ...

    def best_round(self, method: str, student: str) -> int:
        """The round after which a student was best on validation."""
        ...


def seed_tasks(run: Run, seed: int, choices: Choices) -> Iterator[list[Task]]:
    """Everything that is done for one seed: lists of tasks, each of which needs the lists before it and no other task
    of its own."""
    config, students, critics = run.config, run.topology.students, run.scored_critics()
    yield [Specialise(seed, n) for n in run.starts()]
    yield [Score(seed, INIT, 0, node, "validation") for node in (*students, *critics)]
    graph = choices.graph()
    yield [
        *(BreakRate(seed, s, _probed(run, graph, s)) for s in students if config.break_rate.questions),
        *(Score(seed, INIT, 0, node, "test") for node in (*students, *critics)),
        Score(seed, BASE, 0, BASE, "test"),
    ]
    choices.probed(graph)
    for method in config.methods:
        if isinstance(run.method(method), Average):
            yield [Merge(seed, method, s) for s in students]
            yield [Score(seed, method, 1, s, "validation") for s in students]
        else:
            yield from _rounds(run, graph, method, seed, choices)
        last = run.rounds_of(method)
        # The start, which may have been best, has its scores already.
        shown = {s: sorted({last, choices.best_round(method, s)} - {0}) for s in students}
        yield [Score(seed, method, r, s, "test") for s in students for r in shown[s]]


def _rounds(run: Run, topology: Topology, method: str, seed: int, choices: Choices) -> Iterator[list[Task]]:
    """R rounds: gates from the scores, then the phases, in each of which its tutees train in parallel."""
    students = topology.students
    for r in range(1, run.rounds_of(method) + 1):
        graph = run.trained(method).graph(topology).in_round(r, seed)
        choices.begin_round(graph, method, r)
        for phase in phases(graph, run.config.rounds.schedule):
            tutees = [s for s in phase if choices.is_trained(method, r, s)]
            yield [Train(seed, method, r, s, choices.open_tutors(graph, method, r, s)) for s in tutees]
            choices.end_phase(method, r, tutees)
        yield [Score(seed, method, r, s, "validation") for s in students]
    choices.end_method(method)


def _probed(run: Run, graph: Topology, tutee: str) -> tuple[OpenTutor, ...]:
    """Every tutor of a tutee, whatever a gate says."""
    domains = run.config.domains
    return tuple(OpenTutor(e.tutor, 0, domains, None, graph.style_of(e)) for e in graph.edges if e.tutee == tutee)
