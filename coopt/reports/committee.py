"""The table of a committee's peer review."""

from __future__ import annotations

from coopt.core.tables.cells import NONE, percent
from coopt.core.tables.table import Table
from coopt.runs.order import by_node
from coopt.runs.results import AuthorCell, CommitteeCell, Results


def acceptance_table(results: Results, *, by_judges: bool = True) -> Table:
    """Acceptance of rationales by author, and (``by_judges``) by author and judge."""
    names = {j.judge for c in results.committees for a in c.authors for j in a.judges}
    judges = sorted(names, key=by_node(results.native)) if by_judges else []
    rows = [
        [
            cell.method,
            author.author,
            str(author.written),
            NONE if author.mean_score is None else f"{author.mean_score:.2f}",
            percent(author.accepted / author.written if author.written else None),
            *(_by_judge(author, judge) for judge in judges),
        ]
        for cell in results.committees
        for author in cell.authors
    ]
    columns = ["method", "author", "rationales", "mean score", "accepted, %", *(f"by {j}, %" for j in judges)]
    judged = [
        "by a judge: share of its readable scores that are above the bound, in brackets their mean. Scores are 1 to 5;"
        " judges do not see the worked solution. Rationales: one per question with a mistake and author.",
    ]
    notes = [
        *(judged if by_judges else []),
        "What the critics write is learnt as it is, neither anchored nor sanitised.",
        *map(_share, results.committees),
    ]
    return Table("FAIR: acceptance", columns, rows, notes)


def _by_judge(author: AuthorCell, judge: str) -> str:
    cell = next((j for j in author.judges if j.judge == judge), None)
    if cell is None or cell.mean_score is None:
        return NONE
    return f"{percent(cell.above / cell.readable)} ({cell.mean_score:.2f})"


def _share(cell: CommitteeCell) -> str:
    share = percent(cell.training_items / cell.mistakes if cell.mistakes else None)
    return f"{cell.method}: of {cell.mistakes:,} wrong rollouts {share} % became training items."
