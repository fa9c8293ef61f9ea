"""The self-teacher's context as text: c = (s, f) (paper 3.1; structure and order as in SDPO), or a reference."""

from __future__ import annotations

from coopt.core.names import Order
from coopt.domains.wording import Wording, fill


def reprompt(
    wording: Wording,
    question: str,
    demonstration: str | None,
    feedback: str | None,
    reference: str | None = None,
    order: Order = "s_f",
) -> str:
    """The user message of the self-teacher: question, reference solution, demonstration s, feedback f, closing
    instruction; with ``order`` f_s feedback and then demonstration.

    With none of them it is the plain question: such a rollout has no target and is not trained on.
    """
    if demonstration is None and feedback is None and reference is None:
        return question
    blocks = [
        "" if demonstration is None else fill(wording.demonstration, demonstration=demonstration),
        "" if feedback is None else fill(wording.feedback, feedback=feedback),
    ]
    if order == "f_s":
        blocks.reverse()
    before = "" if reference is None else fill(wording.reference, reference=reference)
    return question + before + "".join(blocks) + wording.closing
