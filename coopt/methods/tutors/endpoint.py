"""A critic behind an OpenAI-compatible endpoint (vLLM, transformers serve, a provider)."""

from __future__ import annotations

import base64
import importlib.util
import os
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any

from coopt.core.config.schema import CriticConfig
from coopt.core.errors import ConfigError
from coopt.core.secrets import credentials, query_of, secrets_of, shown_url
from coopt.methods.tutors.base import Message, TutorAwayError
from coopt.methods.tutors.proxies import proxy_of
from coopt.methods.tutors.refusals import refusal_of

if TYPE_CHECKING:
    from openai import OpenAI

_LIMITS = ("max_tokens", "max_completion_tokens")
"""What servers call the longest answer: the first that is not refused is sent."""
_OPTIONAL = (*_LIMITS, "temperature", "seed")
_PATIENCE = 16
"""Prompts refused one after another, and none answered, before that is the server's fault."""
_CHARACTERS = 32
"""Of an answer, for each token that was asked for: a server need not keep to the limit that it is given."""


class EndpointSpeaker:
    """Chat completions, drawn at ``temperature`` where a message asks for a draw.

    The client retries with exponential back-off (time-outs, refused connections, 408, 409, 429, 5xx); what is left
    after that is ``TutorAwayError``. A prompt that the server refuses has no answer (None). A parameter that it refuses
    is left out from then on. Of what comes back every secret is masked here.
    """

    def __init__(self, name: str, url: str, model: str, config: CriticConfig, temperature: float = 0.0) -> None:
        self.name = name
        self.url = url
        self.model = model
        self.config = config
        self.temperature = temperature
        # Local servers take any key, but the client wants one.
        self._key = os.environ.get(config.key_variable) or "none"
        self._proxy = proxy_of(shown_url(url))
        self._secrets = secrets_of(url, self._key, self._proxy or "")
        self._client: OpenAI | None = None
        self._left_out: set[str] = set()
        self._answered = self._refused = 0

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

        for _ in range(len(_OPTIONAL) + 1):
            sent = self._parameters(message, max_tokens)
            try:
                return self._answer(message, sent, max_tokens)
            except openai.APIStatusError as error:
                refusal = refusal_of(error, _OPTIONAL)
                if refusal.about == "parameter" and refusal.parameter in sent:
                    self._left_out.add(refusal.parameter)
                    continue
                if refusal.about == "server":
                    raise self._away(error) from None
                self._refused += 1
                if self._refused >= _PATIENCE and not self._answered:
                    raise self._away(f"it refused each of {self._refused} prompts: {error}") from None
                return None
            except openai.OpenAIError as error:  # refused connections, time-outs, answers of another form
                cause = f" {error.__cause__}" if error.__cause__ else ""
                raise self._away(f"{error}{cause}") from None
            except (AttributeError, IndexError, TypeError, ValueError):  # 200, but no completion
                raise self._away("no chat completion in the answer") from None
        raise self._away("it refuses the parameters of every request")

    def _parameters(self, message: Message, max_tokens: int) -> dict[str, Any]:
        """What a request says beside its prompt, without what this server has refused."""
        limit = next((name for name in _LIMITS if name not in self._left_out), None)
        wanted: dict[str, Any] = {limit: max_tokens} if limit else {}
        wanted["temperature"] = self.temperature if message.draw else 0
        if message.draw:
            wanted["seed"] = message.draw % 2**31
        return {name: value for name, value in wanted.items() if name not in self._left_out}

    def _answer(self, message: Message, sent: dict[str, Any], max_tokens: int) -> str | None:
        assert self._client is not None
        asked: list[Any] = [{"role": "user", "content": message.text}]
        answer = self._client.chat.completions.create(model=self.model, messages=asked, **sent)
        choice = answer.choices[0]
        content = choice.message.content
        if content is not None and not isinstance(content, str):
            raise self._away("the answer's content is not text")
        self._answered += 1
        if not content and choice.finish_reason == "content_filter":
            return None
        # A lone surrogate is no text that a tokenizer takes.
        text = (content or "").encode("utf-8", errors="replace").decode("utf-8")
        return self._secrets.mask(text, prose=True)[: _CHARACTERS * max_tokens]

    def _away(self, reason: object) -> TutorAwayError:
        shown = " ".join(self._secrets.mask(str(reason)).split())[:200]
        return TutorAwayError(
            f"critic '{self.name}' at {shown_url(self.url)} does not answer ({shown}). Start the server, check the"
            f" address, the model's name and {self.config.key_variable}, then run the same command again to resume."
        )

    def _connect(self) -> OpenAI:
        import httpx2
        from openai import DefaultHttpxClient, OpenAI

        from coopt.methods.tutors.transport import MOST_REDIRECTS, BoundedTransport

        address, seconds = shown_url(self.url), self.config.timeout
        try:
            transport = BoundedTransport(address, seconds, self._proxy)
        except (ImportError, OSError, ValueError, httpx2.InvalidURL) as error:  # which may quote a password
            raise ConfigError(
                f"critic '{self.name}' at {address} cannot be asked ({type(error).__name__}). Look at its address,"
                " HTTP_PROXY, HTTPS_PROXY, ALL_PROXY (http://HOST:PORT; socks5:// needs pip install socksio) and"
                " SSL_CERT_FILE."
            ) from None
        user, password = credentials(self.url)
        basic = base64.b64encode(f"{user}:{password}".encode()).decode()
        return OpenAI(
            base_url=address,
            api_key=self._key,
            timeout=seconds,
            max_retries=self.config.retries,
            default_query=dict(query_of(self.url)),
            default_headers={"Authorization": f"Basic {basic}"} if user or password else None,
            http_client=DefaultHttpxClient(transport=transport, max_redirects=MOST_REDIRECTS, timeout=seconds),
        )


def check_client(critic: str) -> None:
    """Refuse an endpoint where the client library is missing. Raises ``ConfigError``."""
    if importlib.util.find_spec("openai") is None or importlib.util.find_spec("httpx2") is None:
        raise ConfigError(f"critic '{critic}' is an endpoint, which needs the extra: pip install 'coopt[endpoint]'.")
