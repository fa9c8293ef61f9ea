"""Records of training steps and what was written in them."""

from __future__ import annotations

from typing import Annotated, Any, NotRequired

from pydantic import AfterValidator, Field, TypeAdapter

from coopt.core.outside.shapes import Count, Number, Open


class Seconds(Open):
    rollout: Number
    feedback: Number
    teacher: Number
    student: Number
    total: Annotated[Number, Field(ge=0)]


class Tokens(Open):
    rollout: Count
    feedback: Count
    trained: Count


class ToldTo(Open):
    unread: Count
    revealed: NotRequired[Count]
    leaked: NotRequired[Count]
    voted_down: NotRequired[Count]


class Judged(Open):
    readable: Count
    scores: Number
    above: Count


class Voted(Open):
    written: NotRequired[Count]
    accepted: NotRequired[Count]
    scored: NotRequired[Count]
    scores: NotRequired[Number]
    judges: dict[str, Judged]


class Committee(Open):
    mistakes: Count
    training_items: Count
    rationales: dict[str, Voted]


class Stepped(Open):
    """A record of ``coopt.methods.records.step_record``."""

    step: Count
    loss: Number
    grad_norm: Number
    lr: Number
    rollouts: Count
    correct: Number
    unparsed: NotRequired[Count]
    unfinished: NotRequired[Count]
    prompts: Count
    prompts_without_correct: Count
    active_rows: Count
    distinct_rows: Count
    feedback_on: bool
    outcomes: dict[str, dict[str, Count]]
    told: dict[str, ToldTo]
    tokens: Tokens
    seconds: Seconds
    memory_gib: Number
    away: NotRequired[dict[str, str]]
    committee: NotRequired[Committee]


def _told(found: Any) -> Any:
    if set(found["outcomes"]) != set(found["told"]):
        raise ValueError("expected outcomes and told of the same tutors")
    return found


class AnswerOf(Open):
    text: str
    reward: Number


class Message(Open):
    tutor: str
    raw: str
    outcome: str | None
    kept: NotRequired[str | None]
    voted_down: NotRequired[bool]
    f: NotRequired[AnswerOf | None]
    sf: NotRequired[AnswerOf | None]


class RolledOut(Open):
    text: str
    reward: Number
    messages: NotRequired[list[Message]]
    again: NotRequired[AnswerOf | None]


class Prompted(Open):
    """The rollouts of a prompt in the probe."""

    item: str
    domain: str
    rollouts: list[RolledOut]


class PromptedInStep(Prompted):
    """The same of a training step."""

    step: Count


class Recorded(Open):
    """A record of ``coopt.methods.advantages``."""

    step: Count
    item: str
    rollout: Count
    reward: Number
    source: str
    teacher: str
    student_reads: str
    teacher_reads: str | None
    tokens: Annotated[list[str], Field(min_length=1)]
    advantages: list[Number]


def _of_each(found: Any) -> Any:
    if len(found["tokens"]) != len(found["advantages"]):
        raise ValueError("expected an advantage for each token")
    return found


STEPS = TypeAdapter(Annotated[Stepped, AfterValidator(_told)])
ROLLOUTS = TypeAdapter(PromptedInStep)
ADVANTAGES = TypeAdapter(Annotated[Recorded, AfterValidator(_of_each)])
PROBE_TEXTS = TypeAdapter(Prompted)
