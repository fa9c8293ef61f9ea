"""How a verdict is worded beside its interval: one that excludes 0 while nothing is shown needs a reason."""

from __future__ import annotations

from collections.abc import Sequence

from coopt.core.statistics.crossed import ALPHA
from coopt.core.statistics.verdicts import NONE_SHOWN
from coopt.core.tables.cells import NONE

HOLM = "not shown (Holm)"
_SEEDS = "not shown (seeds disagree)"
CORRECTED = "Holm-corrected"
_NOTES = {
    HOLM: (
        f"{HOLM}: the interval is for this figure alone and excludes 0; after Holm's correction for everything claimed"
        " together, the difference is not shown."
    ),
    _SEEDS: f"{_SEEDS}: the interval excludes 0, and a seed has the opposite sign.",
}


def excludes_zero(low: float | None, high: float | None) -> bool:
    """Whether an interval, if there is one, lies on one side of 0."""
    return low is not None and high is not None and (low > 0 or high < 0)


def worded(verdict: str, low: float | None, high: float | None, p: float | None) -> str:
    """The verdict on a difference with this interval. ``p``: corrected; None: not known (results of an earlier
    coopt), and then neither is why nothing is shown."""
    if verdict != NONE_SHOWN or not excludes_zero(low, high) or p is None:
        return verdict or NONE
    return _SEEDS if p < ALPHA else HOLM


def in_a_sentence(verdict: str, low: float | None, high: float | None, p: float | None) -> str:
    """The same without a note below it."""
    return worded(verdict, low, high, p).replace(HOLM, f"not shown, {CORRECTED}")


def reasons(rows: Sequence[Sequence[str]]) -> list[str]:
    """A note for each reason that the cells of a table give."""
    return [note for word, note in _NOTES.items() if any(word in cell for row in rows for cell in row)]
