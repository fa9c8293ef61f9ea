"""What is secret is found in whatever form it comes back."""

from __future__ import annotations

import base64
import json
from urllib.parse import quote, quote_plus

import pytest

from coopt.core.errors import CooptError
from coopt.core.secrets import Secrets, secrets_of, shown_url

KEY, PASSWORD = "sk-4/8+x=\"'\\ü", "p&ss w/rd"
URL = f"https://ann:{quote(PASSWORD, safe='')}@host:8443/v1?token={quote_plus('t&k n')}&api-version=2024-02-01#x"


@pytest.mark.parametrize(
    "form",
    [
        KEY, quote(KEY), quote(KEY, safe=""), quote(KEY, safe="").lower(), quote_plus(KEY), json.dumps(KEY), repr(KEY),
        repr({"a": KEY}), base64.b64encode(KEY.encode()).decode(), PASSWORD, quote(PASSWORD), "t&k n", "t%26k+n",
        base64.b64encode(f"ann:{PASSWORD}".encode()).decode(), base64.urlsafe_b64encode(KEY.encode()).decode(),
    ],
)  # fmt: skip
def test_a_secret_is_masked_in_every_form(form: str) -> None:
    text = f"Basic {form}, and again:{form}."
    assert secrets_of(URL, KEY).mask(text).count("***") == 2
    for secret in (KEY, PASSWORD, form):
        assert secret not in secrets_of(URL, KEY).mask(text)


def test_ordinary_words_stay() -> None:
    secrets = secrets_of("http://me:on@host/v1?stream=false", "none")
    assert secrets.mask("some one on none false me") == "some one *** none false ***"
    assert Secrets(["x"]).mask("Solve for x: the x-axis", prose=True) == "Solve for x: the x-axis"
    assert Secrets(["hunter2"]).mask("say hunter2", prose=True) == "say ***"
    assert Secrets([]).mask("all of it") == "all of it"


@pytest.mark.parametrize(
    ("url", "shown"),
    [
        (URL, "https://host:8443/v1"),
        ("http://127.0.0.1:80/v1", "http://127.0.0.1:80/v1"),
        ("http://u:p@[::1]:9/", "http://[::1]:9/"),
        ("http://u:p@host:99999999/v1", ""),
        ("http://[u:p@host", ""),
        ("htp://u:p@host", ""),
        ("http://u:p@", ""),
    ],
)
def test_an_address_is_shown_without_what_is_secret(url: str, shown: str) -> None:
    assert shown_url(url) == shown


@pytest.mark.parametrize(
    "address", ["https://ann:pass-word@host/x", "https://pass-word@host", "http://a:b@pass-word@h:1"]
)
def test_an_address_in_an_error_has_no_password(address: str) -> None:
    """Given for rows, a model or a graph, say, where no address is taken."""
    line = str(CooptError(f"--data {address}: no such file. Mail me@host, see https://host/@x."))
    assert "pass-word" not in line
    assert "//***@h" in line
    assert line.endswith("Mail me@host, see https://host/@x.")
