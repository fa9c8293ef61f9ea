"""A table that is too long for a screen: in each of its groups the rows at both ends of what it measures, and with them
those that stand for all."""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace

from coopt.core.tables.table import Table

_MOST = 18
"""Rows of a table that is shown by its ends, as far as each group has its best and its worst."""
_REMARK = re.compile(r"\s*\(.*\)$")  # "physics (native)" is physics
_NUMBER = re.compile(r"[+-]?\d+(?:\.\d+)?")


@dataclass(frozen=True)
class Ends:
    """How a table is shown by its ends.

    ``by``: the column whose numbers order the rows; where it has none, the next one. ``within``: the columns that
    make a group. ``always``: column -> what stands there in rows that are always shown (totals, floors).
    """

    by: Sequence[str]
    within: Sequence[str] = ()
    always: Mapping[str, Collection[str]] | None = None


def by_its_ends(table: Table, how: Ends, rest: str) -> Table:
    """The table in its order, without the middle of each group, and with a note that says so. ``rest``: where all rows
    are."""
    column = {name: k for k, name in enumerate(table.columns)}
    always = {column[c]: names for c, names in (how.always or {}).items()}
    kept = {k for k, row in enumerate(table.rows) if any(row[c] in names for c, names in always.items())}
    groups: dict[tuple[str, ...], list[tuple[float, int]]] = {}
    for k, row in enumerate(table.rows):
        if k not in kept:
            key = tuple(_REMARK.sub("", row[column[c]]) for c in how.within)
            groups.setdefault(key, []).append((_value(row, [column[c] for c in how.by]), k))
    each = max(1, (_MOST - len(kept)) // max(1, 2 * len(groups)))
    for own in groups.values():
        ordered = [k for _, k in sorted(own)]
        kept |= {*ordered[:each], *ordered[-each:]}
    words = f" of each {' and '.join(how.within)}" if how.within else ""
    note = (
        f"{len(kept)} of {len(table.rows)} rows:{words} the {each} lowest and {each} highest by"
        f" {how.by[0]}. All rows: {rest}"
    )
    return replace(table, rows=[table.rows[k] for k in sorted(kept)], notes=[note, *table.notes])


def _value(row: Sequence[str], columns: Sequence[int]) -> float:
    """The number that a row is ordered by; without any it stands at the low end."""
    for c in columns:
        found = _NUMBER.match(row[c])
        if found:
            return float(found[0])
    return float("-inf")
