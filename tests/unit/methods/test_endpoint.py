"""A server that is not trusted: what it may cost, what it may leave behind, and what its refusals mean."""

from __future__ import annotations

import gzip
import time
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler

import pytest

from coopt.core.config.schema import CriticConfig
from coopt.core.errors import ConfigError
from coopt.domains.wording import SCIENCE
from coopt.methods.tutors.base import Message, TutorAwayError
from coopt.methods.tutors.endpoint import EndpointSpeaker
from tests.servers import Answer, Asked, completion, refused, send, serving

KEY, PASSWORD, TOKEN = "sk-the-key-itself", "a-password/it is", "a+token=of&its"


def speaker(port: int, seconds: float = 20, userinfo: str = "", query: str = "") -> EndpointSpeaker:
    url = f"http://{userinfo}127.0.0.1:{port}/v1{query}"
    return EndpointSpeaker("far", url, "m", CriticConfig(timeout=seconds, retries=0, concurrency=1))


def said(answer: Answer, *texts: str, seconds: float = 20, draw: int = 0) -> tuple[list[str | None], list[Asked]]:
    """What a server's tutor says to each text, and what the server was asked."""
    with serving(answer) as server:
        messages = [Message(SCIENCE, text, draw) for text in texts or ("?",)]
        return speaker(server.port, seconds).say(messages, 8), server.asked


def away(answer: Answer, seconds: float = 20) -> str:
    with pytest.raises(TutorAwayError) as found:
        said(answer, seconds=seconds)
    return str(found.value)


# -- secrets -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("status", [200, 401, 403, 429, 500])
def test_whatever_a_server_repeats_holds_no_secret(status: int, monkeypatch: pytest.MonkeyPatch) -> None:
    from urllib.parse import quote

    def repeat(asked: Asked, handler: BaseHTTPRequestHandler) -> None:
        words = f"{asked.path} {asked.headers} {KEY} {PASSWORD}"
        send(handler, status, completion(words) if status == 200 else refused(words), WWW_Authenticate=KEY)

    monkeypatch.setenv("COOPT_ENDPOINT_KEY", KEY)
    with serving(repeat) as server:
        for userinfo in ("", f"ann-of-kent:{quote(PASSWORD, safe='')}@"):
            far = speaker(server.port, userinfo=userinfo, query=f"?token={quote(TOKEN, safe='')}")
            try:
                text = str(far.say([Message(SCIENCE, "?")], 200))
            except TutorAwayError as error:
                text = str(error)
            asked = server.asked[-1]
            assert "token=a%2Btoken" in asked.path, "the server gets what it is to get"
            sent = asked.headers["authorization"]
            assert sent.startswith("Basic ") if userinfo else sent == f"Bearer {KEY}"
            secrets = [KEY, TOKEN, quote(TOKEN, safe=""), PASSWORD, sent.split()[1], *["ann-of-kent"] * bool(userinfo)]
            if not userinfo:
                secrets.remove(PASSWORD)
            assert [s for s in secrets if s in text] == []
            assert "***" in text


