"""Worked solutions (paper D.1): a model explains every training question, given its correct option.

A solution is kept if it ends in the correct answer in the domain's own format. The file is what
``coopt.domains.rationales`` reads.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

from coopt.core import store
from coopt.domains.base import Domain, Item
from coopt.domains.rationales import solved_in
from coopt.domains.thinking import without_thinking
from coopt.domains.wording import fill
from coopt.methods.tutors.base import Message, Speaker

CHUNK = 64  # questions between two writes: what is lost if the model goes away

EXPLAIN = (
    "Write a worked solution of the question below. Its correct answer is {answer} ({text}). Reason step by step, in at"
    " most six sentences, between <reasoning> and </reasoning>, as somebody who does not know the answer yet; never say"
    " that it was given. Then write only the answer, {answer}, between <answer> and </answer>.\n\n{question}"
)


class RationaleCount(NamedTuple):
    """What came of a domain's questions."""

    domain: str
    questions: int
    before: int
    """Already in the file."""
    kept: int
    wrong: int
    """Did not end in the correct answer, or too long for the model."""


def write_rationales(
    domains: Mapping[str, Domain],
    speaker: Speaker,
    path: Path,
    *,
    questions: int,
    max_tokens: int,
    on_chunk: Callable[[int], None] = lambda asked: None,
) -> list[RationaleCount]:
    """Append ``{"domain", "item", "question", "rationale"}`` lines to ``path``, for at most ``questions`` training
    questions of each domain. Questions whose id the file has are not asked again, so a broken run goes on.

    Raises ``TutorAwayError`` if the speaker stays away, ``DataError`` if there is a file that cannot be continued.
    """
    there = solved_in(path)
    counts = []
    for name, domain in domains.items():
        items = list(domain.items("train"))[:questions]
        open_ = [i for i in items if i.id not in there]
        kept = 0
        for chunk in _chunks(open_):
            asked = [Message(domain.wording, _request(i)) for i in chunk]
            said = zip(chunk, speaker.say(asked, max_tokens), strict=True)
            texts = [(i, without_thinking(raw, unended=True)) for i, raw in said if raw is not None]
            rows = [
                {"domain": name, "item": i.id, "question": i.stem, "rationale": text.strip()}
                for i, text in texts
                if domain.score(text, i)
            ]
            store.append_lines(path, rows)
            kept += len(rows)
            on_chunk(len(chunk))
        counts.append(RationaleCount(name, len(items), len(items) - len(open_), kept, len(open_) - kept))
    return counts


def _request(item: Item) -> str:
    return fill(EXPLAIN, answer=item.answer, text=item.correct_text, question=item.prompt)


def _chunks(items: Sequence[Item]) -> Iterable[Sequence[Item]]:
    return (items[k : k + CHUNK] for k in range(0, len(items), CHUNK))
