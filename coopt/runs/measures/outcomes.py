"""What became of the tutors' feedback, round by round (the paper's Figure 6)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

from coopt.methods.rollouts import OUTCOMES
from coopt.runs.measures.cost import feedback_cells
from coopt.runs.measures.probes import ALL_EDGES


class OutcomeShare(NamedTuple):
    """Messages with one outcome, and their share (0 to 1) of all messages of a method, edge (or all) and round."""

    method: str
    edge: str
    round: int
    outcome: str
    messages: int
    share: float


def outcomes_by_round(steps: Sequence[dict[str, Any]]) -> list[OutcomeShare]:
    """From a run's step records (``coopt.runs.measures.cost.read_steps``). The shares of a round sum to less than
    1 where a tutor did not read its requests."""
    found = []
    for round_ in sorted({s["round"] for s in steps}):
        cells = feedback_cells([s for s in steps if s["round"] == round_])
        for method in dict.fromkeys(c.method for c in cells):
            own = [c for c in cells if c.method == method]
            for edge in (ALL_EDGES, *(c.edge for c in own)):
                chosen = [c for c in own if edge in (ALL_EDGES, c.edge)]
                asked = sum(c.messages for c in chosen)
                for outcome in OUTCOMES if asked else ():
                    count = sum(c.outcomes[outcome] for c in chosen)
                    found.append(OutcomeShare(method, edge, round_, outcome, count, count / asked))
    return found