@pytest.mark.parametrize("key", ["a-key\nof-two-lines", "a-key-\u00fc-of-letters", " blanks-around-a-key "])
def test_a_key_that_cannot_be_sent_is_not_told(key: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COOPT_ENDPOINT_KEY", key)
    try:
        text = str(said(lambda asked, handler: send(handler, 401, refused(str(asked.headers)))))
    except TutorAwayError as error:
        text = str(error)
    assert [part for part in (key, key.strip(), "of-two", "blanks-around") if part in text] == []


# -- bounds --------------------------------------------------------------------------------------------------


# -- the way to it -------------------------------------------------------------------------------------------


@pytest.fixture
def far(monkeypatch: pytest.MonkeyPatch) -> EndpointSpeaker:
    """A tutor on another machine; ``NO_PROXY`` of whoever runs the tests does not matter."""
    for name in ("http_proxy", "all_proxy", "no_proxy", "HTTP_PROXY", "ALL_PROXY", "NO_PROXY"):
        monkeypatch.delenv(name, raising=False)
    return EndpointSpeaker("far", "http://there.invalid/v1", "m", CriticConfig(timeout=20, retries=0))


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("ALL_PROXY", "socks9://ann-of-kent:a-pass-word@h:1"),
        ("HTTP_PROXY", "ftp://ann-of-kent:a-pass-word@h"),
        ("HTTP_PROXY", "http://[ann-of-kent:a-pass-word"),
        ("SSL_CERT_FILE", "/none/a-pass-word"),
    ],
)
def test_a_way_that_no_client_takes_is_one_line_without_its_password(
    far: EndpointSpeaker, name: str, value: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(name, value)
    far = EndpointSpeaker("far", far.url, "m", far.config)
    with pytest.raises(ConfigError, match=r"critic 'far' at http://there\.invalid/v1 cannot be asked") as found:
        far.say([Message(SCIENCE, "?")], 8)
    assert "HTTP_PROXY" in str(found.value)
    assert "pass-word" not in str(found.value)


def test_a_host_that_is_no_name_is_one_line() -> None:
    far = EndpointSpeaker("far", "http://\u202eevil/v1", "m", CriticConfig(retries=0))
    with pytest.raises(ConfigError, match="cannot be asked") as found:
        far.say([Message(SCIENCE, "?")], 8)
    assert "\u202e" not in str(found.value)


@pytest.mark.parametrize("scheme", ["http://", ""])
def test_what_a_proxy_repeats_holds_no_password(
    far: EndpointSpeaker, scheme: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    def repeat(asked: Asked, handler: BaseHTTPRequestHandler) -> None:
        send(handler, 407, refused(f"{asked.headers} a-pass-word"))

    with serving(repeat) as proxy:
        monkeypatch.setenv("http_proxy", f"{scheme}ann-of-kent:a-pass-word@127.0.0.1:{proxy.port}")
        far = EndpointSpeaker("far", far.url, "m", far.config)
        with pytest.raises(TutorAwayError) as found:
            far.say([Message(SCIENCE, "?")], 8)
        assert "proxy-authorization" in {k.lower() for k in proxy.asked[0].headers}, "it came by the proxy"
    assert "***" in str(found.value)
    for secret in ("a-pass-word", "ann-of-kent", "YW5uLW9m"):
        assert secret not in str(found.value)


def drip(asked: Asked, handler: BaseHTTPRequestHandler) -> None:
    handler.wfile.write(b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n\r\n")
    while True:
        handler.wfile.write(b" ")
        time.sleep(0.05)


def drip_headers(asked: Asked, handler: BaseHTTPRequestHandler) -> None:
    handler.wfile.write(b"HTTP/1.1 200 OK\r\nX: ")
    while True:
        handler.wfile.write(b"x")
        time.sleep(0.05)


def silent(asked: Asked, handler: BaseHTTPRequestHandler) -> None:
    time.sleep(10)


@pytest.mark.parametrize("slow", [drip, drip_headers, silent])
def test_a_slow_answer_ends_in_time(slow: Answer) -> None:
    import openai  # noqa: F401  the client's import is no part of the answer's time

    began = time.monotonic()
    assert "timed out" in away(slow, seconds=0.7)
    assert time.monotonic() - began < 3


def endless(asked: Asked, handler: BaseHTTPRequestHandler) -> None:
    handler.wfile.write(b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n\r\n")
    while True:
        handler.wfile.write(b" " * 65536)


def test_an_endless_answer_ends_at_its_limit() -> None:
    assert "more than 4 MB" in away(endless)


def test_a_packed_answer_is_not_unpacked() -> None:
    bomb = gzip.compress(b" " * 50_000_000)
    assert "compressed" in away(lambda asked, handler: send(handler, 200, bomb, Content_Encoding="gzip"))


@pytest.mark.parametrize("body", [b"[" * 3_000_000, b'{"a":' * 400_000, b'{"choices": ' + b"9" * 6000 + b"}"])
def test_an_answer_that_no_parser_survives_is_one_line(body: bytes) -> None:
    assert "Traceback" not in away(lambda asked, handler: send(handler, 200, body))


def test_a_message_is_cut_where_a_server_ignores_the_limit() -> None:
    answers, _ = said(lambda asked, handler: send(handler, 200, completion("x" * 100_000)))
    assert answers == ["x" * 8 * 32]


def redirect(to: Callable[[Asked], str]) -> Answer:
    return lambda asked, handler: send(handler, 307, b"", Location=to(asked))


def test_a_redirect_to_another_server_is_not_followed() -> None:
    with serving(lambda asked, handler: send(handler, 200, completion("here"))) as other:
        assert "another server" in away(redirect(lambda asked: f"http://127.0.0.1:{other.port}/v1/chat/completions"))
        assert other.asked == []


def test_a_redirect_to_the_same_server_is_followed_and_not_for_ever() -> None:
    def once(asked: Asked, handler: BaseHTTPRequestHandler) -> None:
        if asked.path == "/there":
            send(handler, 200, completion("arrived"))
        else:
            send(handler, 307, b"", Location="/there")

    answers, asked = said(once)
    assert answers == ["arrived"]
    assert asked[1].body == asked[0].body
    away(redirect(lambda asked: asked.path + "x"))


# -- refusals ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("status", "body"),
    [
        (400, refused("The response was filtered", code="content_filter")),
        (400, refused("This model's maximum context length is 512 tokens, max_tokens included")),
        (400, refused("flagged by our moderation")),
        (422, refused("the prompt is not acceptable")),
        (413, b"too large"),
    ],
)
def test_a_refused_prompt_has_no_answer_and_others_do(status: int, body: bytes) -> None:
    def answer(asked: Asked, handler: BaseHTTPRequestHandler) -> None:
        bad = asked.body["messages"][0]["content"] == "bad"
        send(handler, status if bad else 200, body if bad else completion("fine"))

    assert said(answer, "good", "bad", "good")[0] == ["fine", None, "fine"]


def test_a_filtered_answer_is_none() -> None:
    assert said(lambda asked, handler: send(handler, 200, completion(None, "content_filter")))[0] == [None]


@pytest.mark.parametrize(
    ("gone", "body"),
    [
        ("max_tokens", refused("Unsupported parameter: use max_completion_tokens", param="max_tokens")),
        ("max_tokens", refused("'max_tokens' is not supported with this model.")),
        ("temperature", refused("temperature does not support 0, only the default (1)")),
        ("seed", refused("Extra inputs are not permitted: seed")),
    ],
)
def test_a_refused_parameter_is_left_out_from_then_on(gone: str, body: bytes) -> None:
    def answer(asked: Asked, handler: BaseHTTPRequestHandler) -> None:
        send(handler, 400 if gone in asked.body else 200, body if gone in asked.body else completion("fine"))

    answers, asked = said(answer, "one", "two", draw=3)
    assert answers == ["fine", "fine"]
    assert [gone in a.body for a in asked] == [True, False, False]
    assert gone != "max_tokens" or [a.body.get("max_completion_tokens") for a in asked] == [None, 8, 8]


def test_a_server_that_refuses_everything_is_away() -> None:
    with serving(lambda asked, handler: send(handler, 400, refused("no"))) as server, pytest.raises(TutorAwayError):
        speaker(server.port).say([Message(SCIENCE, "?")] * 30, 8)
    assert len(server.asked) in (16, 17)  # the next one may be on its way


@pytest.mark.parametrize(
    ("status", "body"),
    [
        (401, refused("who are you")),
        (404, refused("no such model", code="model_not_found")),
        (400, refused("The model `m` does not exist", param="model")),
        (503, b"later"),
        (200, b"{}"),
        (200, b"<html>"),
        (200, completion("x") | {"choices": []}),
    ],
)
def test_other_answers_are_an_absent_server(status: int, body: bytes) -> None:
    assert "does not answer" in away(lambda asked, handler: send(handler, status, body))
