"""The number or the words that a response gives as its answer, in whatever form people's models write it.

Read is what stands in an answer's tag or a ``\\boxed{}``, or behind "the answer is", "Answer:", ``####``; else a short
response of one line. Of several the last counts. Math-Verify 0.9 was tried for numbers: of 32 forms it reads three more
(roots, pi, 1 1/2) and misreads what science writes (2.5 x 10^3 is 1000 to it, 1e-5 is 1, -7 with a minus sign is
nothing); it brings 5 MB and a second of imports, and its time limits need the main thread's signals. So numbers are
read by ``coopt.domains.numbers``, and an expression that it does not know is no number.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from coopt.domains.announced import ABOUT, LEAD, LINK
from coopt.domains.lenient.said import LOOK, TAG, boxes, folded, said, unstyled
from coopt.domains.numbers import single_number

_LONGEST = 80  # characters of a response that is nothing but its answer
_LEADS = re.compile(
    rf"(?i:{LEAD}{ABOUT})(?i:{LINK})\s*|答案(?:应该|应当|应)?(?:是:?|为:?|:)\s*|^\s*####\s*",
    re.MULTILINE,
)
_SENTENCE = re.compile(r"\n|[!?。](?:\s|$)|(?<![A-Z])(?<!\b[A-Z][a-z])\.(?:\s|$)")
_BECAUSE = re.compile(r"[,;]?\s+(?:because|since)\s", re.IGNORECASE)
_DENIED = re.compile(r"\b(?:not|never|neither|cannot|unknown|unclear)\b|n['’]t\b", re.IGNORECASE)


def number_of(response: str) -> float | None:
    """The number that is given as the answer; None if there is none, or several at once."""
    return single_number(unstyled(_given(response)))


def text_of(response: str) -> str | None:
    """The words that are given as the answer, ``folded``; None if there are none."""
    return folded(unstyled(_given(response)).replace("$", " ")) or None


def _given(response: str) -> str:
    """What the last statement of an answer says; without any, a response that is nothing else; else nothing."""
    text = said(response).strip()
    found = [*_tags(text), *_boxed(text), *_announced(text)]
    if found:
        return max(found, key=lambda f: f[0])[1]
    return "" if "\n" in text or len(text) > _LONGEST or _DENIED.search(text) else text


def _tags(text: str) -> Iterator[tuple[int, str]]:
    for tag in TAG.finditer(text):
        inner = next((content for _, _, content in boxes(tag[1])), tag[1])
        if inner.strip():
            yield tag.end(), inner.strip()


def _boxed(text: str) -> Iterator[tuple[int, str]]:
    yield from ((end, content.strip()) for _, end, content in boxes(text) if content.strip())


def _announced(text: str) -> Iterator[tuple[int, str]]:
    for lead in _LEADS.finditer(text):
        sentence = _SENTENCE.split(text[lead.end() : lead.end() + LOOK], maxsplit=1)[0].strip(" *_:")
        if sentence and not _DENIED.match(sentence) and not TAG.search(sentence) and not any(boxes(sentence)):
            yield lead.end(), _BECAUSE.split(sentence, maxsplit=1)[0]
