"""Break- and fix-rates of a run: the probes of all seeds and tutees, grouped by edge, gate state and difficulty."""

from __future__ import annotations

from coopt.domains.base import SPLITS
from coopt.graph.topology import Edge
from coopt.runs.journal import Journal
from coopt.runs.measures.break_rates import CONTEXTS, DIFFICULTY, Grids, rates, stack
from coopt.runs.results import BreakCell, Context
from coopt.runs.run import Run

ALL_EDGES = "all edges"
TUTORS_OWN = "all edges, tutor's native domain"
TUTORS_OTHER = "all edges, tutor's other domains"
POOLED = (ALL_EDGES, TUTORS_OWN, TUTORS_OTHER)
ANY_STATE = "any"


def break_cells(run: Run, journal: Journal) -> list[BreakCell]:
    """The rates of every edge and of all edges by gate state, and of every edge in any state; of all edges also apart
    by whether the domain is the tutor's native one (paper 4.3: the tutor's stronger domain).

    A state is that of the gate in the question's domain, on the initial students.
    """
    grids: dict[tuple[str, str, Context], list[Grids]] = {}
    for seed in run.seeds:
        gates = journal.all("probe_gates").get(str(seed), {})
        for tutee in run.topology.students:
            probe = run.break_rate(seed, tutee)
            for name, domain in probe["domains"].items():
                for edge in domain["edges"]:
                    is_open = gates[edge]["open"] and name in gates[edge].get("domains", [name])
                    state = "open" if is_open else "closed"
                    keys = [(ALL_EDGES, state), (edge, state), (edge, ANY_STATE)]
                    keys += _by_tutors_domain(run, edge, name, state)
                    for context in CONTEXTS:
                        if context in domain["edges"][edge]:  # probes of an earlier coopt lack the paper's
                            cell = Grids.of(domain, edge, context, seed)
                            for key in keys:
                                grids.setdefault((*key, context), []).append(cell)
    minimum = run.config.break_rate.minimum
    clusters = {i.id: i.clusters for d in run.domains.values() for split in SPLITS for i in d.items(split)}
    return [
        BreakCell(
            edge=edge,
            gate=state,
            context=context,
            difficulty=difficulty,
            rates=rates(stack(parts), difficulty, minimum, clusters),
        )
        for (edge, state, context), parts in sorted(grids.items(), key=_place)
        for difficulty in (DIFFICULTY if edge == ALL_EDGES else ["all"])
    ]


def _by_tutors_domain(run: Run, edge: str, domain: str, state: str) -> list[tuple[str, str]]:
    """A critic has no native domain."""
    native = run.topology.native.get(Edge.parse(edge).tutor)
    return [(TUTORS_OWN if domain == native else TUTORS_OTHER, state)] if native else []


def _place(group: tuple[tuple[str, str, Context], object]) -> tuple[bool, str, str, int]:
    """All edges first; the paper's context first."""
    edge, state, context = group[0]
    return edge not in POOLED, edge, state, list(CONTEXTS).index(context)
