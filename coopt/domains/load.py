"""The domains of a run, from the embedded world or from rows on disk."""

from __future__ import annotations

import difflib
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from functools import lru_cache
from typing import Any

from coopt.core.config.load import check
from coopt.core.config.schema import Config, DataConfig
from coopt.core.errors import ConfigError, DataError, unknown
from coopt.core.names import ALIASES, DOMAIN_NAMES
from coopt.domains.base import SPLITS, AnswerKind, Domain, Split
from coopt.domains.files import read_rows
from coopt.domains.hub import hub_rows
from coopt.domains.mapping.items import mapped
from coopt.domains.mapping.schema import Source, load_mapping
from coopt.domains.mapping.splits import as_given
from coopt.domains.rationales import read_rationales
from coopt.domains.rows import Row, RowDomain, Selection, best_constant, content_hash, select
from coopt.domains.scimini.traits import traits_of
from coopt.domains.scimini.world import scimini_domain
from coopt.domains.wording import CHOICE, NUMBER, SCIENCE, TEXT, Wording

WORLD = "scimini"
_LISTED = 20  # domains that a message names
Limits = tuple[tuple[Split, int], ...]


def load_domains(config: Config) -> Mapping[str, Domain]:
    """Domain name -> domain, for the run's domains. Raises ``DataError``."""
    check_names(config)
    domains: Mapping[str, RowDomain]
    if config.data.source == WORLD:
        limits = _limits(config.data)
        rows, among, traits = config.world.rows, config.domains, traits_of(config)
        domains = {name: scimini_domain(name, rows, limits, among, traits) for name in among}
    else:
        domains = _row_domains(config.data, config.domains)
    if not config.data.solutions:
        return domains
    solutions = read_rationales(config.data.solutions, f"data.solutions = '{config.data.solutions}'")
    return {name: _with_solutions(domain, solutions.of(domain)) for name, domain in domains.items()}


def check_names(config: Config) -> None:
    """The embedded world has four domains; rows may bring any. Raises ``ConfigError``."""
    if config.data.source != WORLD:
        return
    for name in config.domains:
        if name not in DOMAIN_NAMES:
            allowed = [*DOMAIN_NAMES, *(a for a in ALIASES if a != "material")]
            raise ConfigError(unknown("domain", name, allowed) + " For domains of your own give rows: --data FILE.")
    if config.data.mapping:
        raise ConfigError(
            "setting data.mapping is for rows, and the embedded world has none: leave --data scimini out."
        )
    if config.data.rest_to_train:
        raise ConfigError("setting data.rest_to_train is for rows: the embedded world makes as many as are asked for.")
    if config.data.extraction != "sdpo":
        raise ConfigError(
            f"setting data.extraction = {config.data.extraction} is for rows: add --data FILE. The embedded world's"
            " answers are always read as sdpo."
        )


def _limits(data: DataConfig) -> Limits:
    return ("validation", data.validation), ("test", data.test)


@lru_cache(maxsize=4)
def _row_domains(data: DataConfig, names: tuple[str, ...]) -> Mapping[str, RowDomain]:
    items, kind, wording = _questions(data, strict=True)
    have = Counter(i.domain for i in items.items)
    domains: dict[str, RowDomain] = {}
    for name in names:
        own = tuple(i for i in items.items if i.domain == name)
        domain = RowDomain(name, own, kind, wording, _limits(data), data.extraction, data.rest_to_train)
        for split in SPLITS:
            if not domain.items(split):
                raise DataError(f"{data.named}: no {split} rows for '{name}'.{_near(name, have)}")
        domains[name] = domain
    return domains


def _near(name: str, have: Mapping[str, int]) -> str:
    """What rows there are instead."""
    if name in have:
        return f" It has {have[name]} questions in all: give more rows, or another split."
    near = difflib.get_close_matches(name, have, n=1)
    listed = ", ".join(sorted(have)[:_LISTED]) + f" and {len(have) - _LISTED} more" * (len(have) > _LISTED)
    return (f" Did you mean '{near[0]}'?" if near else "") + f" Domains it has: {listed or 'none'} (--domains)."


