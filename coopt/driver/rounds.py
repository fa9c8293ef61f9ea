"""Algorithm 1 of the paper, for any number of students on any graph.

``run_rounds`` is the loop over rounds: score, gate, then the phases, in each of which its tutees train in
parallel. It only launches tasks and reads what they left on disk, so it can be killed and started again.
``coopt.methods.phase.train_phase`` is the loop over steps inside one task.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from coopt.core import store
from coopt.core.fault_points import fault_point
from coopt.core.statistics.accuracy import accuracy
from coopt.driver.tasks.task import Score, Task, Train
from coopt.graph.gates.cognizance import COGNIZANCE_REASONS
from coopt.graph.gates.journaled import decide_edges
from coopt.graph.schedule import phases
from coopt.graph.topology import Edge, Topology
from coopt.methods.base import ORACLE, Method
from coopt.methods.tutors.assign import OpenTutor
from coopt.runs.journal import Journal
from coopt.runs.run import Run

Launch = Callable[[Sequence[Task]], None]


def run_rounds(run: Run, topology: Topology, method: Method, seed: int, journal: Journal, launch: Launch) -> None:
    """Train every student by ``method`` for R rounds of K steps. ``topology``: the graph with its hub placed."""
    last = run.rounds_of(method.name)
    for r in range(1, last + 1):
        graph = method.graph(topology).in_round(r, seed)
        scores = validate(run, method.name, seed, r - 1, launch)
        gates = _decide_gates(run, graph, method, seed, r, scores, journal)
        collapsed = _find_collapsed(run, method, seed, r, scores, journal)
        fault_point("between_gate_and_phase")
        for phase in phases(graph, run.config.rounds.schedule):
            tutees = [i for i in phase if i not in collapsed]
            tutors = {i: _open_tutors(run, graph, method, gates, i, seed, r) for i in tutees}
            launch([Train(seed, method.name, r, i, tutors[i]) for i in tutees])
            _note_unavailable(run, method.name, tutees, seed, r, journal)
    scores = validate(run, method.name, seed, last, launch)
    _find_collapsed(run, method, seed, last + 1, scores, journal)


def validate(run: Run, method: str, seed: int, round_: int, launch: Launch) -> dict[str, Any]:
    """Score every student after ``round_`` (and the critics, once); node -> result of ``score_policy``."""
    critics = run.scored_critics()
    launch([Score(seed, method, round_, i, "validation") for i in run.topology.students])
    launch([Score(seed, method, 0, c, "validation") for c in critics])
    scores = {i: _validation(run, method, seed, round_, i) for i in run.topology.students}
    return scores | {c: _validation(run, method, seed, 0, c) for c in critics}


def _decide_gates(
    run: Run, graph: Topology, method: Method, seed: int, r: int, scores: dict[str, Any], journal: Journal
) -> dict[str, Any]:
    """The journaled decision on every edge: a restarted run does not decide again."""

    gates = method.gates(graph, run.config.gate)

    def by(known: Mapping[str, Any]) -> dict[str, Any]:
        return decide_edges(
            gates,
            graph,
            known,
            domains=run.config.domains,
            draws=run.config.run.bootstrap,
            seed=seed,
            round_=r,
            matched_rate=_open_share(journal, seed),
            purpose=f"{method.name}/r{r}",
        )

    def decide() -> dict[str, Any]:
        speaking = method.tutor_round(r - 1)
        if speaking == r - 1:
            return by(scores)
        # Who is tutored is compared as it is now with the others as they speak.
        then = scores | {i: _validation(run, method.name, seed, speaking, i) for i in run.topology.students}
        told = {i: by(then | {i: scores[i]}) for i in run.topology.students}
        return {str(e): told[e.tutee][str(e)] for e in gates}

    decisions: dict[str, Any] = journal.once("gates", f"{seed}/{method.name}/r{r}", decide)
    return decisions


def _open_share(journal: Journal, seed: int) -> float | None:
    """The share of its edges that the cognizance gate opened in opcod of this seed, over the rounds; None if it
    decided on none."""
    rounds = [d for key, d in journal.all("gates").items() if key.startswith(f"{seed}/opcod/")]
    decided = [d for decisions in rounds for d in decisions.values() if d["reason"] in COGNIZANCE_REASONS]
    found = [d["open"] for d in decided]
    return sum(found) / len(found) if found else None


def _find_collapsed(run: Run, method: Method, seed: int, r: int, scores: dict[str, Any], journal: Journal) -> list[str]:
    """The journaled list of students that are not trained on from round ``r``."""
    key = f"{seed}/{method.name}/r{r}"
    own = {s: scores[s] for s in run.topology.students}
    fallen: list[str] = journal.once("collapsed", key, lambda: _collapsed(run, method, seed, r, own))
    return fallen


def _open_tutors(
    run: Run, graph: Topology, method: Method, gates: dict[str, Any], tutee: str, seed: int, r: int
) -> tuple[OpenTutor, ...]:
    """Tutors whose edge into ``tutee`` is open, each with the round after which its weights are taken.

    simultaneous: the round-start snapshot. sequential: what the tutor has published by now.
    """
    newest = method.tutor_round(r if run.config.rounds.schedule == "sequential" else r - 1)
    tutors = []
    for name in dict.fromkeys([*graph.tutors_of(tutee), tutee, ORACLE]):
        edge = Edge(name, tutee)
        decision = gates.get(str(edge))
        if decision and decision["open"]:
            round_, reviewers = run.last_round(seed, method.name, name, newest), tuple(graph.reviewers_of(name))
            domains = tuple(decision.get("domains", run.config.domains))
            tutors.append(OpenTutor(name, round_, domains, decision["gap"], graph.style_of(edge), reviewers))
    return tuple(tutors)


def _note_unavailable(run: Run, method: str, tutees: Sequence[str], seed: int, r: int, journal: Journal) -> None:
    """Journal the edges whose tutor stayed away: the student went on without its feedback for the round."""
    for tutee in tutees:
        steps = store.read_lines(run.phase_dir(seed, method, r, tutee).with_name(f"{tutee}.steps.jsonl"))
        first: dict[str, dict[str, Any]] = {}
        for step in steps:
            for name, reason in step.get("away", {}).items():
                first.setdefault(name, {"from_step": step["step"], "reason": reason})
        for name, what in sorted(first.items()):
            journal.once("unavailable", f"{seed}/{method}/r{r}/{Edge(name, tutee)}", lambda it=what: it)  # type: ignore[misc]


def _validation(run: Run, method: str, seed: int, round_: int, student: str) -> Any:
    return store.read_json(run.scores_path(seed, method, "validation", round_, student))


def _collapsed(run: Run, method: Method, seed: int, r: int, results: dict[str, Any]) -> list[str]:
    """Students whose mean validation accuracy lies more than ``collapse_drop`` under their start; an average, which
    is no training that could be stopped, does not collapse."""
    if method.averages():
        return []
    fallen = []
    for student, result in results.items():
        start = accuracy(_validation(run, method.name, seed, 0, student))
        now = accuracy(result)
        drop = sum(start[d] - now[d] for d in start) / len(start)
        before = run.last_round(seed, method.name, student, r - 1) < r - 1  # it stopped in an earlier round
        if drop > run.config.rounds.collapse_drop or before:
            fallen.append(student)
    return fallen
