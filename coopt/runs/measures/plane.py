"""The plane on which a student's Pareto improvement is shown (the paper's Figures 1 and 7)."""

from __future__ import annotations

from collections.abc import Mapping

from coopt.runs.results import Results

OTHERS = "mean of the others"


def axes(results: Results, student: str) -> tuple[str, str]:
    """Two domains; with more of them the student's native one and the mean of the others."""
    if len(results.domains) == 2:
        return results.domains[0], results.domains[1]
    native = results.native[student]
    return native, OTHERS if len(results.domains) > 2 else native


def place(results: Results, who: str, student: str) -> tuple[float, float]:
    """Test scores (0 to 1) of a student on its two axes; ``who``: init or a method."""
    own: Mapping[str, float] = {c.domain: c.score for c in results.scores if c.who == who and c.student == student}
    x, y = axes(results, student)
    others = [score for d, score in own.items() if d != x]
    return own[x], sum(others) / len(others) if y == OTHERS else own[y]
