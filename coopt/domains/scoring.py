"""From a response to an answer: the one place in which answers are read.

``sdpo``: as SDPO's multiple-choice scorer. What stands behind the last ``<answer>``, up to a ``</answer>``; without the
tag the whole response. ``strict``: the last ``<answer>`` tag, if it is closed and holds an option's letter, one number,
or some text, and nothing else. ``lenient``: also what people's models write (``coopt.domains.lenient``).
"""

from __future__ import annotations

from coopt.core.config.schema import Extraction
from coopt.domains.base import AnswerKind, Item, Reading
from coopt.domains.lenient.free import number_of as lenient_number
from coopt.domains.lenient.free import text_of as lenient_text
from coopt.domains.lenient.letters import letter_of
from coopt.domains.lenient.said import folded
from coopt.domains.numbers import are_equal, last_number, only_number

OPEN, CLOSE = "<answer>", "</answer>"


def read(response: str, item: Item, kind: AnswerKind, extraction: Extraction = "sdpo") -> Reading:
    """Read a response to a question whose answer is of ``kind``."""
    if extraction == "sdpo":
        return _as_sdpo(response, item, kind)
    found = _strict(response, item, kind) if extraction == "strict" else _lenient(response, item, kind)
    if found is None:
        return Reading(f"unread: {extract(response)}", "", False, False)
    correct = found == item.answer if kind == "letter" else _is_right(found, item, kind, extraction)
    return Reading(found, folded(found), True, correct)


def is_read_otherwise(response: str, item: Item, kind: AnswerKind, reading: Reading, extraction: Extraction) -> bool:
    """Whether the other way reads another answer out of a response than ``reading``: that is ``lenient``, and of
    ``lenient`` it is ``sdpo``."""
    other = read(response, item, kind, "sdpo" if extraction == "lenient" else "lenient")
    different = reading.value != other.value and (reading.read or other.read)
    return different or reading.correct != other.correct


def extract(response: str) -> str:
    """The text after the last ``<answer>``, cut at the next ``</answer>``, stripped.

    Without ``<answer>`` the whole response is the candidate. Nothing is guessed.
    """
    tail = response.rpartition(OPEN)[2]
    return tail.partition(CLOSE)[0].strip()


def is_correct(response: str, answer: str, kind: AnswerKind, tolerance: float = 0.0) -> bool:
    """As ``sdpo`` reads it: exact equality with the answer; a text answer is compared with its white space folded, a
    number as a number."""
    if kind == "number":
        number, right = _sdpo_number(response), last_number(answer)
        return number is not None and right is not None and are_equal(number, right, tolerance)
    given = extract(response)
    return given == answer if kind == "letter" else given.split() == answer.split()


def _as_sdpo(response: str, item: Item, kind: AnswerKind) -> Reading:
    given, correct = extract(response), is_correct(response, item.answer, kind, item.tolerance)
    if kind == "letter":
        read = given in dict(item.options)
        return Reading(given, folded(given) if read else "", read, correct)
    if kind == "number":
        number = _sdpo_number(response)
        return Reading(given, "" if number is None else _written(number), number is not None, correct)
    return Reading(given, folded(given), OPEN in response, correct)


def _sdpo_number(response: str) -> float | None:
    """The last number in the answer's tag; without the tag the response must be nothing but a number."""
    return last_number(extract(response)) if OPEN in response else only_number(extract(response))


def _strict(response: str, item: Item, kind: AnswerKind) -> str | None:
    _, opened, tail = response.rpartition(OPEN)
    content, closed, _ = tail.partition(CLOSE)
    if not opened or not closed:
        return None
    given = " ".join(content.split())
    if kind == "number":
        number = only_number(given)
        return None if number is None else _written(number)
    return given if (given in dict(item.options) if kind == "letter" else given) else None


def _lenient(response: str, item: Item, kind: AnswerKind) -> str | None:
    if kind == "letter":
        return letter_of(response, item.options)
    if kind == "text":
        return lenient_text(response)
    number = lenient_number(response)
    return None if number is None else _written(number)


def _is_right(found: str, item: Item, kind: AnswerKind, extraction: Extraction) -> bool:
    if kind == "number":
        right = last_number(item.answer)
        return right is not None and are_equal(float(found), right, item.tolerance)
    return found.split() == item.answer.split() if extraction == "strict" else found == folded(item.answer)


def _written(number: float) -> str:
    return repr(number).removesuffix(".0")
