"""The leaderboard: entries that answered the same questions in one table, ranked by what students gained; those that
read worked solutions beside them, as references without a rank."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from functools import cache
from itertools import pairwise
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from coopt.core.config.identity import identity
from coopt.core.config.load import check as check_config
from coopt.core.config.load import load_config, preset_names
from coopt.core.config.toml import flat
from coopt.core.statistics.crossed import LEAST_SEEDS
from coopt.core.statistics.pairs import shown_better
from coopt.core.statistics.ranking import Rank, ranked
from coopt.core.tables.cells import NONE, percent, places, signed, span, yes
from coopt.core.tables.table import Table
from coopt.reports.leaderboard.check import Checked
from coopt.reports.leaderboard.entry import Cost, Entry
from coopt.reports.leaderboard.floors import SHIPPED, floors_of
from coopt.reports.leaderboard.links import relative

_LONGEST = 200
WORLDS = {"scimini": "embedded world scimini", "sciknoweval": "SciKnowEval", "rows": "own rows"}
COLUMNS = ["rank", "method", "score", "change", "change, 95 %", "place, 95 %", "topology", "seeds", "entry"]
_OF_RANKS = ("rank", "place, 95 %")
MORE = ["score, 95 %", "students", "settings", "start", "native", "mutual Pareto", "headroom", "s/step"]
"""What stands beside them with ``--all``, and wherever a table is read by programs or can be scrolled."""
_NOT_SETTINGS = {"preset", "smoke", "seed", "seeds", "domains", "methods", "topology", "nodes", "data", "model.path",
                 "run", "break_rate", "engine"}  # fmt: skip
"""Settings that other columns show, or that change no result."""


class Track(NamedTuple):
    """Entries of one world, base model and set of questions. ``ranked``: best first; ``references``: those that read
    worked solutions, the largest change first; ``floors``: what no training reaches too, by name."""

    title: str
    ranked: list[tuple[Rank, Checked]]
    references: list[Checked]
    floors: dict[str, float]


def tracks(checked: Sequence[Checked]) -> list[Track]:
    """scimini before SciKnowEval; within, by domains."""
    groups: dict[tuple[object, ...], list[Checked]] = {}
    for one in sorted(checked, key=lambda c: c.entry.name):
        groups.setdefault(_key(one), []).append(one)
    return [_track(groups[key]) for key in sorted(groups, key=str)]


def _key(one: Checked) -> tuple[object, ...]:
    """What entries of one table have in common; also how their questions hang together."""
    entry = one.entry
    questions = tuple((d, entry.data[d]["test"]) for d in entry.domains)
    return list(WORLDS).index(entry.world), base_of(entry), len(questions), questions, entry.samples, one.kept.questions


def _track(group: Sequence[Checked]) -> Track:
    references = sorted((c for c in group if c.entry.informed), key=lambda c: -c.entry.measures.overall.change.value)
    entrants = [c for c in group if not c.entry.informed]
    return Track(_title(group[0].entry), _ranked(entrants), references, floors_of(group[0].entry))


def base_of(entry: Entry) -> str:
    """What its students begin with: the base, or specialists of their own that nobody has seen."""
    return f"{entry.model} and ready specialists" if check_config(entry.config).model.students else entry.model


def _title(entry: Entry) -> str:
    base = "" if base_of(entry) == SHIPPED else f", base {base_of(entry)}"
    sizes = ", ".join(f"{c.domain} {c.questions}" for c in entry.measures.constants)
    return f"{WORLDS[entry.world]}{base}: test questions {sizes}; avg@{entry.samples}"


def _ranked(group: Sequence[Checked]) -> list[tuple[Rank, Checked]]:
    """Ranks by the change against each entry's own initial students, and the places that its noise leaves open."""
    if not group:
        return []
    design = group[0].answers.design()
    changes = [c.kept.changes for c in group]
    means = np.array([design.mean(c).mean() for c in changes])
    found = ranked(means, shown_better(changes, [c.entry.seeds for c in group], design))
    return sorted(zip(found, group, strict=True), key=lambda pair: (pair[0].rank, pair[1].entry.name))


def board_tables(found: Sequence[Track], folder: Path | None = None, *, more: bool = False) -> list[Table]:
    """Of each section its ranked entries, then its references. ``folder``: where a document is to lie whose names are
    links to the entries' files; ``more``: all columns."""
    columns = [*COLUMNS, *MORE] if more else COLUMNS
    tables = []
    for section in found:
        rows = [_row(rank, one, more) for rank, one in section.ranked]
        links = {c.entry.name: relative(c.path, folder) for _, c in section.ranked} if folder else {}
        tables.append(Table(section.title, columns, rows, _notes(section, more), links))
        links = {c.entry.name: relative(c.path, folder) for c in section.references} if folder else {}
        tables.append(_references(section, [c for c in columns if c not in _OF_RANKS], links, more))
    return [t for t in tables if t.rows]


