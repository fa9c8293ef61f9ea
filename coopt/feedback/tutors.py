"""Who writes feedback: peers, and the oracle control."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, NamedTuple, Protocol

import numpy as np

from coopt.domains.base import Domain, Item, KnowsFacts
from coopt.domains.wording import fill
from coopt.engine.base import Engine, Sampling
from coopt.errors import ConfigError
from coopt.feedback.anchor import Style

if TYPE_CHECKING:
    from coopt.models.policy import Policy


class Request(NamedTuple):
    """A response of a tutee to be critiqued. Equal requests get one critique: tutors are greedy."""

    item: Item
    response: str


class Tutor(Protocol):
    """Writes a raw message for each request; None where the request is too long to be read."""

    def critique(self, requests: Sequence[Request]) -> list[str | None]: ...


class PeerTutor:
    """A frozen language model as tutor: greedy critique of each distinct request.

    ``load`` gives the policy whenever it is needed, so that whoever owns the memory decides how many are held.
    """

    def __init__(
        self, load: Callable[[], Policy], engine: Engine, domains: Mapping[str, Domain], style: Style, max_tokens: int
    ) -> None:
        self.load = load
        self.engine = engine
        self.domains = domains
        self.style = style
        self.max_tokens = max_tokens

    def critique(self, requests: Sequence[Request]) -> list[str | None]:
        distinct = list(dict.fromkeys(requests))
        policy = self.load()
        prompts = {r: self._prompt(policy, r) for r in distinct}
        room = policy.context_length - self.max_tokens
        fitting = [r for r in distinct if len(prompts[r]) <= room]
        self.engine.sync(policy)
        greedy = Sampling(temperature=0, max_tokens=self.max_tokens)
        answers = self.engine.generate([prompts[r] for r in fitting], 1, greedy, np.random.default_rng(0))
        texts = {r: a[0].text for r, a in zip(fitting, answers, strict=True)}
        return [texts.get(r) for r in requests]

    def _prompt(self, policy: Policy, request: Request) -> list[int]:
        wording = self.domains[request.item.domain].wording
        template = wording.anchored if self.style == "anchored" else wording.naive
        user = fill(template, question=request.item.prompt, response=request.response)
        return policy.prompt_ids(wording, user, system=False)


class OracleTutor:
    """The ``oracle`` control: true facts in the tutors' own format, from a domain that knows them."""

    def __init__(self, domains: Mapping[str, Domain], style: Style) -> None:
        for domain in domains.values():
            if not isinstance(domain, KnowsFacts):
                raise ConfigError(
                    f"method oracle needs domains that know their facts; '{domain.name}' from these rows does not."
                    " Use it with scimini (no --data)."
                )
        self.domains = domains
        self.style = style

    def critique(self, requests: Sequence[Request]) -> list[str | None]:
        texts: list[str | None] = []
        for item, response in requests:
            domain = self.domains[item.domain]
            assert isinstance(domain, KnowsFacts)
            texts.append(domain.true_critique(item, response, self.style == "anchored"))
        return texts
