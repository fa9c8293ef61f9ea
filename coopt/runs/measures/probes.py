"""Break- and fix-rates of a run: the probes of all seeds and tutees, grouped by edge, gate state and difficulty."""

from __future__ import annotations

from coopt.core import store
from coopt.domains.base import SPLITS
from coopt.runs.journal import Journal
from coopt.runs.measures.break_rates import CONTEXTS, DIFFICULTY, Grids, rates, stack
from coopt.runs.results import BreakCell
from coopt.runs.run import Run

ALL_EDGES = "all edges"
ANY_STATE = "any"


def break_cells(run: Run, journal: Journal) -> list[BreakCell]:
    """The rates of every edge and of all edges by gate state, and of every edge in any state.

    A state is that of the gate in the question's domain, on the initial students.
    """
    grids: dict[tuple[str, str, str], list[Grids]] = {}
    for seed in run.seeds:
        gates = journal.all("probe_gates").get(str(seed), {})
        for tutee in run.topology.students:
            probe = store.read_json(run.break_rate_path(seed, tutee))
            for name, domain in probe["domains"].items():
                for edge in domain["edges"]:
                    is_open = gates[edge]["open"] and name in gates[edge].get("domains", [name])
                    state = "open" if is_open else "closed"
                    for context in CONTEXTS:
                        cell = Grids.of(domain, edge, context, seed)
                        for key in ((ALL_EDGES, state), (edge, state), (edge, ANY_STATE)):
                            grids.setdefault((*key, context), []).append(cell)
    minimum = run.config.break_rate.minimum
    clusters = {i.id: i.clusters for d in run.domains.values() for split in SPLITS for i in d.items(split)}
    return [
        BreakCell(
            edge=edge,
            gate=state,
            context="sf" if context == "sf" else "f",
            difficulty=difficulty,
            rates=rates(stack(parts), difficulty, minimum, clusters),
        )
        for (edge, state, context), parts in sorted(grids.items())
        for difficulty in (DIFFICULTY if edge == ALL_EDGES else ["all"])
    ]