def _references(section: Track, columns: Sequence[str], links: Mapping[str, str], more: bool) -> Table:
    rows = [_row(None, one, more) for one in section.references]
    place = columns.index("score")
    for name, share in section.floors.items():
        rows.append([name, *[NONE] * (place - 1), percent(share), *[NONE] * (len(columns) - place - 1)])
    notes = [
        "Not ranked. Upper bounds: worked solutions, or true facts, of training questions reached these students, by"
        " the method or by tutors."
    ] * bool(section.references)
    if section.floors:
        notes.append("base: the shipped base model, untrained; constant answer: the best one of each domain.")
    return Table(f"References without a rank: {section.title}", columns, rows, notes, links)


def _row(rank: Rank | None, one: Checked, more: bool) -> list[str]:
    entry = one.entry
    mean = entry.measures.overall
    number, possible = ([cell] for cell in places(rank)) if rank else ([], [])
    shown = [
        *number,
        entry.method,
        percent(mean.score),
        signed(mean.change.value),
        span(mean.change.low, mean.change.high),
        *possible,
        entry.topology,
        in_short(entry.seeds),
        entry.name,
    ]
    return [*shown, *_more(entry)] if more else shown


def _more(entry: Entry) -> list[str]:
    mean, everyone = entry.measures.overall, entry.measures.improvement[-1]
    return [
        span(mean.low, mean.high),
        str(len(entry.students)),
        settings_of(entry),
        percent(mean.start),
        signed(mean.native_change),
        f"{yes(everyone.point)} ({everyone.verdict})",
        f"{percent(mean.headroom[0], 0)} {span(*mean.headroom[1:], '.0f')}" if mean.headroom else NONE,
        seconds_of(entry.costs),
    ]


def in_short(seeds: Sequence[int]) -> str:
    """``700-702``; with gaps each of them."""
    together = len(seeds) > 1 and all(b == a + 1 for a, b in pairwise(seeds))
    return f"{seeds[0]}-{seeds[-1]}" if together else " ".join(map(str, seeds))


def settings_of(entry: Entry) -> str:
    """What differs from the preset, without characters that mean something to a table or a terminal."""
    config = check_config(entry.config)
    shipped = config.preset in preset_names()
    usual = _usual(config.preset if shipped else "mini", config.smoke)
    own = flat(identity(config))
    changed = [f"{k}={v}" for k, v in own.items() if v != usual.get(k) and not _is_shown(k)]
    named = [] if config.preset == "mini" else [f"preset {config.preset}"]
    return re.sub(r"[^\w .,:=+/-]", "", ", ".join([*named, *changed]))[:_LONGEST] or NONE


@cache
def _usual(preset: str, smoke: bool) -> dict[str, Any]:
    return flat(identity(load_config(preset=preset, smoke=smoke)))


def _is_shown(key: str) -> bool:
    return key in _NOT_SETTINGS or key.split(".")[0] in _NOT_SETTINGS


def seconds_of(costs: Sequence[Cost]) -> str:
    """Seconds a step over all steps."""
    steps = sum(c.steps for c in costs)
    return f"{sum(c.steps * c.seconds_per_step for c in costs) / steps:.2f}" if steps else NONE


def _notes(section: Track, more: bool) -> list[str]:
    seeds = {tuple(c.entry.seeds) for _, c in section.ranked}
    notes = [
        "Percent, means of all students and domains. rank: by change against the entry's own initial students; place:"
        " with 95 % confidence all true places lie in these at once (pairs, Holm)."
    ]
    if more:
        notes.append(
            "settings: what differs from the preset. start: the own initial students. mutual Pareto: no student lower"
            " in any domain and each higher in one, in brackets whether that is shown. headroom: the share gained of"
            " what students lacked to the best start of each domain. s/step: on the entry's own machine."
        )
    if any(len(s) < LEAST_SEEDS for s in seeds):
        notes.append("Entries with fewer than three seeds, and their places, are about these students only.")
    if len(seeds) > 1:
        notes.append(
            "Entries with the same seeds are compared seed by seed; others by what seeds differ among themselves, which"
            " one seed alone cannot tell: between such an entry and others no place is closed."
        )
    return notes
