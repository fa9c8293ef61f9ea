"""The domains of a run, from the embedded world or from rows on disk."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from functools import lru_cache
from typing import Any

from coopt.core.config.schema import Config
from coopt.core.errors import ConfigError, DataError
from coopt.core.names import DOMAIN_NAMES
from coopt.domains.base import SPLITS, Domain, Split
from coopt.domains.files import read_rows
from coopt.domains.rationales import read_rationales
from coopt.domains.rows import RowDomain, best_constant, content_hash, select
from coopt.domains.scimini.world import scimini_domain

Limits = tuple[tuple[Split, int], ...]


def load_domains(config: Config) -> Mapping[str, Domain]:
    """Domain name -> domain, for the run's domains. Raises ``DataError``."""
    limits: Limits = (("validation", config.data.validation), ("test", config.data.test))
    domains: Mapping[str, RowDomain]
    if config.data.source == "scimini":
        domains = {name: scimini_domain(name, config.world.rows, limits, config.domains) for name in config.domains}
    else:
        domains = _row_domains(config.data.source, config.domains, limits)
    if not config.data.solutions:
        return domains
    solutions = read_rationales(config.data.solutions, f"data.solutions = '{config.data.solutions}'")
    return {name: _with_solutions(domain, solutions) for name, domain in domains.items()}


@lru_cache(maxsize=4)
def _row_domains(source: str, names: tuple[str, ...], limits: Limits) -> Mapping[str, RowDomain]:
    items = select(read_rows(source)).items
    domains: dict[str, RowDomain] = {}
    for name in names:
        domain = RowDomain(name, tuple(i for i in items if i.domain == name), limits=limits)
        for split in SPLITS:
            if not domain.items(split):
                have = ", ".join(sorted({i.domain for i in items})) or "none"
                raise DataError(f"{source}: no {split} rows for '{name}'. Domains it has: {have}.")
        domains[name] = domain
    return domains


def _with_solutions(domain: RowDomain, solutions: Mapping[str, str]) -> RowDomain:
    """The same questions; those that ``solutions`` has, by their text, with that worked solution."""
    rows = (replace(i, solution=solutions.get(i.stem, i.solution)) for i in domain.rows)
    return replace(domain, rows=tuple(rows))


def check_solutions(domains: Mapping[str, Domain], who: str) -> None:
    """Refuse domains none of whose training questions has a worked solution. A single question without one has no
    target, or its critic says nothing. Raises ``ConfigError``; ``who`` needs them."""
    for domain in domains.values():
        if not any(i.solution for i in domain.items("train")):
            raise ConfigError(
                f"{who} needs worked solutions, and no training question of {domain.name} has one. Give a file of them:"
                " --set data.solutions=FILE (coopt data rationales writes one), or rows with a field solution."
            )


def data_hashes(domains: Mapping[str, Domain]) -> dict[str, dict[str, str]]:
    """A hash of every split, for provenance: the same questions give the same hash."""
    return {
        name: {split: content_hash(*(i.id for i in domain.items(split)))[:16] for split in SPLITS}
        for name, domain in domains.items()
    }


def check_rows(source: str, length: Callable[[str], int], max_tokens: int) -> dict[str, Any]:
    """What ``coopt data check`` answers: counts per domain and split, constants, rows left out.

    ``length`` counts the tokens of a prompt.
    """
    selection = select(read_rows(source))
    answer: dict[str, Any] = {"domains": {}, "left_out": dict(sorted(selection.left_out.items()))}
    for name in DOMAIN_NAMES:
        items = [i for i in selection.items if i.domain == name]
        if not items:
            continue
        domain = RowDomain(name, tuple(items))
        sizes: dict[str, int] = {split: len(domain.items(split)) for split in SPLITS}
        letter, share = best_constant(i.answer for i in items)
        answer["domains"][name] = {
            "rows": len(items),
            **sizes,
            "constant_letter": {"letter": letter, "share": round(share, 4)},
            "too_long": sum(length(domain.wording.system + i.prompt) > max_tokens for i in items),
        }
    if not answer["domains"]:
        raise DataError(f"{source}: no level-3 multiple-choice rows. Left out: {answer['left_out']}.")
    return answer


def train_union(domains: Mapping[str, Domain], names: Sequence[str]) -> list[tuple[str, int]]:
    """The union of the domains' training questions as (domain, index) pairs, in a fixed order."""
    return [(name, k) for name in names for k in range(len(domains[name].items("train")))]
