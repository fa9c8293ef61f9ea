"""What must stand in no file and on no screen: keys and the parts of an address that let somebody in.

Whoever talks to a server makes its ``Secrets`` and masks every text that comes back, before anything else sees it.
"""

from __future__ import annotations

import base64
import html
import json
import re
from collections.abc import Iterable, Iterator, Sequence
from itertools import chain
from urllib.parse import parse_qsl, quote, quote_plus, unquote, urlsplit

MASK = "***"
_WORDLIKE = 8
"""A shorter secret is masked where it stands as a word: `me` is in many words."""
_IN_PROSE = 4
_NO_SECRETS = frozenset({"", "none", "empty"})  # what is given to a server that wants any key
_SECRET_NAME = re.compile(r"key|token|secret|pass|pwd|auth|sig|code|cred", re.IGNORECASE)


class Secrets:
    """Texts to be masked, also as they look in a URL, in JSON, in HTML, in a repr and in base64."""

    def __init__(self, texts: Iterable[str]) -> None:
        forms = {form for text in texts if text.lower() not in _NO_SECRETS for form in _forms(text)}
        longest_first = sorted(forms, key=len, reverse=True)
        self._all = _any_of(longest_first)
        self._in_prose = _any_of([form for form in longest_first if len(form) >= _IN_PROSE])

    def mask(self, text: str, *, prose: bool = False) -> str:
        """``text`` with ``***`` in place of every secret. ``prose``: students read it, so in it a key of a letter or
        two stays a word."""
        found = self._in_prose if prose else self._all
        return found.sub(MASK, text) if found else text


def secrets_of(url: str, key: str, proxy: str = "") -> Secrets:
    """What a request to ``url`` with ``key`` must not leave behind: the key, user and password, also those of the
    proxy on the way, and those of the query's values that are long or named like a secret."""
    known = [credentials(address) for address in (url, proxy)]
    values = [v for name, v in query_of(url) if len(v) >= _WORDLIKE or _SECRET_NAME.search(name)]
    basic = [f"{user}:{password}" for user, password in known if user or password]
    return Secrets([key, *chain.from_iterable(known), *basic, *values])


def credentials(url: str) -> tuple[str, str]:
    """User and password of an address, decoded; empty where it has none."""
    try:
        parts = urlsplit(url)
    except ValueError:
        return "", ""
    return unquote(parts.username or ""), unquote(parts.password or "")


def query_of(url: str) -> list[tuple[str, str]]:
    """Names and values of an address's query, decoded."""
    try:
        return parse_qsl(urlsplit(url).query, keep_blank_values=True)
    except ValueError:
        return []


def shown_url(url: str) -> str:
    """An address as it may be shown and connected to: without user, password, query and fragment; empty if it is no
    http(s) address."""
    try:
        parts = urlsplit(url.strip())
        host, port = parts.hostname, parts.port
    except ValueError:
        return ""
    if parts.scheme not in ("http", "https") or not host:
        return ""
    host = f"[{host}]" if ":" in host else host
    return f"{parts.scheme}://{host}{f':{port}' if port else ''}{parts.path}"


def _forms(text: str) -> Iterator[str]:
    """A secret as it is, and as it comes back in what others write."""
    for one in (text, text.strip(), quote(text), quote(text, safe=""), quote_plus(text)):
        yield one
        yield re.sub(r"%[0-9A-F]{2}", lambda found: found[0].lower(), one)
    yield from (json.dumps(text)[1:-1], json.dumps(text, ensure_ascii=False)[1:-1], repr(text)[1:-1], html.escape(text))
    raw = text.encode("utf-8", errors="replace")
    for coded in (base64.b64encode(raw).decode(), base64.urlsafe_b64encode(raw).decode()):
        yield from (coded, coded.rstrip("="), quote(coded, safe=""))


def _any_of(forms: Sequence[str]) -> re.Pattern[str] | None:
    return re.compile("|".join(map(_pattern, forms))) if forms else None


def _pattern(form: str) -> str:
    exact = re.escape(form)
    return exact if len(form) >= _WORDLIKE else rf"(?<!\w){exact}(?!\w)"
