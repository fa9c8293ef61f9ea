"""Feedback anchoring: keep a tutor's text only if its concept is in the question (paper 3.3, C.2).

The rules, which the paper leaves to its code: words are compared whole, case folded; one counts that has a letter and
is not ``GENERIC``; one of them in the question (with its options, if letters are asked for) is enough. A message of
which nothing is left once what gives the answer away is taken out counts as empty.
"""

from __future__ import annotations

import re
import unicodedata

from coopt.domains.base import AnswerKind, Item
from coopt.domains.thinking import without_thinking
from coopt.graph.topology import REWRITES, Style
from coopt.methods.rollouts import Feedback, Outcome
from coopt.methods.tutors.revealing import leaks
from coopt.methods.tutors.sanitise import sanitise

_TAG = re.compile(r"<(/?)concept>", re.IGNORECASE)
_DASHES = dict.fromkeys(map(ord, "‐‑‒–—−"), "-")
_WORD = re.compile(r"[^\W_]+(?:['-][^\W_]+)*")
# Words that ground nothing: they are in almost every question.
GENERIC = frozenset(
    """a b c d an and are as at be been but by can could do does each either for from had has have how i if in into
    is it its may might more most must no nor not of on one only or other out over per shall should so some
    such than that the their them then there these they this those to under up us was we were what when where
    which while who why will with would yes you your
    all analysis answer answers attempt based calculate choice choices choose concept correct data determine
    equation explain fact figure find following formula give given idea information key law letter main method
    number option options please principle problem process property question reason reasoning result science
    select solution statement step technical term theory thing topic true use used using value values""".split()
)


def words(text: str) -> set[str]:
    """The words of a text, case folded; characters that look alike to a reader (subscripts, dashes) are one."""
    return set(_WORD.findall(unicodedata.normalize("NFKC", text).translate(_DASHES).casefold()))


def filter_feedback(raw: str, item: Item, kind: AnswerKind, style: Style = "anchored") -> Feedback:
    """Sanitise a tutor's message, check its anchor, strip the tag. What the tutor thought is no part of it.

    A rewritten or reference solution is meant to hold the answer: it is handed on as it is, unless it is empty.
    """
    raw = without_thinking(raw, unended=True)
    stem, correct = item.stem, item.correct_text
    last = max("D", *(label for label, _ in item.options)) if item.options else "D"
    options = [text for _, text in item.options]
    if style in REWRITES:
        if not words(raw):
            return Feedback("empty", None, False, False)
        reveals = leaks(raw, kind, correct, stem, last, options)
        return Feedback("kept", raw.strip(), reveals, reveals)
    body, concept = _without_concepts(raw)
    revealed = leaks(body, kind, correct, stem, last, options)
    clean = sanitise(body, kind, correct, stem, last)
    shown = options if kind == "letter" else []
    outcome = _outcome(raw, concept, clean, " ".join([stem, *shown]), style)
    if outcome != "kept":
        return Feedback(outcome, None, revealed, False)
    return Feedback("kept", clean, revealed, leaks(clean, kind, correct, stem, last, options))


def _without_concepts(raw: str) -> tuple[str, str | None]:
    """The message with a blank in place of each concept and each stray tag, and the first concept. One pass."""
    body, at, opened = [], 0, None
    concept: str | None = None
    tags = list(_TAG.finditer(raw))
    last_closing = max((tag.start() for tag in tags if tag[1]), default=-1)
    for tag in tags:
        if opened is None:
            body.append(raw[at : tag.start()])
            at = tag.end()
            opened = tag.end() if not tag[1] and tag.start() < last_closing else None
        elif tag[1]:  # what is inside, other opening tags among it, goes with the block
            concept = raw[opened : tag.start()] if concept is None else concept
            at, opened = tag.end(), None
    return " ".join([*body, raw[at:]]), concept


def _outcome(raw: str, concept: str | None, clean: str, problem: str, style: Style) -> Outcome:
    if style == "naive":
        return "kept" if words(clean) else "empty"
    if concept is None:
        return "no_concept_tag" if raw.strip() else "empty"
    named = words(concept)
    if not named or not words(clean):
        return "empty"
    specific = {w for w in named - GENERIC if any(map(str.isalpha, w))}  # a number grounds nothing
    if not specific:
        return "all_generic"
    return "kept" if specific & words(problem) else "no_match"
