"""Before anything is trained: can the students' answers be read at all?

A model that writes no answer in the format scores 0 everywhere and learns nothing, and hours later only a footnote
would say so. The first validation scores tell.
"""

from __future__ import annotations

from typing import Any

from coopt.core import store
from coopt.core.errors import RunError
from coopt.core.names import INIT
from coopt.domains.scoring import CLOSE, OPEN
from coopt.runs.run import Run

_SHOWN = 60  # characters of an answer in the message


def check_answers(run: Run, seed: int) -> None:
    """Refuse to train if no answer of any student could be read. Raises ``RunError`` with what to do."""
    found = [
        domain
        for student in run.topology.students
        for domain in store.read_json(run.scores_path(seed, INIT, "validation", 0, student))["domains"].values()
    ]
    answers = sum(len(row) for d in found for row in d["correct"])
    if not answers or sum(d["unparsed"] for d in found) < answers:
        return
    limit, cut = run.config.sampling.max_response_tokens, sum(d["unfinished"] for d in found)
    length = sum(d["tokens"] for d in found) / answers
    raise RunError(
        f"none of the students' {answers:,} answers to validation questions can be read: what counts stands between"
        f" {OPEN} and {CLOSE}. {cut / answers:.0%} were cut off at sampling.max_response_tokens = {limit} (mean length"
        f" {length:,.0f}). One of them: {_one_of(found)!r}. Nothing was trained. Raise that setting, or use an"
        " instruction-tuned model; --force trains all the same."
    )


def _one_of(found: list[dict[str, Any]]) -> str:
    texts = (text for domain in found for row in domain["answers"] for text in row)
    return next((text[:_SHOWN] for text in texts if text), "")
