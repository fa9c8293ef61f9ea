"""Algorithm 1 of the paper, for any number of students on any graph.

``run_rounds`` is the loop over rounds: score, gate, then the phases, in each of which its tutees train in
parallel. It only launches tasks and reads what they left on disk, so it can be killed and started again.
``coopt.phase.train_phase`` is the loop over steps inside one task.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from coopt.gates.base import Scores
from coopt.gates.journaled import decide_edge
from coopt.graph.schedule import phases
from coopt.methods.base import Method
from coopt.metrics.accuracy import accuracy
from coopt.running import store
from coopt.running.faults import fault_point
from coopt.running.journal import Journal
from coopt.running.run import Run
from coopt.running.tasks import Score, Task, Train

Launch = Callable[[Sequence[Task]], None]


def run_rounds(run: Run, method: Method, seed: int, journal: Journal, launch: Launch) -> None:
    """Train every student by ``method`` for R rounds of K steps."""
    rounds = run.config.rounds
    for r in range(1, rounds.rounds + 1):
        scores = _validate(run, method, seed, r - 1, launch)
        gates = _decide_gates(run, method, seed, r, scores, journal)
        collapsed = _find_collapsed(run, method, seed, r, scores, journal)
        fault_point("between_gate_and_phase")
        for phase in phases(run.topology, rounds.schedule):
            launch(
                [
                    Train(seed, method.name, r, tutee, _open_tutors(run, method, gates, tutee, seed, r))
                    for tutee in phase
                    if tutee not in collapsed
                ]
            )
    scores = _validate(run, method, seed, rounds.rounds, launch)
    _find_collapsed(run, method, seed, rounds.rounds + 1, scores, journal)


def _validate(run: Run, method: Method, seed: int, round_: int, launch: Launch) -> dict[str, Any]:
    """Score every student after ``round_``; student -> result of ``score_policy``."""
    students = run.topology.students
    launch([Score(seed, method.name, round_, i, "validation") for i in students])
    return {i: _validation(run, method, seed, round_, i) for i in students}


def _decide_gates(
    run: Run, method: Method, seed: int, r: int, scores: dict[str, Any], journal: Journal
) -> dict[str, Any]:
    """The journaled decision on every edge: a restarted run does not decide again."""
    gate, key = method.gate(run.config), f"{seed}/{method.name}/r{r}"

    def decide() -> dict[str, Any]:
        edges, draws = method.edges(run.topology), run.config.run.bootstrap
        return {str(e): decide_edge(gate, e, scores, run.topology, draws, key) for e in edges}

    decisions: dict[str, Any] = journal.once("gates", key, decide)
    return decisions


def _find_collapsed(run: Run, method: Method, seed: int, r: int, scores: dict[str, Any], journal: Journal) -> list[str]:
    """The journaled list of students that are not trained on from round ``r``."""
    key = f"{seed}/{method.name}/r{r}"
    fallen: list[str] = journal.once("collapsed", key, lambda: _collapsed(run, method, seed, r, scores))
    return fallen


def _open_tutors(
    run: Run, method: Method, gates: dict[str, Any], tutee: str, seed: int, r: int
) -> tuple[tuple[str, int], ...]:
    """Tutors whose edge into ``tutee`` is open, each with the round after which its weights are taken.

    simultaneous: the round-start snapshot. sequential: what the tutor has published by now.
    """
    tutors = [e.tutor for e in method.edges(run.topology) if e.tutee == tutee and gates[str(e)]["open"]]
    newest = r if run.config.rounds.schedule == "sequential" else r - 1
    return tuple((t, run.last_round(seed, method.name, t, newest)) for t in tutors)


def _validation(run: Run, method: Method, seed: int, round_: int, student: str) -> Any:
    return store.read_json(run.scores_path(seed, method.name, "validation", round_, student))


def _collapsed(run: Run, method: Method, seed: int, r: int, results: dict[str, Any]) -> list[str]:
    """Students whose mean validation accuracy lies more than ``collapse_drop`` under their start."""
    fallen = []
    for student, result in results.items():
        start = accuracy(_validation(run, method, seed, 0, student))
        now: Scores = {student: accuracy(result)}
        drop = sum(start[d] - now[student][d] for d in start) / len(start)
        before = run.last_round(seed, method.name, student, r - 1) < r - 1  # it stopped in an earlier round
        if drop > run.config.rounds.collapse_drop or before:
            fallen.append(student)
    return fallen
