"""A tutor outside this machine, asked by one of several ranks: it is paid once, and all ranks read the same answer."""

from __future__ import annotations

from collections.abc import Sequence

from coopt.lm import ranks
from coopt.methods.tutors.base import Message, Speaker


class FirstRankSpeaker:
    """Rank 0 asks; every rank gets its answers, or the error with which the tutor stayed away."""

    def __init__(self, speaker: Speaker) -> None:
        self.speaker = speaker

    def say(self, messages: Sequence[Message], max_tokens: int) -> list[str | None]:
        return ranks.from_first(lambda: self.speaker.say(messages, max_tokens))
