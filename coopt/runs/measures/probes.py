"""Break- and fix-rates of a run: the probes of all seeds and tutees, grouped by edge, gate state and difficulty."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

import numpy as np

from coopt.domains.base import SPLITS
from coopt.graph.topology import Edge
from coopt.runs.journal import Journal
from coopt.runs.measures.break_rates import CONTEXTS, DIFFICULTY, Designs, Grids, Tally, rates, stack
from coopt.runs.measures.matched import EdgeTally, matched_cells
from coopt.runs.results import BreakCell, Context, MatchedCell, RateCell
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
    tallies, designs = _tallies(run, journal)
    parts: dict[tuple[str, str, Context], list[Tally]] = {}
    for edge, probed in tallies:
        state = "open" if probed.open else "closed"
        keys = [(ALL_EDGES, state), (edge, state), (edge, ANY_STATE)]
        if probed.own is not None:
            keys.append((TUTORS_OWN if probed.own else TUTORS_OTHER, state))
        for key in keys:
            parts.setdefault((*key, probed.context), []).append(probed.tally)
    return list(_cells(parts, run.config.break_rate.minimum, designs))


def _cells(
    parts: Mapping[tuple[str, str, Context], Sequence[Tally]], minimum: int, designs: Designs
) -> Iterator[BreakCell]:
    """An edge that is always open, or never, has in that state the rates that it has in any."""
    known: dict[tuple[str, tuple[int, ...]], dict[str, RateCell]] = {}
    for (edge, state, context), own in sorted(parts.items(), key=_place):
        for difficulty in DIFFICULTY if edge == ALL_EDGES else ["all"]:
            key = difficulty, tuple(map(id, own))
            if key not in known:
                known[key] = rates(stack(own), difficulty, minimum, designs)
            yield BreakCell(edge=edge, gate=state, context=context, difficulty=difficulty, rates=known[key])


def matched_break_cells(run: Run, journal: Journal) -> list[MatchedCell]:
    """Kinds of edges compared on the same tutees."""
    tallies, designs = _tallies(run, journal)
    return matched_cells([probed for _, probed in tallies], run.config.break_rate.minimum, designs)


def _tallies(run: Run, journal: Journal) -> tuple[list[tuple[str, EdgeTally]], Designs]:
    """Every edge's answers, by seed, domain and context, with questions by number; and the questions' designs."""
    questions = [i for d in run.domains.values() for split in SPLITS for i in d.items(split)]
    number = {item.id: k for k, item in enumerate(questions)}
    return list(_edges(run, journal, number)), Designs({k: item.clusters for k, item in enumerate(questions)})


def _edges(run: Run, journal: Journal, number: dict[str, int]) -> Iterator[tuple[str, EdgeTally]]:
    for seed in run.seeds:
        gates = journal.all("probe_gates").get(str(seed), {})
        for tutee in run.topology.students:
            for name, domain in run.break_rate(seed, tutee)["domains"].items():
                items = np.array([number.setdefault(item, len(number)) for item in domain["items"]])
                for edge, found in domain["edges"].items():
                    is_open = gates[edge]["open"] and name in gates[edge].get("domains", [name])
                    native = run.topology.native.get(Edge.parse(edge).tutor)  # a critic has none
                    own = name == native if native else None
                    for context in CONTEXTS:
                        if context in found:  # probes of an earlier coopt lack the paper's
                            tally = Tally.of(Grids.of(domain, edge, context, seed)._replace(items=items))
                            yield edge, EdgeTally(tally, seed, tutee, name, context, is_open, own)


def _place(group: tuple[tuple[str, str, Context], object]) -> tuple[bool, str, str, int]:
    """All edges first; the paper's context first."""
    edge, state, context = group[0]
    return edge not in POOLED, edge, state, list(CONTEXTS).index(context)
