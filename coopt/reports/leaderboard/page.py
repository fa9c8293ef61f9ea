"""One static HTML page of the leaderboard: it sorts and filters, and needs nothing beside it but the entries that its
links lead to.

All text goes through Jinja's escaping. The script holds no data; it reads the table that it sorts.
"""

from __future__ import annotations

import shlex
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from coopt.core.tables.cells import NONE, domain_of, percent, signed, span
from coopt.core.tables.table import Table
from coopt.reports.leaderboard.board import MORE, Track, board_tables
from coopt.reports.leaderboard.check import Checked
from coopt.reports.leaderboard.entry import Cost, StudentScore
from coopt.reports.leaderboard.links import anchor, relative
from coopt.reports.leaderboard.stated import trust_in
from coopt.reports.templates import render, script_hash
from coopt.reports.verdicts import worded

_COST = ["feedback", "steps", "s/step", "tokens rolled out", "of feedback", "trained on", "GiB"]
_ORDER = ["rank", "method", "score", "change", "place, 95 %", "topology", "seeds", "entry", *MORE[1:]]
"""What is read first is seen without scrolling on a telephone too."""


def page(found: Sequence[Track], folder: Path) -> str:
    """The page's text. ``folder``: where it is to lie, for its links to the entries' files."""
    tables = iter(board_tables(found, more=True))
    parts = [_part(section, tables, folder, k) for k, section in enumerate(found)]
    entries = [c.entry for s in found for c in (*(c for _, c in s.ranked), *s.references)]
    return render(
        "leaderboard/page",
        script_hash=script_hash("leaderboard/page"),
        parts=parts,
        columns=_ORDER,
        cost_columns=_COST,
        topologies=sorted({e.topology for e in entries}),
        methods=sorted({e.method for e in entries}),
        domains=sorted({d for e in entries for d in e.domains}),
    )


def _part(section: Track, tables: Any, folder: Path, number: int) -> dict[str, Any]:
    """``blocks``: the ranked entries, then the references; of each its title, notes, and rows with what stands under
    them (nothing under base and constant answer)."""
    ranked = [one for _, one in section.ranked]
    blocks = []
    for title, group, others in (("Ranked", ranked, 0), ("References without a rank", section.references, 1)):
        if group or (others and section.floors):
            blocks.append(_block(title, next(tables), group, folder))
    return {"id": f"board-{number}", "title": section.title, "blocks": blocks}


def _block(title: str, table: Table, group: Sequence[Checked], folder: Path) -> dict[str, Any]:
    details: list[dict[str, Any] | None] = [_details(one, folder) for one in group]
    details += [None] * (len(table.rows) - len(group))
    rows = [
        {"cells": _cells(dict(zip(table.columns, row, strict=True))), "entry": own}
        for row, own in zip(table.rows, details, strict=True)
    ]
    return {"title": title, "rows": rows, "notes": table.notes}


def _cells(row: dict[str, str]) -> list[str]:
    """In the page's order. An interval stands with what it is of, and in one line."""
    for name in ("score", "change"):
        row |= {name: f"{row[name]} {row[f'{name}, 95 %']}".removesuffix(f" {NONE}")}
    return [_unbroken(row.get(name, "")) for name in _ORDER]


def _unbroken(cell: str) -> str:
    """An interval stays in one line."""
    return cell.replace(", ", ",\N{NO-BREAK SPACE}") if "[" in cell else cell


def _details(one: Checked, folder: Path) -> dict[str, Any]:
    """What stands under a row."""
    entry, record = one.entry, one.entry.provenance[0]
    facts = {
        "command": shlex.join(["coopt", *record.arguments]),
        "commit": f"{record.commit}{' with local changes' if record.dirty else ''}",
        "hardware": ", ".join(record.gpus or [record.platform]),
        "packages": ", ".join(f"{k} {v}" for k, v in record.packages.items() if v),
        "sha256 of the answers": entry.outcomes.sha256,
    }
    return {
        "name": entry.name,
        "anchor": anchor(entry.name),
        "topology": entry.topology,
        "method": entry.method,
        "domains": "\t".join(entry.domains),
        "files": {
            "entry": relative(one.path, folder),
            "every answer": relative(one.path.with_name(entry.outcomes.file), folder),
        },
        "trust": trust_in(entry),
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
        worded(moved.verdict, moved.low, moved.high, moved.p) if moved else "",
    ]
