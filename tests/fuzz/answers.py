"""What the servers of endpoints answer."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler
from pathlib import Path
from random import Random
from typing import Any

from coopt.core.config.schema import CriticConfig
from coopt.domains.wording import SCIENCE
from coopt.methods.tutors.base import Message
from coopt.methods.tutors.endpoint import EndpointSpeaker
from tests.fuzz.mutate import json_of, mutated, text_mutated
from tests.fuzz.rule import BrokenError, refused
from tests.servers import Asked, completion, send, serving


def endpoint(random: Random, folder: Path) -> bool:
    status = random.choice((200, 200, 200, 200, 400, 401, 403, 404, 422, 429, 500, 302, 204))
    error = {
        "error": {"message": "max_tokens is not supported", "code": "unsupported", "param": "max_tokens", "type": "t"}
    }
    body: bytes = json_of(mutated(completion("Look at it again.") if status == 200 else error, random)).encode(
        errors="replace"
    )
    if random.random() < 0.3:
        body = text_mutated(body.decode(), random)
    headers = random.choice(({}, {}, {"Content_Type": "text/html"}, {"Location": "/v1/other"}, {"Retry_After": "x"}))

    def answer(asked: Asked, handler: BaseHTTPRequestHandler) -> None:
        send(handler, status, body, **headers)

    def read() -> None:
        config = CriticConfig(timeout=5, retries=0, concurrency=1)
        with serving(answer) as server:
            speaker = EndpointSpeaker("far", f"http://127.0.0.1:{server.port}/v1", "m", config)
            (said,) = speaker.say([Message(SCIENCE, "?")], 8)
        if said is not None and status == 200 and said and said not in _contents(body):
            raise BrokenError(f"said {said!r}, by {body!r:.300}")

    return refused(read)


def _contents(body: bytes) -> str:
    """All texts that stand in the answer."""
    try:
        return "\n".join(_texts(json.loads(body)))
    except ValueError:
        return body.decode("utf-8", "replace")


def _texts(tree: Any) -> Iterator[str]:
    if isinstance(tree, str):
        yield tree.encode("utf-8", "replace").decode()
    for inner in tree.values() if isinstance(tree, dict) else tree if isinstance(tree, list) else ():
        yield from _texts(inner)


def targets() -> Iterator[tuple[str, int, Callable[[Random, Path], bool]]]:
    """Name, weight, and what does one case."""
    yield "endpoint", 2, endpoint
