"""What each gate would have lost on a run's initial students (``coopt.graph.gates.regret``)."""

from __future__ import annotations

from collections import defaultdict
from statistics import fmean

import numpy as np

from coopt.core.names import INIT
from coopt.core.statistics.design import make_design
from coopt.graph.gates.regret import Regret, regrets
from coopt.graph.topology import Edge
from coopt.runs.measures.break_rates import Designs, Grids, Tally, benefit
from coopt.runs.measures.effects import probed_effects
from coopt.runs.results import RegretCell
from coopt.runs.run import Run

_MOST_EDGES = 400
"""Of larger graphs nothing is worked out: it would take longer than reading the run."""


def regret_cells(run: Run) -> list[RegretCell]:
    """By gate and number of validation questions, a mean over seeds. Only edges between students that were probed; none
    where probes have not the paper's context."""
    found: dict[tuple[str, int], list[Regret]] = defaultdict(list)
    for seed in run.seeds:
        for one in _of_seed(run, seed):
            found[one.kind, one.questions].append(one)
    return [
        RegretCell(
            gate=kind,
            questions=questions,
            worth=fmean(r.worth for r in own),
            regret=fmean(r.regret for r in own),
            flip=fmean(r.flip for r in own),
            seeds=len(own),
        )
        for (kind, questions), own in found.items()
    ]


def added(tally: Tally, designs: Designs) -> float:
    """What the share of right answers, of all of them, rises by: an answer without a kept message stays as it is, so
    that an edge with few counts little. NaN where no message was kept."""
    rate = benefit(tally, designs, over_control=True).rate
    everything = tally.answers * len(tally.wrong_L)
    return np.nan if rate is None else rate * float(tally.asked_KL.sum()) / everything


def _of_seed(run: Run, seed: int) -> list[Regret]:
    domains, students = run.config.domains, run.topology.students
    designs = {d: make_design([[i.clusters for i in run.domains[d].items("validation")]]) for d in domains}
    shared = Designs({i.id: i.clusters for d in domains for i in run.domains[d].items("validation")})
    worth: dict[Edge, list[float]] = {}
    for tutee in students:
        for d, name in enumerate(domains):
            domain = run.break_rate(seed, tutee)["domains"].get(name, {"edges": {}})
            for edge, answered in domain["edges"].items():
                if Edge.parse(edge).tutor in students and "paper" in answered:
                    own = worth.setdefault(Edge.parse(edge), [np.nan] * len(domains))
                    own[d] = added(Tally.of(Grids.of(domain, edge, "paper", seed)), shared)
    if not worth or len(worth) > _MOST_EDGES:
        return []
    results = {s: run.scores(seed, INIT, "validation", 0, s) for s in students}
    return regrets(
        run.config.gate,
        run.topology,
        results,
        np.array(list(worth.values())),
        list(worth),
        domains=domains,
        seed=seed,
        designs=designs,
        probed=probed_effects(run, seed),
    )
