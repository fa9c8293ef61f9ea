"""A tutor's model in this process."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

from coopt.core.rng import generator
from coopt.lm.engines.base import Draws, Engine, Sampling
from coopt.methods.tutors.base import Message

if TYPE_CHECKING:
    from coopt.lm.policy import Policy


class LocalSpeaker:
    """Answers by an engine. ``load`` gives the policy whenever it is needed, so that whoever owns the memory decides
    how many are held. ``temperature``: of messages that ask for a draw."""

    def __init__(self, load: Callable[[], Policy], engine: Engine, temperature: float = 0.0) -> None:
        self.load = load
        self.engine = engine
        self.temperature = temperature

    def say(self, messages: Sequence[Message], max_tokens: int) -> list[str | None]:
        policy = self.load()
        prompts = [policy.prompt_ids(m.wording, m.text, system=False) for m in messages]
        room = policy.context_length - max_tokens
        fitting = [k for k, prompt in enumerate(prompts) if len(prompt) <= room]
        self.engine.sync(policy)
        seeds = [m.draw for m in messages]
        how = Sampling(temperature=self.temperature if any(seeds) else 0, max_tokens=max_tokens)
        answers = self.engine.generate([prompts[k] for k in fitting], 1, how, Draws(generator("feedback", *seeds)))
        texts = {k: a[0].text for k, a in zip(fitting, answers, strict=True)}
        return [texts.get(k) for k in range(len(prompts))]
