"""Single rollouts coloured by advantage, as one HTML file without scripts: it opens anywhere, in light and dark."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from coopt.core import store
from coopt.core.tables.table import Table
from coopt.core.text import visible
from coopt.reports.advantages.pictures import (
    Panel,
    at_strength,
    choose,
    full_colour,
    shown_tokens,
    strength,
)
from coopt.reports.advantages.tables import label
from coopt.reports.advantages.traces import Trace
from coopt.reports.templates import render

QUESTIONS = 40
"""Questions on a page."""
_STEPS = 5  # of the scale's legend, each way


def write_page(path: Path, run: str, traces: Sequence[Trace], tables: Sequence[Table]) -> None:
    """Write the page. All text of models, users and data is escaped, and the file forbids itself scripts and loads."""
    questions = choose(traces, QUESTIONS)
    full = full_colour(questions)
    scale = [at_strength(k / _STEPS, full) for k in range(-_STEPS, _STEPS + 1)]
    store.write_text(
        path,
        render(
            "advantages/page",
            run=run,
            tables=tables,
            scale=[{"value": f"{a:+.2g}", **_colour(a, full)} for a in scale],
            questions=[_question(q, traces, full) for q in questions],
        ),
    )


def _question(question: Panel, traces: Sequence[Trace], full: float) -> dict[str, Any]:
    first = question.first
    return {
        "domain": first.item.domain,
        "stem": visible(first.item.stem),
        "answer": visible(first.item.answer),
        "where": f"seed {first.seed}, {first.tutee}, step {first.step + 1}, rollout {first.rollout + 1}",
        "student_reads": visible(first.student_reads),
        "arms": [_arm(t, label(traces, t.method), full) for t in question.traces],
    }


def _arm(trace: Trace, name: str, full: float) -> dict[str, Any]:
    share = trace.indices.get("share_from")
    return {
        "name": name,
        "group": trace.group,
        "share": None if share is None else f"{100 * share:.0f}",
        "size": f"{trace.indices['size']:.2f}",
        "teacher_reads": None if trace.teacher_reads is None else visible(trace.teacher_reads),
        "teacher": visible(trace.teacher),
        "tokens": [
            {"text": text, "value": f"{a:+.2f}", "error": k == trace.error, **_colour(a, full)}
            for k, (text, a) in enumerate(zip(shown_tokens(trace), trace.values, strict=True))
        ],
    }


def _colour(advantage: float, full: float) -> dict[str, str]:
    """Class of the sign, and strength from 0 to 1."""
    return {"sign": "n" if advantage < 0 else "p", "strength": f"{strength(advantage, full):.2f}"}
