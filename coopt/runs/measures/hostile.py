"""What stood between hostile tutors and their tutees."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from coopt.graph.topology import Edge
from coopt.methods.registry import make_method
from coopt.runs.results import FeedbackCell, GateCell, HostileCell


def hostile_cells(
    gates: Sequence[GateCell], feedback: Sequence[FeedbackCell], adversary: Mapping[str, str]
) -> list[HostileCell]:
    """Every edge of a hostile tutor, in the methods in which it is hostile; also those that no gate opened.

    ``adversary``: node -> kind.
    """
    said, cells = {(c.method, c.edge): c for c in feedback}, []
    for method, edge in dict.fromkeys((g.method, g.edge) for g in gates):
        tutor = Edge.parse(edge).tutor
        if tutor in adversary and make_method(method).adversaries:
            own, cell = [g for g in gates if (g.method, g.edge) == (method, edge)], said.get((method, edge))
            cells.append(
                HostileCell(
                    method=method,
                    edge=edge,
                    kind=adversary[tutor],
                    rounds_open=sum(g.open for g in own),
                    rounds=len(own),
                    messages=cell.messages if cell else 0,
                    kept=cell.outcomes["kept"] if cell else 0,
                    voted_down=cell.voted_down if cell else 0,
                    revealed=cell.revealed if cell else 0,
                    leaked=cell.leaked if cell else 0,
                )
            )
    return cells
