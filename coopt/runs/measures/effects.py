"""What the break-rate probe says of each edge and domain, for the gate that reads it."""

from __future__ import annotations

from scipy.special import ndtri

from coopt.core.statistics.crossed import ALPHA
from coopt.graph.gates.evidence import Effect, Probed
from coopt.runs.measures.break_rates import Designs, Grids, Tally, rates
from coopt.runs.results import Context, RateCell
from coopt.runs.run import Run

_UNKNOWN = 0.5
"""Error of a rate over questions that are too few for an interval."""


def probed_effects(run: Run, seed: int) -> Probed:
    """Fix and break of a seed's initial students beyond their controls, in the paper's context: what f adds to s, and
    where there is none to the question. (Of an earlier coopt's probes, which lack it, s and f.)"""
    found = {}
    designs = Designs({i.id: i.clusters for d in run.domains.values() for i in d.items("validation")})
    for tutee in run.topology.students:
        for name, domain in run.break_rate(seed, tutee)["domains"].items():
            for edge, answered in domain["edges"].items():
                context: Context = "paper" if "paper" in answered else "sf"
                cells = rates(Tally.of(Grids.of(domain, edge, context, seed)), "all", 1, designs)
                fix, broke = (_effect(cells[f"{kind}_more"]) for kind in ("fix", "break"))
                if fix is not None or broke is not None:
                    # Where every answer was right there is nothing to fix, and where none was nothing to break.
                    found[edge, name] = (fix or Effect(0.0, 0.0), broke or Effect(0.0, 0.0))
    return found


def _effect(cell: RateCell) -> Effect | None:
    if cell.rate is None:
        return None
    if cell.low is None or cell.high is None:
        return Effect(cell.rate, _UNKNOWN)
    return Effect(cell.rate, float((cell.high - cell.low) / 2 / -ndtri(ALPHA / 2)))
