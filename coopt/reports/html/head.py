"""What stands at the top of a page: what each method gained, and where the numbers come from."""

from __future__ import annotations

import time
from statistics import fmean
from typing import NamedTuple

from coopt.core.tables.cells import signed, span
from coopt.reports.headline import against, warnings
from coopt.reports.verdicts import in_a_sentence
from coopt.runs.measures.summary import mean_changes
from coopt.runs.provenance import command_of
from coopt.runs.results import Results
from coopt.runs.run import Run

_SHORT = 12  # digits of a commit


class Card(NamedTuple):
    """One method: ``gain`` in points, ``interval`` of it (empty: its answers are not at hand), and further lines."""

    method: str
    gain: str
    interval: str
    lines: list[str]


def cards(run: Run, results: Results) -> list[Card]:
    """A card a method, in the run's order."""
    intervals = (
        {c.method: span(c.low, c.high, "+.1f") for c in mean_changes(run)}
        if results.methods and run.has_answers()
        else {}
    )
    return [_card(results, method, intervals.get(method, "")) for method in results.methods]


def _card(results: Results, method: str, interval: str) -> Card:
    own = [c for c in results.scores if c.who == method]
    moved = [c.change for c in own if c.change is not None]
    lines = []
    versus = against(results, method)
    if versus:
        found = f"{signed(versus.difference)} {span(versus.low, versus.high, '+.1f')}"
        verdict = in_a_sentence(versus.verdict, versus.low, versus.high, versus.p)
        lines.append(f"against {versus.baseline}: {found}, {verdict}")
    shown = ", ".join(
        f"{n} {word}"
        for word, verdict in (("better", "improves"), ("worse", "worse"))
        if (n := sum(c.verdict == verdict for c in own))
    )
    lines.append(f"scores shown to change: {shown or 'none'} of {len(own)}")
    mutual = next((c for c in results.pareto if c.method == method and c.student == "mutual"), None)
    if mutual and len(results.native) > 1:
        chance = f"{100 * mutual.probability:.0f} %"
        lines.append(f"mutual Pareto improvement: {mutual.verdict} (probability {chance})")
    return Card(method, signed(fmean(moved)) if moved else "–", interval, lines)


def origin(run: Run) -> list[tuple[str, str]]:
    """Command, commit, dates, seeds and version; what a folder does not say is left out."""
    record, events = run.provenance(), run.journal().events
    packages = record.get("packages") or {}
    found = [
        ("command", command_of(record)),
        ("commit", _commit(record.get("commit"), record.get("dirty"))),
        ("begun", _date(events[0]["time"]) if events else ""),
        ("finished", next((_date(e["time"]) for e in reversed(events) if e["event"] == "finished"), "")),
        ("seeds", ", ".join(map(str, run.seeds))),
        ("version", f"coopt {packages['coopt']}" if packages.get("coopt") else ""),
    ]
    return [(name, words) for name, words in found if words]


def first_warnings(results: Results) -> list[str]:
    """The terminal's, without their first word."""
    return [line.removeprefix("WARNING: ") for line in warnings(results)]


def _commit(commit: str | None, dirty: str | None) -> str:
    return f"{commit[:_SHORT]}{' with uncommitted changes' if dirty else ''}" if commit else ""


def _date(seconds: float) -> str:
    return time.strftime("%Y-%m-%d %H:%M", time.localtime(seconds))
