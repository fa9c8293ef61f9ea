"""The self-teacher's context as text: c = (s, f) (paper 3.1; structure and order as in SDPO), or a reference."""

from __future__ import annotations

from coopt.domains.wording import Wording, fill


def reprompt(
    wording: Wording, question: str, demonstration: str | None, feedback: str | None, reference: str | None = None
) -> str:
    """The user message of the self-teacher: question, reference solution, demonstration s, feedback f, closing
    instruction.

    With none of them it is the plain question: such a rollout has no target and is not trained on.
    """
    if demonstration is None and feedback is None and reference is None:
        return question
    text = question
    if reference is not None:
        text += fill(wording.reference, reference=reference)
    if demonstration is not None:
        text += fill(wording.demonstration, demonstration=demonstration)
    if feedback is not None:
        text += fill(wording.feedback, feedback=feedback)
    return text + wording.closing
