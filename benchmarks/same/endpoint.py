"""A critic behind an endpoint, without a model: it answers a fixed function of what it is asked.

This is no mock of a model, and says nothing about how good a critic's feedback is. What ``make same`` compares is the
way of a request and of its answer through two versions of the code: the protocol, the order of requests, what is kept
of the answers, and what is learnt from them. For that an answer has to be the same whenever the question is, on
any machine and at any speed, which a function is and a server of models is not.

Benches name the address ``http://critic.invalid/v1`` and get here as through a proxy (``HTTP_PROXY``), so that the
graph's file, and with it the run's name, is the same whatever port is free.
"""

from __future__ import annotations

import hashlib
import json
import re
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

URL = "http://critic.invalid/v1"


def answer(prompt: str) -> str:
    """Feedback on a prompt: a tagged concept and a few of the prompt's own words; both depend on all of the prompt.

    Sometimes the concept is not of the question, and sometimes there is none, so that the filter has something to do.
    """
    words = re.findall(r"\w+", prompt) or ["nothing"]
    number = int.from_bytes(hashlib.sha256(prompt.encode()).digest()[:8], "big")
    if number % 7 == 0:
        return " ".join(words[:3])
    concept = "elsewhere" if number % 5 == 0 else words[len(words) // 2]
    said = [words[(number >> shift) % len(words)] for shift in range(0, 30, 5)]
    return f"<concept>{concept}</concept> {' '.join(said)}"


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_POST(self) -> None:
        asked = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        message = {"role": "assistant", "content": answer(asked["messages"][-1]["content"])}
        body = json.dumps(
            {
                "id": "same",
                "object": "chat.completion",
                "created": 0,
                "model": asked["model"],
                "choices": [{"index": 0, "finish_reason": "stop", "message": message}],
            }
        ).encode()
        self.send_response(200)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *arguments: object) -> None:
        """Nothing: who runs a bench wants its lines alone."""


@contextmanager
def serving() -> Iterator[str]:
    """The server's own address, as a proxy is named, while the block runs."""
    server = ThreadingHTTPServer(("127.0.0.1", 0), _Handler)
    server.daemon_threads = True
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield f"http://127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        server.server_close()
