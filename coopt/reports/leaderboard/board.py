"""The leaderboard: entries that answered the same questions in one table, ranked by what students gained."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import NamedTuple

from coopt.core.config.load import check as check_config
from coopt.core.config.load import load_config, preset_names
from coopt.core.config.toml import flat
from coopt.core.names import INIT
from coopt.core.statistics.crossed import LEAST_SEEDS
from coopt.core.statistics.ranking import Rank, pairs_of, ranks
from coopt.core.statistics.verdicts import Change, change, change_apart, corrected_by_key
from coopt.core.tables.cells import NONE, percent, places, signed, span, yes
from coopt.core.tables.table import Table
from coopt.reports.leaderboard.check import Checked
from coopt.reports.leaderboard.entry import Cost, Entry

_LONGEST = 200
WORLDS = {"scimini": "embedded world scimini", "sciknoweval": "SciKnowEval", "rows": "own rows"}
COLUMNS = ["rank", "place, 95 %", "method", "informed", "graph", "settings", "seeds", "start", "score", "change",
           "native", "mutual Pareto", "headroom", "s/step", "entry"]  # fmt: skip
_SHOWN = {"preset", "smoke", "seed", "seeds", "domains", "methods", "topology", "nodes", "data", "model.path", "run",
          "break_rate", "critics", "cluster", "engine"}  # fmt: skip
"""Settings that other columns show, or that change no result."""


class Track(NamedTuple):
    """Entries of one world, base model and set of questions, with their ranks, best first."""

    title: str
    ranked: list[tuple[Rank, Entry]]


def tracks(checked: Sequence[Checked]) -> list[Track]:
    """scimini before SciKnowEval; within, by domains."""
    groups: dict[tuple[object, ...], list[Checked]] = {}
    for one in sorted(checked, key=lambda c: c.entry.name):
        groups.setdefault(_key(one), []).append(one)
    return [Track(_title(groups[key][0].entry), _ranked(groups[key])) for key in sorted(groups, key=str)]


def _key(one: Checked) -> tuple[object, ...]:
    """What entries of one table have in common; also how their questions hang together."""
    entry = one.entry
    questions = tuple((d, entry.data[d]["test"]) for d in entry.domains)
    clusters = tuple(q.clusters for d in entry.domains for q in one.answers.questions[d])
    return (list(WORLDS).index(entry.world), entry.model, len(entry.domains), questions, entry.samples, clusters)


def _title(entry: Entry) -> str:
    base = "" if entry.model == "scimini" else f", base {entry.model}"
    sizes = ", ".join(f"{c.domain} {c.questions}" for c in entry.measures.constants)
    return f"{WORLDS[entry.world]}{base}: test questions {sizes}; avg@{entry.samples}"


def _ranked(group: Sequence[Checked]) -> list[tuple[Rank, Entry]]:
    """Ranks by the change against each entry's own initial students, paired over the questions."""
    values = {c.entry.name: c.entry.measures.overall.change.value for c in group}
    by_name = {c.entry.name: c for c in group}
    names = list(by_name)
    differences = {(a, b): _difference(by_name[a], by_name[b]) for a, b in pairs_of(names)}
    found = ranks(names, corrected_by_key(differences))
    order = sorted(group, key=lambda c: (found[c.entry.name].rank, -values[c.entry.name], c.entry.name))
    return [(found[c.entry.name], c.entry) for c in order]


def _difference(one: Checked, other: Checked) -> Change:
    """Of two entries' changes: seed by seed where they have the same, else each with its own seeds' part."""
    first, second = (c.answers.paired(c.entry.method, INIT, c.entry.students) for c in (one, other))
    if one.entry.seeds == other.entry.seeds:
        return change(first - second, one.answers.design())
    return change_apart(first, second, one.answers.design())


def board_tables(found: Sequence[Track]) -> list[Table]:
    """One table a section; base and the best constant answer stand under the entries."""
    return [Table(s.title, COLUMNS, [*(_row(r, e) for r, e in s.ranked), *_floors(s)], _notes(s)) for s in found]


def _row(rank: Rank, entry: Entry) -> list[str]:
    mean = entry.measures.overall
    mutual = next(c for c in entry.measures.improvement if c.student == "mutual")
    return [
        *places(rank),
        entry.method,
        "yes" if entry.informed else NONE,
        f"{entry.topology}, {len(entry.students)}",
        settings_of(entry),
        " ".join(map(str, entry.seeds)),
        percent(mean.start),
        f"{percent(mean.score)} {span(mean.low, mean.high)}",
        f"{signed(mean.change.value)} {span(mean.change.low, mean.change.high, '+.1f')}",
        signed(mean.native_change),
        f"{yes(mutual.point)} ({mutual.verdict})",
        f"{percent(mean.headroom[0], 0)} {span(*mean.headroom[1:], '.0f')}" if mean.headroom else NONE,
        seconds_of(entry.costs),
        entry.name,
    ]


def settings_of(entry: Entry) -> str:
    """What differs from the preset, without characters that mean something to a table or a terminal."""
    config = check_config(entry.config)
    shipped = config.preset in preset_names()
    usual = flat(load_config(preset=config.preset if shipped else "mini", smoke=config.smoke).model_dump(mode="json"))
    own = flat(config.model_dump(mode="json"))
    changed = [f"{k}={v}" for k, v in own.items() if v != usual.get(k) and not _is_shown(k)]
    named = [] if config.preset == "mini" else [f"preset {config.preset}"]
    return re.sub(r"[^\w .,:=+/-]", "", ", ".join([*named, *changed]))[:_LONGEST] or NONE


def _is_shown(key: str) -> bool:
    return key in _SHOWN or key.split(".")[0] in _SHOWN


def seconds_of(costs: Sequence[Cost]) -> str:
    """Seconds a step over all steps."""
    steps = sum(c.steps for c in costs)
    return f"{sum(c.steps * c.seconds_per_step for c in costs) / steps:.2f}" if steps else NONE


def _floors(section: Track) -> list[list[str]]:
    """What no training reaches too: of the entry with most seeds (the base is drawn anew with each)."""
    entry = max((e for _, e in section.ranked), key=lambda e: len(e.seeds))
    rows = {"base": entry.measures.overall.base, "constant answer": entry.measures.overall.constant}
    empty = [NONE] * len(COLUMNS)
    place = COLUMNS.index("score")
    first = COLUMNS.index("method")
    return [
        [*empty[:first], name, *empty[first + 1 : place], percent(score), *empty[place + 1 :]]
        for name, score in rows.items()
    ]


def _notes(section: Track) -> list[str]:
    seeds = {tuple(e.seeds) for _, e in section.ranked}
    notes = [
        "Percent, means of all students and domains; 95 % intervals in brackets. Ranked by change against the own"
        " initial students (start): a rank is one more than the number of entries shown to be better (pairs, Holm), so"
        " entries may share it; place: all true places lie in these at once with 95 %. informed: worked solutions, or"
        " true facts, of training questions reach the students, by the method or by tutors. settings: what differs from"
        " the preset. mutual Pareto: no student lower in any domain and each higher in one, in brackets whether that is"
        " shown. headroom: the share gained of what students lacked to the best start of each domain. s/step: on the"
        " entry's own machine.",
    ]
    if any(len(s) < LEAST_SEEDS for s in seeds):
        notes.append(
            "Entries with fewer than three seeds, and their ranks among themselves, are about these students only."
        )
    if len(seeds) > 1:
        notes.append(
            "Entries with the same seeds are compared seed by seed; others by what seeds differ among themselves, which"
            " one seed alone cannot tell: such an entry is not ranked against others'."
        )
    return notes
