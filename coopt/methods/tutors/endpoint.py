"""A critic behind an OpenAI-compatible endpoint (vLLM, transformers serve, a provider)."""

from __future__ import annotations

import importlib.util
import os
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING

from coopt.core.config.schema import CriticConfig
from coopt.core.errors import ConfigError
from coopt.methods.tutors.base import Message, TutorAwayError

if TYPE_CHECKING:
    from openai import OpenAI


class EndpointSpeaker:
    """Chat completions, drawn at ``temperature`` where a message asks for a draw. The client retries with exponential
    back-off (time-outs, refused connections, 408, 409, 429, 5xx); what is left after that is ``TutorAwayError``."""

    def __init__(self, name: str, url: str, model: str, config: CriticConfig, temperature: float = 0.0) -> None:
        self.name = name
        self.url = url
        self.model = model
        self.config = config
        self.temperature = temperature
        self._client: OpenAI | None = None

    def say(self, messages: Sequence[Message], max_tokens: int) -> list[str | None]:
        self._client = self._client or self._connect()  # once, before there are threads
        with ThreadPoolExecutor(self.config.concurrency) as pool:
            # list() raises the first failure; requests that are not sent yet are then not sent.
            answers = pool.map(lambda message: self._one(message, max_tokens), messages)
            try:
                return list(answers)
            except TutorAwayError:
                pool.shutdown(wait=False, cancel_futures=True)
                raise

    def _one(self, message: Message, max_tokens: int) -> str | None:
        import openai

        assert self._client is not None
        try:
            answer = self._client.chat.completions.create(
                model=self.model,
                messages=[{"role": "user", "content": message.text}],
                max_tokens=max_tokens,
                temperature=self.temperature if message.draw else 0,
                seed=message.draw % 2**31 if message.draw else openai.omit,
            )
            content = answer.choices[0].message.content
        except openai.BadRequestError as error:
            if error.code == "context_length_exceeded" or "context length" in str(error).lower():
                return None
            raise self._away(error) from None
        except openai.OpenAIError as error:  # statuses, refused connections, time-outs, answers of another form
            raise self._away(error) from None
        except (AttributeError, IndexError, TypeError, ValueError):  # 200, but no completion
            raise self._away("no chat completion in the answer") from None
        if content is not None and not isinstance(content, str):
            raise self._away("the answer's content is no text")
        # A lone surrogate is no text that a tokenizer takes.
        return (content or "").encode("utf-8", errors="replace").decode("utf-8")

    def _away(self, reason: object) -> TutorAwayError:
        shown = " ".join(str(reason).split())[:200]
        return TutorAwayError(
            f"critic '{self.name}' at {self.url} does not answer ({shown}). Start the server, check the address, the"
            f" model's name and {self.config.key_variable}, then run the same command again to resume."
        )

    def _connect(self) -> OpenAI:
        from openai import OpenAI

        # Local servers take any key, but the client wants one.
        key = os.environ.get(self.config.key_variable) or "none"
        return OpenAI(base_url=self.url, api_key=key, timeout=self.config.timeout, max_retries=self.config.retries)


def check_client(critic: str) -> None:
    """Refuse an endpoint where the client library is missing. Raises ``ConfigError``."""
    if importlib.util.find_spec("openai") is None:
        raise ConfigError(f"critic '{critic}' is an endpoint, which needs the extra: pip install 'coopt[endpoint]'.")
