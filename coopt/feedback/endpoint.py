"""A critic behind an OpenAI-compatible endpoint (vLLM, transformers serve, a provider)."""

from __future__ import annotations

import os
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING

from coopt.config.schema import CriticConfig
from coopt.domains.wording import Wording
from coopt.errors import ConfigError
from coopt.feedback.tutors import TutorAwayError

if TYPE_CHECKING:
    from openai import OpenAI


class EndpointSpeaker:
    """Greedy chat completions. The client retries with exponential back-off (time-outs, refused connections, 408,
    409, 429, 5xx); what is left after that is ``TutorAwayError``."""

    def __init__(self, name: str, url: str, model: str, config: CriticConfig) -> None:
        self.name = name
        self.url = url
        self.model = model
        self.config = config
        self._client: OpenAI | None = None

    def say(self, messages: Sequence[tuple[Wording, str]], max_tokens: int) -> list[str | None]:
        with ThreadPoolExecutor(self.config.concurrency) as pool:
            # list() raises the first failure; requests that are not sent yet are then not sent.
            answers = pool.map(lambda user: self._one(user, max_tokens), [user for _, user in messages])
            try:
                return list(answers)
            except TutorAwayError:
                pool.shutdown(wait=False, cancel_futures=True)
                raise

    def _one(self, user: str, max_tokens: int) -> str | None:
        import openai

        try:
            answer = self.client.chat.completions.create(
                model=self.model,
                messages=[{"role": "user", "content": user}],
                max_tokens=max_tokens,
                temperature=0,
            )
        except openai.BadRequestError as error:
            if "context" in str(error).lower() or "too long" in str(error).lower():
                return None
            raise TutorAwayError(self._says(error)) from None
        except openai.APIStatusError as error:
            raise TutorAwayError(self._says(error)) from None
        except openai.APIConnectionError as error:  # time-outs too
            raise TutorAwayError(self._says(error)) from None
        return (answer.choices[0].message.content or "") if answer.choices else ""

    def _says(self, error: Exception) -> str:
        reason = " ".join(str(error).split())[:200]
        return (
            f"critic '{self.name}' at {self.url} does not answer ({reason}). Start the server, check the address and"
            f" {self.config.key_variable}, then run the same command again; or set"
            " critics.when_unavailable=go_on."
        )

    @property
    def client(self) -> OpenAI:
        if self._client is None:
            try:
                from openai import OpenAI
            except ModuleNotFoundError:
                raise ConfigError(
                    f"critic '{self.name}' is an endpoint, which needs the extra: pip install 'coopt[endpoint]'."
                ) from None
            # Local servers take any key, but the client wants one.
            key = os.environ.get(self.config.key_variable) or "none"
            self._client = OpenAI(
                base_url=self.url, api_key=key, timeout=self.config.timeout, max_retries=self.config.retries
            )
        return self._client
