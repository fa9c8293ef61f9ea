"""The self-teacher's context c = (s, f) as text (paper 3.1; structure and order as in SDPO)."""

from __future__ import annotations

from coopt.domains.wording import Wording, fill


def reprompt(wording: Wording, question: str, demonstration: str | None, feedback: str | None) -> str:
    """The user message of the self-teacher: question, demonstration s, feedback f, closing instruction.

    With neither s nor f it is the plain question: such a rollout has no target and is not trained on.
    """
    if demonstration is None and feedback is None:
        return question
    text = question
    if demonstration is not None:
        text += fill(wording.demonstration, demonstration=demonstration)
    if feedback is not None:
        text += fill(wording.feedback, feedback=feedback)
    return text + wording.closing
