"""From a response to an answer (extraction as in SDPO's multiple-choice scorer)."""

from __future__ import annotations

from coopt.domains.base import AnswerKind

OPEN, CLOSE = "<answer>", "</answer>"


def extract(response: str) -> str:
    """The text after the last ``<answer>``, cut at the next ``</answer>``, stripped.

    Without ``<answer>`` the whole response is the candidate. Nothing is guessed.
    """
    tail = response.rpartition(OPEN)[2]
    return tail.partition(CLOSE)[0].strip()


def is_correct(response: str, answer: str, kind: AnswerKind) -> bool:
    """Exact equality with the answer; a text answer is compared with its white space folded."""
    given = extract(response)
    return given == answer if kind == "letter" else given.split() == answer.split()
