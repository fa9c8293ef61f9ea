"""One static HTML page of the leaderboard: it sorts and filters, and needs nothing beside it.

All text goes through Jinja's escaping. The script holds no data; it reads the table that it sorts.
"""

from __future__ import annotations

import shlex
from collections.abc import Sequence
from itertools import zip_longest
from typing import Any

from coopt.core.tables.cells import domain_of, percent, signed, span
from coopt.core.tables.table import Table
from coopt.reports.leaderboard.board import COLUMNS, Track, board_tables
from coopt.reports.leaderboard.entry import Cost, Entry, StudentScore
from coopt.reports.templates import render, script_hash

_COST = ["feedback", "steps", "s/step", "tokens rolled out", "of feedback", "trained on", "GiB"]


def page(found: Sequence[Track]) -> str:
    """The page's text."""
    tables = board_tables(found)
    parts = [_part(section, table, k) for k, (section, table) in enumerate(zip(found, tables, strict=True))]
    return render(
        "leaderboard/page",
        script_hash=script_hash("leaderboard/page"),
        parts=parts,
        columns=COLUMNS,
        cost_columns=_COST,
    )


def _part(section: Track, table: Table, number: int) -> dict[str, Any]:
    """``rows``: the entries', with what stands under each, then those of base and constant answer."""
    entries = [_details(entry) for _, entry in section.ranked]
    rows = [{"cells": row, "entry": entry} for row, entry in zip_longest(table.rows, entries)]
    return {"id": f"board-{number}", "title": table.title, "rows": rows, "notes": table.notes}


def _details(entry: Entry) -> dict[str, Any]:
    """What stands under a row."""
    record = entry.provenance[0]
    facts = {
        "command": shlex.join(["coopt", *record.arguments]),
        "commit": f"{record.commit}{' with local changes' if record.dirty else ''}",
        "hardware": ", ".join(record.gpus or [record.platform]),
        "packages": ", ".join(f"{k} {v}" for k, v in record.packages.items() if v),
        "outcomes": f"{entry.outcomes.file}, sha256 {entry.outcomes.sha256}",
    }
    return {
        "name": entry.name,
        "facts": facts,
        "scores": [_score(s) for s in entry.measures.scores if s.who == entry.method],
        "costs": [_cost(c) for c in entry.costs],
    }


def _cost(cost: Cost) -> list[str]:
    tokens = cost.tokens
    counts = [f"{n:,}" for n in (tokens.rollout, tokens.feedback, tokens.trained)]
    return [
        cost.feedback,
        str(cost.steps),
        f"{cost.seconds_per_step:.2f}",
        *counts,
        f"{cost.peak_memory_gib:.1f}",
    ]


def _score(score: StudentScore) -> list[str]:
    moved = score.change
    return [
        score.student,
        domain_of(score.domain, score.native),
        percent(score.score),
        span(score.low, score.high),
        percent(score.passed),
        signed(moved.value if moved else None),
        span(moved.low, moved.high, "+.1f") if moved else "",
        moved.verdict if moved else "",
    ]
