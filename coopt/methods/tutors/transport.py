"""The way to a server that is not trusted: bounded in bytes, in nesting and in time, and to this server alone."""

from __future__ import annotations

import socket
import threading
from collections.abc import Mapping
from contextlib import suppress
from typing import Any

import httpx2

from coopt.core.outside.parse import MOST_NESTED, json_depth

MOST_BYTES = 1 << 22
"""Of one answer; some 100,000 tokens with everything around them are less."""
MOST_REDIRECTS = 3
_PASSED_ON = ("content-type", "location", "retry-after", "retry-after-ms", "x-should-retry")


class BoundedTransport(httpx2.BaseTransport):
    """Requests to the origin of ``url``. ``seconds``: for all of one request, from connecting to the last byte read.
    ``proxy``: the way to it.

    Answers come uncompressed, so that their bytes are all that they are. Raises ``httpx2.HTTPError``.
    """

    def __init__(self, url: str, seconds: float, proxy: str | None = None) -> None:
        self.origin = _origin(httpx2.URL(url))
        self.seconds = seconds
        # A connection serves one request: its deadline ends it.
        once = httpx2.Limits(max_keepalive_connections=0)
        self.inner = httpx2.HTTPTransport(limits=once, proxy=proxy)

    def handle_request(self, request: httpx2.Request) -> httpx2.Response:
        if _origin(request.url) != self.origin:
            raise httpx2.ConnectError("it redirects to another server, which is not followed", request=request)
        request.headers["Accept-Encoding"] = "identity"
        watch = _Watch(self.seconds)
        request.extensions = {**request.extensions, "trace": watch.see}
        try:
            response = self.inner.handle_request(request)
            try:
                body = _body(response)
            finally:
                response.close()
        except httpx2.HTTPError as error:
            if not watch.late:
                error.request = request
                raise
        finally:
            watch.stop()
        if watch.late:  # the end of a connection can look like the end of a body
            raise httpx2.ReadTimeout(f"no complete answer within {self.seconds:g} s", request=request)
        kept = {name: response.headers[name] for name in _PASSED_ON if name in response.headers}
        return httpx2.Response(response.status_code, headers=kept, content=body)

    def close(self) -> None:
        self.inner.close()


def _body(response: httpx2.Response) -> bytes:
    if response.headers.get("content-encoding", "identity").lower() not in ("", "identity"):
        raise httpx2.DecodingError("the answer is compressed, which was not requested")
    body = bytearray()
    assert isinstance(response.stream, httpx2.SyncByteStream)
    for part in response.stream:
        body += part
        if len(body) > MOST_BYTES:
            raise httpx2.DecodingError(f"an answer of more than {MOST_BYTES >> 20} MB")
    if json_depth(body.decode("utf-8", errors="replace")) > MOST_NESTED:
        raise httpx2.DecodingError(f"an answer nested deeper than {MOST_NESTED}")
    return bytes(body)


class _Watch:
    """Shuts a request's connection down when its time is up. Time-outs of single reads do not: a server that sends a
    byte a second keeps within them for ever."""

    def __init__(self, seconds: float) -> None:
        self.late = False
        self._socket: socket.socket | None = None
        self._timer = threading.Timer(seconds, self._end)
        self._timer.daemon = True
        self._timer.start()

    def see(self, event: str, info: Mapping[str, Any]) -> None:
        """The client's trace: what it does, with the connection when there is one."""
        if event.endswith((".connect_tcp.complete", ".start_tls.complete")):
            self._socket = info["return_value"].get_extra_info("socket")
            if self.late:
                self._shut()

    def stop(self) -> None:
        self._timer.cancel()

    def _end(self) -> None:
        self.late = True
        self._shut()

    def _shut(self) -> None:
        if self._socket is not None:
            with suppress(OSError):
                socket.socket.shutdown(self._socket, socket.SHUT_RDWR)  # also under TLS: the reader is woken


def _origin(url: httpx2.URL) -> tuple[str, str, int | None]:
    return url.scheme, url.host, url.port or {"http": 80, "https": 443}.get(url.scheme)
