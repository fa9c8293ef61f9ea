"""From a response to an answer (extraction as in SDPO's multiple-choice scorer)."""

from __future__ import annotations

from coopt.domains.base import AnswerKind, Item
from coopt.domains.numbers import are_equal, last_number, only_number

OPEN, CLOSE = "<answer>", "</answer>"


def extract(response: str) -> str:
    """The text after the last ``<answer>``, cut at the next ``</answer>``, stripped.

    Without ``<answer>`` the whole response is the candidate. Nothing is guessed.
    """
    tail = response.rpartition(OPEN)[2]
    return tail.partition(CLOSE)[0].strip()


def number_of(response: str) -> float | None:
    """The last number in the answer's tag; without the tag the response must be nothing but a number."""
    return last_number(extract(response)) if OPEN in response else only_number(extract(response))


def is_correct(response: str, answer: str, kind: AnswerKind, tolerance: float = 0.0) -> bool:
    """Exact equality with the answer; a text answer is compared with its white space folded, a number as a number."""
    if kind == "number":
        number, right = number_of(response), last_number(answer)
        return number is not None and right is not None and are_equal(number, right, tolerance)
    given = extract(response)
    return given == answer if kind == "letter" else given.split() == answer.split()


def is_answered(response: str, item: Item, kind: AnswerKind) -> bool:
    """Whether an answer can be read, right or wrong: an option's letter, a number, or any text in the answer's tag."""
    if kind == "letter":
        return extract(response) in dict(item.options)
    return number_of(response) is not None if kind == "number" else OPEN in response