def _questions(data: DataConfig, *, strict: bool) -> tuple[Selection, AnswerKind, Wording]:
    """The questions of rows, what is asked for, and in which words."""
    if not data.mapping:
        found = select(read_rows(data.source))
        if any(i.split for i in found.items):
            found = found._replace(items=as_given(found.items, data.named, found.left_out))
        return found, "letter", SCIENCE
    own = load_mapping(data.mapping)
    kind = own.answer.kind
    wording = SCIENCE if data.mapping == "sciknoweval" else {"letter": CHOICE, "text": TEXT, "number": NUMBER}[kind]
    what = f"{data.source} with mapping {data.mapping}" if data.source else data.named
    return mapped(_rows(data, own.source), own, what, strict=strict), kind, wording


def _rows(data: DataConfig, where: Source) -> Iterator[Row]:
    """The given rows, else those of the mapping's ``where``. Raises ``DataError``; ``ConfigError`` if it is empty."""
    if not data.source and where.hub:
        return hub_rows(where.hub, where.config, where.splits)
    if not data.source and not where.path:
        raise ConfigError(
            f"data.mapping is for rows, and {data.named} does not say where they are: add --data FILE, or [source] to a"
            " mapping of yours (docs/data.md)."
        )
    return read_rows(data.source or where.path, where.columns)


def _with_solutions(domain: RowDomain, solutions: Mapping[str, str]) -> RowDomain:
    """The same questions; those that ``solutions`` has, by their id, with that worked solution."""
    rows = (replace(i, solution=solutions.get(i.id, i.solution)) for i in domain.rows)
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


def check_rows(source: str | None, length: Callable[[str], int], max_tokens: int, mapping: str = "") -> dict[str, Any]:
    """What ``coopt data check`` answers: counts per domain and split, constants, rows left out.

    ``length`` counts the tokens of a prompt. Without ``source`` the mapping says where the rows are.
    """
    data = check({"data": {"source": source, "mapping": mapping}}).data
    mapping = data.mapping
    selection, kind, wording = _questions(data, strict=False)
    answer: dict[str, Any] = {"domains": {}, "left_out": dict(sorted(selection.left_out.items()))}
    if mapping:
        answer |= {"mapping": mapping, "answer": kind, "first": dict(sorted(selection.first.items()))}
    for name in _in_order({i.domain for i in selection.items}):
        items = [i for i in selection.items if i.domain == name]
        domain = RowDomain(name, tuple(items), kind, wording)
        sizes: dict[str, int] = {split: len(domain.items(split)) for split in SPLITS}
        letter, share = best_constant(i.answer for i in items)
        answer["domains"][name] = {
            "rows": len(items),
            **sizes,
            "constant_letter": {"letter": letter, "share": round(share, 4)},
            "too_long": sum(length(domain.wording.system + i.prompt) > max_tokens for i in items),
        }
    if not answer["domains"]:
        what = "no level-3 multiple-choice rows" if not mapping else f"no row fits mapping {mapping}"
        reasons = "; ".join(f"{n:,} rows: {reason}" for reason, n in selection.left_out.most_common(3))
        raise DataError(
            f"{data.named}: {what}. Left out: {reasons or 'nothing'}. coopt data guess FILE proposes a mapping."
        )
    return answer


def _in_order(names: set[str]) -> list[str]:
    """The four known ones first."""
    return [n for n in DOMAIN_NAMES if n in names] + sorted(names - set(DOMAIN_NAMES))


def train_union(domains: Mapping[str, Domain], names: Sequence[str]) -> list[tuple[str, int]]:
    """The union of the domains' training questions as (domain, index) pairs, in a fixed order."""
    return [(name, k) for name in names for k in range(len(domains[name].items("train")))]
