"""Results for people who work in a notebook."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Protocol

from tabulate import tabulate

from coopt.core.errors import ConfigError
from coopt.core.tables.cells import domain_of, percent, signed, span


class _HasScores(Protocol):
    @property
    def scores(self) -> Sequence[Any]: ...


class Shown:
    """Scores as a data frame, and as what a notebook shows of results."""

    def to_dataframe(self: _HasScores) -> Any:
        """A pandas data frame: one row per student (or base) and domain and method, shares in [0, 1]. Every answer:
        ``coopt export RUN``. Raises ``ConfigError`` without pandas."""
        try:
            import pandas
        except ImportError:
            raise ConfigError("to_dataframe needs pandas: pip install pandas.") from None
        return pandas.DataFrame([c.model_dump() for c in self.scores])

    def _repr_html_(self: _HasScores) -> str:
        rows = [
            [
                c.who,
                c.student,
                domain_of(c.domain, c.native),
                percent(c.score),
                signed(c.change),
                span(c.change_low, c.change_high, "+.1f"),
                c.verdict,
            ]
            for c in self.scores
        ]
        columns = ["method", "student", "domain", "score, %", "change", "95 %", "verdict"]
        return str(tabulate(rows, headers=columns, tablefmt="html", disable_numparse=True))
