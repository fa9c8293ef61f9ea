"""A tutor's model in this process."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

import numpy as np

from coopt.domains.wording import Wording
from coopt.lm.engines.base import Draws, Engine, Sampling

if TYPE_CHECKING:
    from coopt.lm.policy import Policy


class LocalSpeaker:
    """Greedy answers by an engine. ``load`` gives the policy whenever it is needed, so that whoever owns the memory
    decides how many are held."""

    def __init__(self, load: Callable[[], Policy], engine: Engine) -> None:
        self.load = load
        self.engine = engine

    def say(self, messages: Sequence[tuple[Wording, str]], max_tokens: int) -> list[str | None]:
        policy = self.load()
        prompts = [policy.prompt_ids(wording, user, system=False) for wording, user in messages]
        room = policy.context_length - max_tokens
        fitting = [k for k, prompt in enumerate(prompts) if len(prompt) <= room]
        self.engine.sync(policy)
        greedy = Sampling(temperature=0, max_tokens=max_tokens)
        answers = self.engine.generate([prompts[k] for k in fitting], 1, greedy, Draws(np.random.default_rng(0)))
        texts = {k: a[0].text for k, a in zip(fitting, answers, strict=True)}
        return [texts.get(k) for k in range(len(prompts))]
