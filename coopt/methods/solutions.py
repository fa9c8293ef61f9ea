"""What methods that learn from worked solutions ask of a run's data."""

from __future__ import annotations

from collections.abc import Mapping

from coopt.domains.base import Domain
from coopt.errors import ConfigError


def check_solutions(method: str, domains: Mapping[str, Domain]) -> None:
    """Raises ``ConfigError`` where a domain's training questions have no worked solution.

    Some may lack one (a writer of solutions does not get every question right): they have then no target.
    """
    for domain in domains.values():
        if all(item.solution is None for item in domain.items("train")):
            raise ConfigError(
                f"method {method} needs worked solutions, and the {domain.name} rows have none. Give them with --set"
                " data.solutions=FILE (JSON Lines with question and rationale; coopt data rationales writes it)."
            )
